//! A YAML or JSON file as a tree that knows where everything stands.

mod json;
mod parse;
mod value;

use std::rc::Rc;

pub(super) use json::value_at;
pub(super) use parse::{SyntaxError, parse};

/// Says where something stands in a file; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The line.
    pub(super) line: usize,
    /// The column, in characters.
    pub(super) column: usize,
}

/// Holds a value and where it stands. An alias is the node of its anchor.
#[derive(Debug)]
pub(super) struct Node {
    /// Where it starts; for a block of text, where its first line starts.
    pub(super) at: Position,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Mapping(Vec<(Key, Rc<Node>)>),
    Sequence(Vec<Rc<Node>>),
    Scalar { text: String, style: Style },
}

#[derive(Debug)]
struct Key {
    at: Position,
    name: String,
}

/// Says how the lines of a scalar lie in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `|`: line by line, indented.
    Literal,
    /// Without quotes, so that it may stand for nothing.
    Plain,
    /// Any other: as the parser makes them.
    Other,
}

impl Node {
    /// Returns the value of a field of a mapping, whose name is spelled as in
    /// Envoy's documentation or in camel case: Envoy takes both. A null is no
    /// value.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Value::Mapping(fields) = &self.value else {
            return None;
        };
        let found = fields
            .iter()
            .find(|(key, _)| key.name == name || key.name == camel_case(name));
        let value = found.map(|(_, value)| value.as_ref());
        value.filter(|value| !value.is_null())
    }

    /// Follows several fields, separated by dots.
    pub(super) fn at_path(&self, path: &str) -> Option<&Self> {
        path.split('.')
            .try_fold(self, |node, name| node.field(name))
    }

    /// Returns a field's text.
    pub(super) fn text_of(&self, path: &str) -> Option<&str> {
        self.at_path(path)?.text()
    }

    /// Returns the items of a sequence; none of anything else.
    pub(super) fn items(&self) -> impl Iterator<Item = &Self> {
        let items = match &self.value {
            Value::Sequence(items) => items.as_slice(),
            _ => &[],
        };
        items.iter().map(AsRef::as_ref)
    }

    /// Returns the items of a field; none if it isn't there.
    pub(super) fn items_of(&self, path: &str) -> impl Iterator<Item = &Self> {
        self.at_path(path).into_iter().flat_map(Self::items)
    }

    /// Returns names, places and values of a mapping's fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, Position, &Self)> {
        let fields = match &self.value {
            Value::Mapping(fields) => fields.as_slice(),
            _ => &[],
        };
        fields
            .iter()
            .map(|(key, value)| (key.name.as_str(), key.at, value.as_ref()))
    }

    /// Returns everything directly below: values of fields, or items.
    pub(super) fn children(&self) -> impl Iterator<Item = &Self> {
        self.fields().map(|(_, _, value)| value).chain(self.items())
    }

    /// Returns the values of all fields below this node whose name fits.
    pub(super) fn below(&self, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = &Self> {
        let mut found = Vec::new();
        let mut waiting = vec![self];
        while let Some(node) = waiting.pop() {
            let fitting = node.fields().filter(|(name, _, _)| fits(name));
            found.extend(fitting.map(|(_, _, value)| value));
            waiting.extend(node.children());
        }
        found.into_iter()
    }

    /// Returns a scalar's text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        let Value::Scalar {
            text,
            style: Style::Plain,
        } = &self.value
        else {
            return false;
        };
        matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// Returns where a place of this scalar's text stands in the file.
    pub(super) fn place_in_text(&self, inner: Position) -> Position {
        match &self.value {
            // The first line's indentation is that of all.
            Value::Scalar {
                style: Style::Literal,
                ..
            } => Position {
                line: self.at.line + inner.line - 1,
                column: self.at.column + inner.column - 1,
            },
            _ => self.at,
        }
    }
}

/// Returns a field's other name.
pub(super) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut parts = name.split('_');
    camel.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let mut rest = part.chars();
        camel.extend(rest.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(rest.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::{Position, parse};

    #[test]
    fn finds_fields_in_both_spellings_and_through_aliases() {
        let documents = parse("a: &a\n  max_size: 3\nb: *a\nc: {maxSize: 4}\n").unwrap();
        let root = documents.first().unwrap();
        let of_alias = root.at_path("b.max_size").unwrap();
        assert_eq!(of_alias.number(), Some(3));
        assert_eq!(
            of_alias.at,
            Position {
                line: 2,
                column: 13
            }
        );
        assert_eq!(root.at_path("c.max_size").unwrap().number(), Some(4));
    }

    #[test]
    fn a_null_is_no_value() {
        let documents = parse("a: null\nb: ~\nc:\nd: 'null'\ne: ''\n").unwrap();
        let root = documents.first().unwrap();
        let is_there = |name: &&str| root.field(name).is_some();
        let there: Vec<&str> = ["a", "b", "c", "d", "e"]
            .into_iter()
            .filter(is_there)
            .collect();
        assert_eq!(there, ["d", "e"]);
    }

    #[test]
    fn knows_the_lines_of_a_block_of_text() {
        let documents = parse("a:\n  b: |\n    one\n      two\n").unwrap();
        let block = documents.first().unwrap().at_path("a.b").unwrap();
        let two = block.place_in_text(Position { line: 2, column: 3 });
        assert_eq!(two, Position { line: 4, column: 7 });
    }
}
