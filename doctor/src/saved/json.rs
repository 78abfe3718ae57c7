//! HAR and API Gateway.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::Deserialize;

use super::{SavedError, message::delivery};
use crate::{input::Delivery, text};

#[derive(Deserialize)]
struct Archive {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    headers: Vec<Header>,
    #[serde(default)]
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct PostData {
    #[serde(default)]
    text: String,
    #[serde(default)]
    encoding: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewayEvent {
    headers: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

pub(super) fn read(text: &[u8]) -> Result<Delivery, SavedError> {
    if let Ok(archive) = serde_json::from_slice::<Archive>(text) {
        let requests = archive.log.entries.into_iter().map(|entry| entry.request);
        let mut found = requests.filter_map(|request| from_archive(request).ok());
        return found.next().ok_or(SavedError::NoSignature);
    }
    let event: GatewayEvent = serde_json::from_slice(text).map_err(|_| SavedError::Form)?;
    if event.headers.is_none() && event.multi_value_headers.is_none() {
        return Err(SavedError::Form);
    }
    from_gateway(event)
}

fn from_archive(request: Request) -> Result<Delivery, SavedError> {
    let headers = request.headers.into_iter();
    let head = headers.map(|header| (header.name, header.value.into_bytes()));
    let payload = request.post_data.map_or_else(Vec::new, |data| {
        let is_encoded = data.encoding.as_deref() == Some("base64");
        decoded(data.text, is_encoded)
    });
    delivery(head.collect(), payload)
}

fn from_gateway(event: GatewayEvent) -> Result<Delivery, SavedError> {
    let one = event.headers.unwrap_or_default();
    let several = event.multi_value_headers.unwrap_or_default().into_iter();
    // Version 1 has each header in both.
    let several = several.filter(|(name, _)| !matches!(one.get(name), Some(Some(_))));
    let mut head: Vec<(String, Vec<u8>)> = several
        .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)))
        .map(|(name, value)| (name, value.into_bytes()))
        .collect();
    let one = one.into_iter();
    head.extend(one.filter_map(|(name, value)| Some((name, value?.into_bytes()))));
    let payload = decoded(event.body.unwrap_or_default(), event.is_base64_encoded);
    delivery(head, payload)
}

fn decoded(text: String, is_base64: bool) -> Vec<u8> {
    let decoded = is_base64
        .then(|| text::from_base64(text.as_bytes()))
        .flatten();
    decoded.unwrap_or_else(|| text.into_bytes())
}
