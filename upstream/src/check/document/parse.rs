//! From text to a tree.

use std::{collections::BTreeMap, rc::Rc};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{Key, Node, Position, Style, Value, json};

/// Deepest nesting that is read; Envoy's own configurations stay below 40.
const MAX_DEPTH: usize = 200;

/// Says why a text is no YAML (and no JSON), and where.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::check) struct SyntaxError {
    /// Where.
    pub(in crate::check) at: Position,
    /// What the parser says; nothing of the text.
    pub(in crate::check) problem: String,
}

/// Reads every document of a text: one of YAML or JSON, several between `---`.
///
/// # Errors
/// [`SyntaxError`]; also for a key that comes twice, which Envoy refuses.
pub(in crate::check) fn parse(text: &str) -> Result<Vec<Rc<Node>>, SyntaxError> {
    let text = json::as_yaml(text);
    let mut reader = Reader {
        events: Parser::new_from_str(&text),
        anchors: BTreeMap::new(),
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
            (event, span) => documents.push(reader.node(event, span, 0)?),
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Rc<Node>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        match self.events.next_event() {
            Some(event) => event.map_err(|error| syntax(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(
        &mut self,
        event: Event<'a>,
        span: Span,
        depth: usize,
    ) -> Result<Rc<Node>, SyntaxError> {
        let at = position(span);
        if depth > MAX_DEPTH {
            return Err(error(at, "nested too deeply"));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor),
            Event::SequenceStart(anchor, _) => (self.sequence(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                return known.ok_or_else(|| error(at, "an alias inside of its own anchor"));
            }
            _ => return Err(error(at, "an unexpected end")),
        };
        let node = Rc::new(Node { at, value });
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Sequence(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        let mut fields: Vec<(Key, Rc<Node>)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Mapping(unwrapped(fields)));
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let name = key
                .text()
                .ok_or_else(|| error(key.at, "a key is no text"))?;
            if fields.iter().any(|(earlier, _)| earlier.name == name) {
                return Err(error(key.at, "this key stands twice in its mapping"));
            }
            let name = name.to_owned();
            fields.push((Key { at: key.at, name }, value));
        }
    }
}

/// Returns what is in a `TypedStruct` as Envoy takes it: a message of another type,
/// whose name and content stand beside each other.
fn unwrapped(fields: Vec<(Key, Rc<Node>)>) -> Vec<(Key, Rc<Node>)> {
    let find = |name: &str| {
        let field = fields.iter().find(|(key, _)| key.name == name);
        field.map(|(key, value)| (key, Rc::clone(value)))
    };
    let is_wrapper = find("@type").is_some_and(|(_, name)| {
        let name = name.text().unwrap_or_default();
        name.ends_with(".v3.TypedStruct") || name.ends_with(".v1.TypedStruct")
    });
    let name = find("type_url").or_else(|| find("typeUrl"));
    let (true, Some((_, name)), Some((_, content))) = (is_wrapper, name, find("value")) else {
        return fields;
    };
    let Value::Mapping(inner) = &content.value else {
        return fields;
    };
    let copied = |(key, value): &(Key, Rc<Node>)| {
        let key = Key {
            at: key.at,
            name: key.name.clone(),
        };
        (key, Rc::clone(value))
    };
    let key = Key {
        at: name.at,
        name: "@type".to_owned(),
    };
    inner.iter().map(copied).chain([(key, name)]).collect()
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    Value::Scalar {
        text: text.to_owned(),
        style: match style {
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Plain => Style::Plain,
            _ => Style::Other,
        },
    }
}

fn position(span: Span) -> Position {
    Position {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

fn syntax(scan: &ScanError) -> SyntaxError {
    let at = Position {
        line: scan.marker().line(),
        column: scan.marker().col() + 1,
    };
    error(at, scan.info())
}

fn error(at: Position, problem: &str) -> SyntaxError {
    SyntaxError {
        at,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Position, SyntaxError, parse};

    #[test]
    fn says_where_a_text_is_no_yaml() {
        let twice = parse("a: 1\nb:\n  c: 1\n  c: 2\n").unwrap_err();
        let expected = SyntaxError {
            at: Position { line: 4, column: 3 },
            problem: "this key stands twice in its mapping".to_owned(),
        };
        assert_eq!(twice, expected);
        let own = parse("a: &a\n  b: *a\n").unwrap_err();
        assert_eq!(own.at, Position { line: 2, column: 6 });
        assert_eq!(parse("a: [1\nb: 2\n").unwrap_err().at.line, 2);
        let deep = "- ".repeat(300);
        assert_eq!(parse(&deep).unwrap_err().problem, "nested too deeply");
    }

    #[test]
    fn reads_what_is_in_a_typed_struct() {
        for version in ["xds.type.v3", "udpa.type.v1"] {
            let text = format!(
                "c:\n  \"@type\": type.googleapis.com/{version}.TypedStruct\n  type_url: a.B\n  value:\n    c: 1\n"
            );
            let documents = parse(&text).unwrap();
            let config = documents.first().unwrap().field("c").unwrap();
            assert_eq!(config.text_of("@type"), Some("a.B"));
            let inner = config.field("c").unwrap();
            assert_eq!(inner.at, Position { line: 5, column: 8 });
            assert!(config.field("value").is_none());
        }
    }

    #[test]
    fn reads_json_that_is_no_yaml() {
        let text =
            "{\n\t\"a\":\t1,\n\t\"b\":\"\\ud83d\\ude00\\\\ud83d\",\n\"c\":[\n\t{\"d\":2}\n]}";
        let documents = parse(text).unwrap();
        let root = documents.first().unwrap();
        let d = root.items_of("c").next().unwrap().field("d").unwrap();
        assert_eq!(d.text(), Some("2"));
        assert_eq!(d.at, Position { line: 5, column: 7 });
    }
}
