//! JSON whose keys keep their order, and how libraries write it.

use std::{fmt, io};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap as _, SerializeSeq as _},
};
use serde_json::{
    Number,
    ser::{Formatter, PrettyFormatter},
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads, with the keys in their order.
    pub(crate) fn read(text: &[u8]) -> Self {
        serde_json::from_slice(text).unwrap()
    }

    /// Puts keys in the order of Stripe's: `id`, `object`, then by name.
    pub(crate) fn ordered_by_stripe(self) -> Self {
        self.ordered(&|key| match key {
            "id" => 0,
            "object" => 1,
            _ => 2,
        })
    }

    /// Puts keys in their order by name.
    pub(crate) fn sorted(self) -> Self {
        self.ordered(&|_| 0)
    }

    fn ordered(self, rank: &dyn Fn(&str) -> u8) -> Self {
        match self {
            Self::List(items) => Self::List(items.into_iter().map(|it| it.ordered(rank)).collect()),
            Self::Object(members) => {
                let members = members.into_iter();
                let mut members: Vec<_> =
                    members.map(|(key, it)| (key, it.ordered(rank))).collect();
                members.sort_by(|(one, _), (other, _)| (rank(one), one).cmp(&(rank(other), other)));
                Self::Object(members)
            }
            other => other,
        }
    }

    /// Gives an event a member more.
    pub(crate) fn describe(&mut self, text: &str) {
        if let Self::Object(members) = self {
            members.retain(|(key, _)| key != "description");
            members.push(("description".to_owned(), Self::Text(text.to_owned())));
        }
    }

    pub(crate) fn compact(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap()
    }

    pub(crate) fn pretty(&self, indent: &str) -> Vec<u8> {
        self.by(PrettyFormatter::with_indent(indent.as_bytes()))
    }

    /// As `json.dumps` of Python writes it.
    pub(crate) fn as_python(&self) -> Vec<u8> {
        self.by(Library {
            space: true,
            ascii: true,
            slashes: false,
            html: false,
        })
    }

    /// As `json_encode` of PHP writes it, once it had read it into arrays.
    pub(crate) fn as_php(&self) -> Vec<u8> {
        let php = Library {
            space: false,
            ascii: true,
            slashes: true,
            html: false,
        };
        self.clone().with_lists().by(php)
    }

    /// As `encoding/json` of Go writes a map.
    pub(crate) fn as_go(&self) -> Vec<u8> {
        let go = Library {
            space: false,
            ascii: false,
            slashes: false,
            html: true,
        };
        self.clone().sorted().by(go)
    }

    fn with_lists(self) -> Self {
        match self {
            Self::Object(members) if members.is_empty() => Self::List(Vec::new()),
            Self::Object(members) => {
                let members = members.into_iter();
                Self::Object(members.map(|(key, it)| (key, it.with_lists())).collect())
            }
            Self::List(items) => Self::List(items.into_iter().map(Self::with_lists).collect()),
            other => other,
        }
    }

    fn by(&self, formatter: impl Formatter) -> Vec<u8> {
        let mut out = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
        self.serialize(&mut serializer).unwrap();
        out
    }
}

/// What libraries do otherwise.
struct Library {
    space: bool,
    ascii: bool,
    slashes: bool,
    html: bool,
}

impl Formatter for Library {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        out.write_all(match (first, self.space) {
            (true, _) => b"",
            (false, true) => b", ",
            (false, false) => b",",
        })
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.begin_array_value(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(if self.space { b": " } else { b":" })
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        for character in text.chars() {
            let escaped =
                self.ascii && !character.is_ascii() || self.html && "<>&".contains(character);
            match character {
                '/' if self.slashes => out.write_all(b"\\/")?,
                _ if escaped => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}")?;
                    }
                }
                _ => write!(out, "{character}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(it) => serializer.serialize_bool(*it),
            Self::Number(it) => it.serialize(serializer),
            Self::Text(it) => serializer.serialize_str(it),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Object(members) => {
                let mut object = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    object.serialize_entry(key, value)?;
                }
                object.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, it: bool) -> Result<Json, E> {
                Ok(Json::Bool(it))
            }

            fn visit_u64<E>(self, it: u64) -> Result<Json, E> {
                Ok(Json::Number(it.into()))
            }

            fn visit_i64<E>(self, it: i64) -> Result<Json, E> {
                Ok(Json::Number(it.into()))
            }

            fn visit_f64<E>(self, it: f64) -> Result<Json, E> {
                Ok(Number::from_f64(it).map_or(Json::Null, Json::Number))
            }

            fn visit_str<E>(self, it: &str) -> Result<Json, E> {
                Ok(Json::Text(it.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Json::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
                let mut object = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    object.push(entry);
                }
                Ok(Json::Object(object))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
