//! CloudEvents in binary mode: the Kafka protocol binding 1.0.2, section 3.2.

use std::borrow::Cow;

use rdkafka::message::{BorrowedHeaders, Header, Headers as _, OwnedHeaders};

/// What the binding puts before the name of an attribute.
const PREFIX: &str = "ce_";

/// Writes the headers of a record from those of HTTP: `ce-id` is `ce_id`, and
/// what is no attribute keeps its name.
pub(crate) fn headers<'a>(of_http: impl IntoIterator<Item = (&'a str, &'a str)>) -> OwnedHeaders {
    of_http
        .into_iter()
        .fold(OwnedHeaders::new(), |headers, (name, value)| {
            headers.insert(Header {
                key: &key(name),
                value: Some(value),
            })
        })
}

/// Reads the header that [`headers`] writes of one of HTTP; `None` if it isn't
/// there, or is no text.
pub(crate) fn header<'a>(headers: &'a BorrowedHeaders, of_http: &str) -> Option<&'a str> {
    let key = key(of_http);
    let found = headers.iter().find(|header| header.key == key)?;
    std::str::from_utf8(found.value?).ok()
}

fn key(of_http: &str) -> Cow<'_, str> {
    match of_http.strip_prefix("ce-") {
        Some(attribute) => format!("{PREFIX}{attribute}").into(),
        None => of_http.into(),
    }
}
