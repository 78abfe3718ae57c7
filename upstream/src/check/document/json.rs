//! What sets JSON apart from YAML, and where a JSON path leads.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::{Node, Position, parse};

/// Makes JSON readable to a YAML parser without moving a character: YAML takes
/// neither tabs between tokens nor escaped surrogates. Other texts stay as they are.
pub(super) fn as_yaml(text: &str) -> Cow<'_, str> {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Cow::Borrowed(text);
    }
    let mut yaml = String::with_capacity(text.len());
    let mut quoted = false;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => {
                quoted = !quoted;
                yaml.push('"');
            }
            '\\' => yaml.push_str(&escape(&mut rest)),
            '\t' if !quoted => yaml.push(' '),
            other => yaml.push(other),
        }
    }
    Cow::Owned(yaml)
}

/// Takes an escape; of a surrogate it makes another character's of its length.
fn escape(rest: &mut std::str::Chars<'_>) -> String {
    let mut escape = String::from("\\");
    let Some(kind) = rest.next() else {
        return escape;
    };
    escape.push(kind);
    if kind == 'u' {
        let digits: String = rest.take(4).collect();
        let surrogate = digits.starts_with(['d', 'D']) && !digits.get(1..2).is_some_and(is_low);
        escape.push_str(if surrogate { "003f" } else { &digits });
    }
    escape
}

fn is_low(digit: &str) -> bool {
    digit.starts_with(|digit| matches!(digit, '0'..='7'))
}

/// Finds what a path such as `endpoints[0].secrets` leads to, or what is nearest.
pub(in crate::check) fn value_at(json: &str, path: &str) -> Option<Position> {
    let documents = parse(json).ok()?;
    let mut node: &Node = documents.first()?;
    let mut at = node.at;
    for step in path.split(['.', '[']) {
        if let Some(index) = step.strip_suffix(']') {
            let index: usize = index.parse().ok()?;
            let Some(item) = node.items().nth(index) else {
                break;
            };
            (node, at) = (item, item.at);
        } else {
            // The key says more than the value, which may be on another line.
            let Some((_, key, value)) = node.fields().find(|(name, _, _)| *name == step) else {
                break;
            };
            (node, at) = (value, key);
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::{Position, value_at};

    #[test]
    fn follows_a_path_as_far_as_it_leads() {
        let json = "{\n  \"endpoints\": [\n    {\"name\": \"a\"},\n    {\"name\": \"b\"}\n  ]\n}";
        for (path, line, column) in [
            ("endpoints", 2, 3),
            ("endpoints[1]", 4, 5),
            ("endpoints[1].name", 4, 6),
            ("endpoints[1].path", 4, 5),
            ("endpoints[7].name", 2, 3),
            ("configuration", 1, 1),
        ] {
            assert_eq!(
                value_at(json, path),
                Some(Position { line, column }),
                "{path}"
            );
        }
    }
}
