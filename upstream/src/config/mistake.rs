//! What is wrong with a file: where, found, expected. Never a secret.

use std::{fmt, ops::Range};

use toml::de::{DeTable, DeValue};

/// Says where something stands in a file; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: usize,
    /// The column, in characters.
    pub(crate) column: usize,
}

/// Says what one place of a file should have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Where.
    pub(crate) at: Position,
    /// Of the field, such as `destinations[0].rate`; empty for the whole file.
    pub(crate) path: String,
    /// What was found and what was expected.
    pub(crate) problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.problem);
        }
        write!(f, "{}: {}", self.path, self.problem)
    }
}

impl Mistake {
    /// Makes a mistake of what a field holds, which the file's types took.
    pub(crate) fn of_field(text: &str, path: &str, problem: String) -> Self {
        Self {
            at: position(text, locate(text, path).start),
            path: path.to_owned(),
            problem,
        }
    }

    /// Makes a mistake of what the file's parser refused.
    pub(super) fn of_parser(text: &str, path: &str, error: &toml::de::Error) -> Self {
        let path = path.trim_start_matches('.');
        let place = error.span().unwrap_or_else(|| locate(text, path));
        // What is unknown may be anything, and may end the path.
        let name = error.message().split('`').nth(1).unwrap_or_default();
        let (table, last) = path.rsplit_once('.').unwrap_or(("", path));
        let is_unknown = error.message().starts_with("unknown ") && last == name;
        let path = if is_unknown { table } else { path };
        Self {
            at: position(text, place.start),
            path: path.to_owned(),
            problem: problem(error.message()),
        }
    }
}

/// Says in our words what the parser found. It repeats texts, of which any may
/// be a secret that stands in the wrong place; numbers are none.
fn problem(message: &str) -> String {
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default();
    if let Some(field) = first.strip_prefix("missing field ") {
        return format!("found no {field}, expected one");
    }
    if let Some(rest) = first.strip_prefix("unknown field ") {
        return unknown("field", rest);
    }
    if let Some(rest) = first.strip_prefix("unknown variant ") {
        return unknown("value", rest);
    }
    let of_type = first
        .strip_prefix("invalid type: ")
        .or_else(|| first.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "));
    match of_type {
        Some((found, expected)) => {
            format!("found {}, expected {}", kind(found), wanted(expected))
        }
        None => first.to_owned(),
    }
}

/// Names what is unknown, if it can be nothing but a name.
fn unknown(what: &str, rest: &str) -> String {
    let (name, expected) = rest
        .strip_prefix('`')
        .and_then(|rest| rest.split_once("`, "))
        .unwrap_or(("", rest));
    let is_name = (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && !name.starts_with("whsec_");
    if is_name {
        format!("found the unknown {what} `{name}`, {expected}")
    } else {
        format!("found an unknown {what}, {expected}")
    }
}

fn kind(found: &str) -> &str {
    match found.split_once(' ') {
        Some(("string", _)) => "a text",
        Some(("integer" | "floating", _)) => found.rsplit_once(' ').map_or(found, |(_, n)| n),
        _ => match found {
            "map" => "a table",
            "sequence" => "a list",
            other => other,
        },
    }
}

fn wanted(expected: &str) -> &str {
    match expected {
        "u16" | "u32" | "u64" => "a whole number from 0",
        "f64" => "a number",
        "a string" | "path string" => "a text",
        "a sequence" => "a list",
        "a boolean" => "`true` or `false`",
        "a map" => "a table",
        other => other,
    }
}

/// Finds where a field stands, or else the innermost table around it.
fn locate(text: &str, path: &str) -> Range<usize> {
    let Ok(root) = DeTable::parse(text) else {
        return 0..0;
    };
    let mut found = 0..0;
    let mut rest = path;
    let mut table = Some(root.get_ref());
    while let Some(fields) = table.take() {
        let name_end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, mut behind) = rest.split_at_checked(name_end).unwrap_or_default();
        let Some((key, mut value)) = fields
            .iter()
            .find(|(key, _)| key.get_ref().as_ref() == name)
        else {
            break;
        };
        found = key.span();
        while let Some((index, after)) = behind
            .strip_prefix('[')
            .and_then(|behind| behind.split_once(']'))
        {
            let items = value.get_ref().as_array();
            let Some(item) = items.and_then(|items| items.get(index.parse::<usize>().ok()?)) else {
                return found;
            };
            value = item;
            found = value.span();
            behind = after;
        }
        if let DeValue::Table(fields) = value.get_ref() {
            table = Some(fields);
        }
        rest = behind.strip_prefix('.').unwrap_or_default();
        if rest.is_empty() {
            break;
        }
    }
    found
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}
