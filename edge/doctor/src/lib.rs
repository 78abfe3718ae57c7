//! The signature doctor for a page: what `wasm-bindgen` shows of it.
//!
//! It carries bytes and texts to [`hookgate_doctor`] and decides nothing. Answers go
//! back as JSON; `page.js` puts them on the page as text, never as HTML.

use hookgate_core::{signature::Tolerance, time::Timestamp};
use hookgate_doctor::{
    Delivery, Secret, diagnose,
    fix::Framework,
    saved::{self, SavedError},
};
use serde::Serialize;
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;
use zeroize::Zeroizing;

/// Holds a request that was read out of a file.
#[wasm_bindgen(getter_with_clone)]
pub struct SavedRequest {
    /// Its headers, a line each: `name: value`.
    pub head: String,
    /// Its body.
    pub payload: Vec<u8>,
}

/// Reads a saved request; `undefined` for what is none with a signature, which is
/// taken for a payload.
#[wasm_bindgen(js_name = readSaved)]
#[must_use]
pub fn read_saved(bytes: &[u8]) -> Option<SavedRequest> {
    let delivery = match saved::read(bytes) {
        Ok(delivery) => delivery,
        // Should it be a request all the same, the diagnosis says what is missing.
        Err(SavedError::NoSignature | SavedError::TooLong { .. } | SavedError::Form) => {
            return None;
        }
    };
    let lines = delivery.head.iter();
    let lines = lines.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
    Some(SavedRequest {
        head: lines.collect::<Vec<_>>().join("\n"),
        payload: delivery.payload,
    })
}

/// Says why a delivery verifies or doesn't, as JSON: a diagnosis, or `{"problem": "…"}`.
///
/// `head` is the value of a signature header or lines of `name: value`; `own` the secret
/// of the endpoint; `others` those of other endpoints; `now_seconds` unix time.
#[wasm_bindgen]
#[must_use]
pub fn look(
    head: &str,
    payload: &[u8],
    own: &str,
    others: Vec<String>,
    now_seconds: f64,
) -> String {
    let own = Zeroizing::new(own.as_bytes().to_vec());
    let mut secrets = Vec::new();
    if !own.is_empty() {
        secrets.push(Secret::new("Signing secret", &own));
    }
    for (number, other) in (1..).zip(others.into_iter().map(Zeroizing::new)) {
        if !other.is_empty() {
            let label = format!("Secret {number} of another endpoint");
            secrets.push(Secret::of_another_endpoint(&label, other.as_bytes()));
        }
    }
    let delivery = delivery(head, payload);
    let now = Timestamp::from_unix_millis(milliseconds(now_seconds));
    match diagnose(&delivery, &secrets, now, Tolerance::default()) {
        Ok(diagnosis) => text(&diagnosis),
        Err(error) => text(&json!({ "problem": error.to_string() })),
    }
}

/// Returns the frameworks that there is code for, as JSON: `[{"name", "code"}]`.
#[wasm_bindgen]
#[must_use]
pub fn frameworks() -> String {
    let all = Framework::ALL.map(|it| json!({ "name": it.name(), "code": it.code() }));
    text(&all)
}

/// Takes lines of headers, or the bare value of a signature's.
fn delivery(head: &str, payload: &[u8]) -> Delivery {
    let with_lines = format!("{}\n\n", head.trim_end());
    let parsed = saved::read(with_lines.as_bytes());
    match parsed {
        Ok(parsed) => Delivery {
            payload: payload.to_vec(),
            ..parsed
        },
        Err(_) if head.trim().is_empty() => Delivery::new(Vec::new(), payload.to_vec()),
        Err(_) => Delivery::signed(head.as_bytes(), payload),
    }
}

/// Numbers of JavaScript: what is none, or negative, is 0.
fn milliseconds(seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and makes 0 of what is no number"
    )]
    let milliseconds = (seconds * 1_000.0) as u64;
    milliseconds
}

fn text(answer: &impl Serialize) -> String {
    // Ours always serialize; a page says of an empty answer that it can't read it.
    serde_json::to_string(answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_lines_of_headers_or_a_bare_value() {
        for head in [
            "t=1,v1=00",
            "Stripe-Signature: t=1,v1=00",
            "Host: a\r\nStripe-Signature: t=1,v1=00\r\n",
        ] {
            let found = delivery(head, b"{}");
            let wanted = |(name, value): &(String, Vec<u8>)| {
                name == "stripe-signature" && value.ends_with(b"t=1,v1=00")
            };
            assert!(found.head.iter().any(wanted), "{head}");
            assert_eq!(found.payload, b"{}");
        }
        assert!(delivery(" ", b"{}").head.is_empty());
    }

    #[test]
    fn answers_as_json_whatever_is_given() {
        for (head, own, now) in [
            ("", "", f64::NAN),
            ("t=1", "whsec_a", -1.0),
            ("\0", "\n", 1e300),
        ] {
            let answer = look(head, b"\xff", own, vec!["x".into(); 9], now);
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            assert!(answer["verdict"].is_string() || answer["problem"].is_string());
        }
        let frameworks: serde_json::Value = serde_json::from_str(&frameworks()).unwrap();
        assert_eq!(frameworks.as_array().map(Vec::len), Some(8));
    }
}
