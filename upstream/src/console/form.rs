//! What a browser sends: the fields of a form or of an address.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

/// How long a form may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest form of somebody who isn't logged in, in bytes.
pub(super) const LOGIN_BYTES: usize = 4_096;

/// Largest form of an operator, in bytes: a thousand events, by destination and
/// sequence.
pub(super) const ACTION_BYTES: usize = 131_072;

/// Holds fields in their order. What is empty counts as not there: a browser
/// sends every field of a form.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

/// Says that a form isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormError {
    /// Too long.
    Large,
    /// Too slow, or cut off.
    Incomplete,
}

impl Fields {
    /// Reads a form (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// [`FormError`].
    pub(super) async fn of_body(body: Body, most: usize) -> Result<Self, FormError> {
        let body = timeout(BODY_TIMEOUT, Limited::new(body, most).collect()).await;
        let body: Bytes = match body {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(FormError::Large);
            }
            _ => return Err(FormError::Incomplete),
        };
        Ok(Self::of_text(&body))
    }

    /// Reads what stands behind `?` in an address.
    pub(super) fn of_text(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text);
        let pairs = pairs.map(|(name, value)| (name.into_owned(), value.trim().to_owned()));
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Returns a field; the first one if it comes twice.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns a field as what it stands for; `Ok(None)` if it isn't there.
    ///
    /// # Errors
    /// Its name: it is of another form.
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, &'static str> {
        match self.get(name) {
            None => Ok(None),
            Some(text) => parse(text).map(Some).ok_or(name),
        }
    }
}

/// Writes an address with fields, those that are there.
pub(super) fn address(path: &str, fields: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// Writes the address of an event's page.
pub(super) fn event_address(id: &str, source: &str) -> String {
    address("/event", &[("id", Some(id)), ("source", Some(source))])
}
