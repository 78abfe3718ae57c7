//! CloudEvents attributes as headers of a message: the AMQP protocol binding
//! 1.0.2, section 3.1.3.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};

/// What an attribute's name begins with.
const PREFIX: &str = "cloudEvents:";

/// Maps headers by the names of the HTTP binding. Those that aren't CloudEvents
/// attributes keep their names.
pub(crate) fn headers<'a>(
    headers: impl IntoIterator<Item = (&'static str, &'a str)>,
) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        // Names are ours, and short.
        if let Ok(name) = ShortString::try_new(mapped(name)) {
            table.insert(name, AMQPValue::LongString(LongString::from(value)));
        }
    }
    table
}

/// Returns the header of a message by its name in the HTTP binding.
pub(crate) fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a str> {
    let table = properties.headers().as_ref()?;
    match table.inner().get(mapped(name).as_str())? {
        AMQPValue::LongString(value) => std::str::from_utf8(value.as_bytes()).ok(),
        _ => None,
    }
}

fn mapped(name: &str) -> String {
    match name.strip_prefix("ce-") {
        Some(attribute) => format!("{PREFIX}{attribute}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{header, headers};
    use lapin::BasicProperties;

    #[test]
    fn reads_the_headers_that_it_writes() {
        let long = "x".repeat(1_000);
        let table = headers([("ce-id", "evt_1"), ("traceparent", long.as_str())]);
        let names: Vec<&str> = table.inner().keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["cloudEvents:id", "traceparent"]);
        let properties = BasicProperties::default().with_headers(table);
        assert_eq!(header(&properties, "ce-id"), Some("evt_1"));
        assert_eq!(header(&properties, "traceparent"), Some(long.as_str()));
        assert_eq!(header(&properties, "ce-type"), None);
    }
}
