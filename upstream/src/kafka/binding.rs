//! CloudEvents in binary mode: the Kafka protocol binding 1.0.2, section 3.2.

use rdkafka::message::{Header, OwnedHeaders};

/// What the binding puts before the name of an attribute.
const PREFIX: &str = "ce_";

/// Writes the headers of a record from those of HTTP: `ce-id` is `ce_id`, and
/// what is no attribute keeps its name.
pub(crate) fn headers<'a>(of_http: impl IntoIterator<Item = (&'a str, &'a str)>) -> OwnedHeaders {
    of_http
        .into_iter()
        .fold(OwnedHeaders::new(), |headers, (name, value)| {
            let key = match name.strip_prefix("ce-") {
                Some(attribute) => format!("{PREFIX}{attribute}"),
                None => name.to_owned(),
            };
            headers.insert(Header {
                key: &key,
                value: Some(value),
            })
        })
}
