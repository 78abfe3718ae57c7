//! Reads a delivery out of a request that somebody saved.
//!
//! | form | where it comes from |
//! |---|---|
//! | an HTTP message | proxies, request bins; the request line may be missing |
//! | HAR 1.2 | a browser's network panel, proxies |
//! | an event of API Gateway, both versions | logs of a function |
//! | a `curl` command | "copy as cURL" |
//! | what `curl -v` prints | a terminal; it has the headers and not the body |

mod command;
mod json;
mod message;

use crate::input::Delivery;

/// Longest file that is read, in bytes: a HAR holds a whole session.
pub const MAX_SAVED_BYTES: usize = 16 * 1_048_576;

/// Says why a file is no saved request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// It is longer than [`MAX_SAVED_BYTES`].
    #[error("found {bytes} bytes, expected at most {MAX_SAVED_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is of none of the forms.
    #[error(
        "found no request, expected an HTTP message, a HAR, an event of API Gateway, a curl \
         command or what `curl -v` prints"
    )]
    Form,
    /// It is of one of the forms, and no request in it has a body that was signed.
    #[error("found no request with a signature header in it")]
    NoSignature,
}

/// Reads the first request that has a signature header.
///
/// # Errors
/// [`SavedError`].
pub fn read(text: &[u8]) -> Result<Delivery, SavedError> {
    let bytes = text.len();
    if bytes > MAX_SAVED_BYTES {
        return Err(SavedError::TooLong { bytes });
    }
    let start = text.trim_ascii_start();
    if start.starts_with(b"{") {
        json::read(start)
    } else if start.starts_with(b"curl ") {
        command::read(start)
    } else {
        message::read(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString, vec};

    const SIGNATURE: &str = "t=1,v1=00";

    fn expected(payload: &str) -> Delivery {
        Delivery {
            head: vec![(
                "stripe-signature".to_string(),
                SIGNATURE.as_bytes().to_vec(),
            )],
            payload: payload.as_bytes().to_vec(),
        }
    }

    #[test]
    fn reads_each_form() {
        for (saved, payload) in [
            (
                format!("POST /hook HTTP/1.1\r\nStripe-Signature: {SIGNATURE}\r\n\r\n{{\n}}\n"),
                "{\n}\n",
            ),
            (format!("Stripe-Signature:{SIGNATURE}\n\n{{}}"), "{}"),
            (
                format!(
                    "> POST /hook HTTP/2\n> Stripe-Signature: {SIGNATURE}\n>\n* done\n< HTTP/2 400\n"
                ),
                "",
            ),
            (
                format!(
                    r#"{{"log":{{"entries":[{{"request":{{"headers":[],"url":"x"}}}},{{"request":{{"headers":[{{"name":"Stripe-Signature","value":"{SIGNATURE}"}}],"postData":{{"text":"{{\n}}"}}}}}}]}}}}"#
                ),
                "{\n}",
            ),
            (
                format!(
                    r#"{{"version":"2.0","headers":{{"Stripe-Signature":"{SIGNATURE}"}},"body":"e30K","isBase64Encoded":true}}"#
                ),
                "{}\n",
            ),
            (
                format!(
                    r#"{{"multiValueHeaders":{{"Stripe-Signature":["{SIGNATURE}"]}},"headers":null,"body":"{{}}"}}"#
                ),
                "{}",
            ),
            (
                format!(
                    "curl 'https://a.example/hook' \\\n  -H 'Stripe-Signature: {SIGNATURE}' \\\n  --data-raw $'{{\\n\\'\\u00e4}}' --compressed"
                ),
                "{\n'ä}",
            ),
            (
                format!(
                    "curl -X POST -H \"Stripe-Signature: {SIGNATURE}\" -d \"{{\\\"a\\\": 1}}\" https://a.example"
                ),
                "{\"a\": 1}",
            ),
        ] {
            assert!(read(saved.as_bytes()) == Ok(expected(payload)), "{saved}");
        }
    }

    #[test]
    fn takes_the_names_of_svix_for_those_of_standard_webhooks() {
        let found = read(b"svix-id: msg_1\nSvix-Timestamp: 1\nsvix-signature: v1,x\n\n{}").ok();
        let names = found.map(|it| it.head.into_iter().map(|(name, _)| name));
        let names: vec::Vec<_> = names.into_iter().flatten().collect();
        assert_eq!(
            names,
            ["webhook-id", "webhook-timestamp", "webhook-signature"]
        );
    }

    #[test]
    fn refuses_what_is_no_request() {
        for text in [
            "",
            "hello",
            "{\"id\": \"evt_1\"}",
            "{",
            "\n\n",
            "Hello there: {",
            "[]",
        ] {
            assert!(read(text.as_bytes()) == Err(SavedError::Form), "{text}");
        }
        for text in [
            "POST / HTTP/1.1\nhost: a\n\n{}",
            "{\"log\":{\"entries\":[]}}",
            "curl https://a.example -d x",
        ] {
            assert!(
                read(text.as_bytes()) == Err(SavedError::NoSignature),
                "{text}"
            );
        }
        let long = vec![b' '; MAX_SAVED_BYTES + 1];
        assert!(matches!(read(&long), Err(SavedError::TooLong { .. })));
    }
}
