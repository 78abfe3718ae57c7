//! The top-level ID of a payload, found and replaced without touching a byte
//! of the rest.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::value::RawValue;

/// Puts `id` in the place of the payload's top-level ID and changes no other
/// byte.
///
/// # Errors
/// The payload is no JSON object with an ID.
pub fn with_id(payload: &[u8], id: &str) -> Result<Vec<u8>> {
    let (at, _) = top_level_id(payload)?;
    let mut changed = payload.to_vec();
    changed.splice(at, serde_json::to_vec(id)?);
    Ok(changed)
}

/// Finds the top-level ID: where its JSON string stands, and its value.
///
/// # Errors
/// The payload is no JSON object with an ID.
pub fn top_level_id(payload: &[u8]) -> Result<(std::ops::Range<usize>, String)> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(payload)?;
    let raw = members.get("id").context("no top-level `id`")?.get();
    // A raw value borrows from the payload, so its address says where it stands.
    let start = raw.as_ptr().addr() - payload.as_ptr().addr();
    Ok((start..start + raw.len(), serde_json::from_str(raw)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_an_id_in_the_top_level_place_only() {
        let payload = br#"{ "data": {"id":"evt_a"}, "\u0069d" :  "evt_a" , "x":"evt_a"}"#;
        let changed = with_id(payload, "evt_longer").unwrap();
        assert_eq!(
            String::from_utf8(changed).unwrap(),
            r#"{ "data": {"id":"evt_a"}, "\u0069d" :  "evt_longer" , "x":"evt_a"}"#
        );
    }
}
