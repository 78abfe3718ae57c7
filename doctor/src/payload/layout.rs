//! JSON written anew in the forms that senders and libraries write.
//!
//! | writer | white space | strings |
//! |---|---|---|
//! | Stripe | two spaces | UTF-8 |
//! | `JSON.stringify`, Jackson, `serde_json` | none | UTF-8 |
//! | Python's `json.dumps` | `, ` and `: ` | ASCII |
//! | PHP's `json_encode` | none | ASCII, `\/` |
//! | Go's `encoding/json`, Rails' `to_json` | none | `<`, `>` and `&` escaped |

use alloc::{string::String, vec::Vec};
use core::mem;

use super::json::{self, Value};
use crate::input::MAX_PAYLOAD_BYTES;

/// Longest text that is written anew, in bytes: indentation can multiply.
const MAX_BYTES: usize = 2 * MAX_PAYLOAD_BYTES;

/// Says where white space stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// Nowhere.
    None,
    /// Behind commas and colons, on one line.
    Separators,
    /// A line for each value, indented by so many spaces.
    Spaces(usize),
    /// A line for each value, indented by tabs.
    Tabs,
}

/// Says what is escaped in strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// What is escaped already.
    Kept,
    /// What has to be.
    Least,
    /// Whatever isn't ASCII, too.
    Ascii,
    /// Slashes too.
    Slashes,
    /// Both.
    AsciiAndSlashes,
    /// What means something in HTML, too.
    Html,
}

/// Says in which order the keys of objects stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Kept,
    /// `id`, `object`, then by name, as Stripe writes its objects.
    Stripe,
    Sorted,
}

/// Says what becomes of `[]`, which PHP makes of an empty object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    Kept,
    /// Where it stands under one of [`OBJECTS`], it is an object again.
    Objects,
    All,
}

/// What Stripe's objects have that is an object, and often an empty one.
const OBJECTS: [&str; 10] = [
    "metadata",
    "fraud_details",
    "previous_attributes",
    "tip",
    "payment_method_options",
    "mandate_options",
    "radar_options",
    "bacs_debit_payments",
    "sepa_debit_payments",
    "capabilities",
];

#[derive(Debug, Clone, Copy)]
struct Layout {
    space: Space,
    escapes: Escapes,
    order: Order,
    lists: Lists,
    /// `{\n}` and `[\n\n]` for what is empty, as Ruby's `pretty_generate` once wrote.
    tall: bool,
}

/// Holds a payload that was written anew.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    /// Its keys stand in another order than those of what was given.
    pub(crate) reordered: bool,
    /// Empty lists became objects.
    pub(crate) relisted: bool,
    /// Characters of strings are escaped otherwise.
    pub(crate) escaped: bool,
}

const SPACES: [Space; 6] = [
    Space::Spaces(2),
    Space::None,
    Space::Separators,
    Space::Spaces(4),
    Space::Tabs,
    Space::Spaces(1),
];

const ESCAPES: [Escapes; 6] = [
    Escapes::Kept,
    Escapes::Least,
    Escapes::Ascii,
    Escapes::Slashes,
    Escapes::AsciiAndSlashes,
    Escapes::Html,
];

/// Calls `each` with every form of a JSON payload that a sender may have signed,
/// the likeliest first, until it says that it has enough. Of equal forms only one
/// comes. What isn't JSON has none.
pub(crate) fn rewritings(payload: &[u8], mut each: impl FnMut(Written) -> bool) {
    let Some(value) = json::parse(payload) else {
        return;
    };
    let plain = Layout {
        space: Space::None,
        escapes: Escapes::Kept,
        order: Order::Kept,
        lists: Lists::Kept,
        tall: false,
    };
    let Some(kept) = write(&value, plain) else {
        return;
    };
    let order = |order| Some((order, write(&value, Layout { order, ..plain })?));
    let orders = distinct([Order::Kept, Order::Stripe, Order::Sorted].map(order));
    let escaped = |escapes| Some((escapes, write(&value, Layout { escapes, ..plain })?));
    let escapes = distinct(ESCAPES.map(escaped));
    let listed = |lists| Some((lists, write(&value, Layout { lists, ..plain })?));
    let lists = distinct([Lists::Kept, Lists::Objects, Lists::All].map(listed));
    let has_empty = [b"{}", b"[]"].iter().any(|empty| contains(&kept, *empty));
    let talls = if has_empty {
        &[false, true][..]
    } else {
        &[false]
    };
    for &lists in &lists {
        for &order in &orders {
            for &escapes in &escapes {
                for (space, &tall) in SPACES
                    .iter()
                    .flat_map(|it| talls.iter().map(move |t| (*it, t)))
                {
                    let is_indented = matches!(space, Space::Spaces(_) | Space::Tabs);
                    if tall && !is_indented {
                        continue;
                    }
                    let layout = Layout {
                        space,
                        escapes,
                        order,
                        lists,
                        tall,
                    };
                    let Some(mut bytes) = write(&value, layout) else {
                        continue;
                    };
                    let (reordered, relisted) = (order != Order::Kept, lists != Lists::Kept);
                    let escaped = escapes != Escapes::Kept;
                    for newline in [false, true] {
                        if newline {
                            bytes.push(b'\n');
                        }
                        if bytes == payload {
                            continue;
                        }
                        let bytes = if newline {
                            mem::take(&mut bytes)
                        } else {
                            bytes.clone()
                        };
                        if each(Written {
                            bytes,
                            reordered,
                            relisted,
                            escaped,
                        }) {
                            return;
                        }
                    }
                }
            }
        }
    }
}

/// Returns the choices whose outcomes differ.
fn distinct<T: Copy, const N: usize>(choices: [Option<(T, Vec<u8>)>; N]) -> Vec<T> {
    let mut kept: Vec<(T, Vec<u8>)> = Vec::new();
    for (choice, bytes) in choices.into_iter().flatten() {
        if kept.iter().all(|(_, other)| *other != bytes) {
            kept.push((choice, bytes));
        }
    }
    kept.into_iter().map(|(choice, _)| choice).collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|it| it == part)
}

fn write(value: &Value<'_>, layout: Layout) -> Option<Vec<u8>> {
    let mut writer = Writer {
        layout,
        out: Vec::new(),
        depth: 0,
    };
    writer.value(value, false)?;
    Some(writer.out)
}

struct Writer {
    layout: Layout,
    out: Vec<u8>,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value<'_>, holds_object: bool) -> Option<()> {
        if self.out.len() > MAX_BYTES {
            return None;
        }
        match value {
            Value::Word(word) => self.out.extend_from_slice(word),
            Value::Text(text) => self.text(text),
            Value::List(items) if items.is_empty() => {
                let is_object = match self.layout.lists {
                    Lists::Kept => false,
                    Lists::Objects => holds_object,
                    Lists::All => true,
                };
                self.empty(if is_object { *b"{}" } else { *b"[]" });
            }
            Value::Object(members) if members.is_empty() => self.empty(*b"{}"),
            Value::List(items) => self.block(*b"[]", items.len(), |writer, index| {
                items.get(index).and_then(|item| writer.value(item, false))
            })?,
            Value::Object(members) => {
                let mut order: Vec<usize> = (0..members.len()).collect();
                if self.layout.order != Order::Kept {
                    let is_stripes = self.layout.order == Order::Stripe;
                    order.sort_by_key(|&index| {
                        let key = members.get(index).map_or(&[][..], |(key, _)| key);
                        let rank = match key {
                            b"\"id\"" if is_stripes => 0,
                            b"\"object\"" if is_stripes => 1,
                            _ => 2,
                        };
                        (rank, key)
                    });
                }
                self.block(*b"{}", members.len(), |writer, index| {
                    let (key, value) = members.get(*order.get(index)?)?;
                    writer.text(key);
                    writer.out.push(b':');
                    if writer.layout.space != Space::None {
                        writer.out.push(b' ');
                    }
                    let name = key.get(1..key.len().saturating_sub(1)).unwrap_or_default();
                    writer.value(value, OBJECTS.iter().any(|it| it.as_bytes() == name))
                })?;
            }
        }
        Some(())
    }

    fn block(
        &mut self,
        brackets: [u8; 2],
        count: usize,
        mut item: impl FnMut(&mut Self, usize) -> Option<()>,
    ) -> Option<()> {
        let [open, close] = brackets;
        self.out.push(open);
        self.depth += 1;
        for index in 0..count {
            if index > 0 {
                self.out.push(b',');
                if self.layout.space == Space::Separators {
                    self.out.push(b' ');
                }
            }
            self.line();
            item(self, index)?;
        }
        self.depth -= 1;
        self.line();
        self.out.push(close);
        Some(())
    }

    fn empty(&mut self, brackets: [u8; 2]) {
        let [open, close] = brackets;
        self.out.push(open);
        if self.layout.tall {
            if open == b'[' {
                self.out.push(b'\n');
            }
            self.line();
        }
        self.out.push(close);
    }

    fn line(&mut self) {
        let (unit, count) = match self.layout.space {
            Space::None | Space::Separators => return,
            Space::Spaces(count) => (b' ', count * self.depth),
            Space::Tabs => (b'\t', self.depth),
        };
        self.out.push(b'\n');
        self.out.resize(self.out.len() + count, unit);
    }

    /// Writes a string; one that can't be read (half a surrogate pair) stays.
    fn text(&mut self, raw: &[u8]) {
        let escapes = self.layout.escapes;
        let read = match escapes {
            Escapes::Kept => None,
            _ => serde_json::from_slice::<String>(raw).ok(),
        };
        let Some(text) = read else {
            self.out.extend_from_slice(raw);
            return;
        };
        let ascii = matches!(escapes, Escapes::Ascii | Escapes::AsciiAndSlashes);
        let slashes = matches!(escapes, Escapes::Slashes | Escapes::AsciiAndSlashes);
        let html = escapes == Escapes::Html;
        self.out.push(b'"');
        for character in text.chars() {
            match character {
                '"' => self.out.extend(br#"\""#),
                '\\' => self.out.extend(br"\\"),
                '\n' => self.out.extend(br"\n"),
                '\r' => self.out.extend(br"\r"),
                '\t' => self.out.extend(br"\t"),
                '\u{8}' => self.out.extend(br"\b"),
                '\u{c}' => self.out.extend(br"\f"),
                '/' if slashes => self.out.extend(br"\/"),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if html => self.unit(character),
                '\0'..' ' => self.unit(character),
                '\u{80}'.. if ascii => self.unit(character),
                _ => self
                    .out
                    .extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.out.push(b'"');
    }

    /// Writes `\uXXXX`, twice beyond the basic plane.
    fn unit(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            self.out.extend(br"\u");
            self.out.extend(crate::text::hex(&unit.to_be_bytes()));
        }
    }
}

/// Says where white space stands in a JSON text, by its beginning.
pub(crate) fn look(text: &[u8]) -> Option<Space> {
    let inside = text.trim_ascii().strip_prefix(b"{")?;
    let line = inside
        .strip_prefix(b"\n")
        .or_else(|| inside.strip_prefix(b"\r\n"));
    let Some(line) = line else {
        let colon = inside.windows(3).find(|it| it.starts_with(b"\":"));
        return Some(match colon {
            Some(b"\": ") => Space::Separators,
            _ => Space::None,
        });
    };
    Some(match line.first() {
        Some(b'\t') => Space::Tabs,
        _ => Space::Spaces(line.iter().take_while(|&&byte| byte == b' ').count()),
    })
}

impl Space {
    /// Names it: "… JSON".
    pub(crate) fn name(self) -> String {
        match self {
            Self::None => "compact JSON, without white space".into(),
            Self::Separators => "JSON on one line, with `, ` and `: `, as Python writes it".into(),
            Self::Spaces(count) => alloc::format!("JSON indented by {count} spaces"),
            Self::Tabs => "JSON indented by tabs".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn all(payload: &str) -> Vec<String> {
        let mut all = vec![];
        rewritings(payload.as_bytes(), |written| {
            all.push(String::from_utf8(written.bytes).unwrap());
            false
        });
        all
    }

    #[test]
    fn writes_what_libraries_write() {
        let forms = all(r#"{"b":"ä/<","object":"o","a":[],"metadata":[],"id":1.0}"#);
        for form in [
            "{\n  \"b\": \"ä/<\",\n  \"object\": \"o\",\n  \"a\": [],\n  \"metadata\": [],\n  \"id\": 1.0\n}",
            "{\"b\": \"\\u00e4/<\", \"object\": \"o\", \"a\": [], \"metadata\": [], \"id\": 1.0}",
            "{\"b\":\"\\u00e4\\/<\",\"object\":\"o\",\"a\":[],\"metadata\":[],\"id\":1.0}",
            "{\"b\":\"ä/\\u003c\",\"object\":\"o\",\"a\":[],\"metadata\":[],\"id\":1.0}",
            "{\n  \"id\": 1.0,\n  \"object\": \"o\",\n  \"a\": [],\n  \"b\": \"ä/<\",\n  \"metadata\": {}\n}",
            "{\"a\":{},\"b\":\"ä/<\",\"id\":1.0,\"metadata\":{},\"object\":\"o\"}\n",
            "{\n\t\"b\": \"ä/<\",\n\t\"object\": \"o\",\n\t\"a\": [\n\n\t],\n\t\"metadata\": [\n\n\t],\n\t\"id\": 1.0\n}",
        ] {
            assert!(forms.iter().any(|it| it == form), "{form}");
        }
    }

    #[test]
    fn writes_each_form_once_and_never_what_was_given() {
        let payload = r#"{"id":"evt_1"}"#;
        let mut forms = all(payload);
        assert!(!forms.iter().any(|it| it == payload));
        let count = forms.len();
        forms.sort();
        forms.dedup();
        assert_eq!(forms.len(), count);
        assert_eq!(all("id=evt_1"), Vec::<String>::new());
    }

    #[test]
    fn keeps_half_a_surrogate_pair() {
        let forms = all(r#"["\ud800", "ü"]"#);
        assert!(forms.iter().any(|it| it == r#"["\ud800","\u00fc"]"#));
    }

    #[test]
    fn tells_forms_apart() {
        for (text, space) in [
            ("{\"a\":1}", Space::None),
            ("{\"a\": 1}", Space::Separators),
            ("{\n  \"a\": 1\n}", Space::Spaces(2)),
            ("{\n\t\"a\": 1\n}", Space::Tabs),
        ] {
            assert_eq!(look(text.as_bytes()), Some(space), "{text}");
        }
        assert_eq!(look(b"a=b"), None);
    }
}
