//! An endpoint's scheme as JSON spells it, and its checks.

#[cfg(feature = "schema")]
use alloc::string::ToString;
use alloc::{boxed::Box, format, string::String, vec::Vec};

use serde::Deserialize;

#[cfg(feature = "schema")]
use super::raw::pattern;
use super::{ConfigError, header::header};
use crate::scheme::{
    Scheme,
    hmac::{Description, Encoding, Part, Place},
};

/// Longest name of a JSON key, and longest signed text, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Longest prefix of a signature, in bytes.
const MAX_PREFIX_BYTES: usize = 32;
/// Most parts of what is signed.
const MAX_PARTS: usize = 8;

/// How the endpoint's sender signs: `"stripe"`, `"standard_webhooks"`,
/// `"github"`, `"shopify"`, `"slack"`, or `{"hmac": {…}}` for any other
/// HMAC-SHA256.
#[derive(Default, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(rename = "Scheme")
)]
#[serde(
    rename_all = "snake_case",
    expecting = "the name of a scheme, or an object with hmac"
)]
pub(super) enum RawScheme {
    /// Stripe: `Stripe-Signature` over time and payload.
    #[default]
    Stripe,
    /// Standard Webhooks: `webhook-signature` (`v1`) over ID, time and payload.
    /// Secrets are base64, with or without `whsec_` before it.
    StandardWebhooks,
    /// GitHub: `X-Hub-Signature-256` over the payload alone. No time is signed,
    /// so tolerances don't apply and a replay passes once the event is
    /// forgotten; the type comes from an unsigned header.
    Github,
    /// Shopify: `X-Shopify-Hmac-SHA256` over the payload alone. No time is
    /// signed, so tolerances don't apply and a replay passes once the event is
    /// forgotten; topic and shop come from unsigned headers.
    Shopify,
    /// Slack: `X-Slack-Signature` (`v0`) over time and payload.
    Slack,
    /// Any other HMAC-SHA256, as described.
    Hmac(RawHmac),
}

/// Describes how a sender signs with HMAC-SHA256, and where its events say what
/// they are. The secret is used as it is, not decoded.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(rename = "Hmac")
)]
#[serde(deny_unknown_fields, expecting = "the description of a scheme")]
pub(super) struct RawHmac {
    /// Name of the header that carries the signature, in lower case. No header
    /// that this filter or Envoy writes or takes out (`ce-…`, `x-hookgate-…`,
    /// `x-envoy-…`, `x-forwarded-…`, `x-request-id`, `host`, `connection`, …), here
    /// and below.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::HEADER), extend("not" = {"pattern": pattern::NO_HEADER})))]
    signature_header: String,
    /// How the signature is spelled.
    encoding: RawEncoding,
    /// What stands before the signature in its header, such as `sha256=`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::PREFIX)))]
    prefix: String,
    /// What is signed, in this order, `"body"` exactly once. A
    /// header is followed by a text if it stands before the body, and preceded
    /// by one if it stands behind.
    #[serde(default = "body_alone")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_PARTS)))]
    signed: Vec<RawPart>,
    /// Name of the header that holds the time of signing in unix seconds; has
    /// to be one of the signed headers. Without it a captured delivery can be
    /// replayed once the event is forgotten.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::HEADER), extend("not" = {"pattern": pattern::NO_HEADER})))]
    timestamp_header: Option<String>,
    /// Where the event's ID is. An ID in a header that isn't signed becomes
    /// part of a digest that is the event's ID instead, and so does everything
    /// that is signed where there is none.
    id: Option<RawPlace>,
    /// Where the event's type is; has to be there. Without it the type is
    /// `webhook`.
    r#type: Option<RawPlace>,
    /// Where the account is, if an event has one.
    account: Option<RawPlace>,
}

/// How a signature is spelled.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(rename = "Encoding")
)]
#[serde(rename_all = "snake_case", expecting = "`hex` or `base64`")]
enum RawEncoding {
    /// 64 lower-case hex digits.
    Hex,
    /// Base64 in the standard alphabet, padded.
    Base64,
}

/// A part of what is signed.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(rename = "SignedPart")
)]
#[serde(
    rename_all = "snake_case",
    expecting = "`body`, or an object with text or header"
)]
enum RawPart {
    /// The payload.
    Body,
    /// This text.
    Text(#[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::SHORT_TEXT)))] String),
    /// The value of this header, which has to be there.
    Header(
        #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::HEADER), extend("not" = {"pattern": pattern::NO_HEADER})))]
         String,
    ),
}

/// Where an attribute is.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(rename = "Place")
)]
#[serde(
    rename_all = "snake_case",
    expecting = "an object with header or field"
)]
enum RawPlace {
    /// In this header.
    Header(
        #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::HEADER), extend("not" = {"pattern": pattern::NO_HEADER})))]
         String,
    ),
    /// Under this key at the top level of the payload, which then has to be a
    /// JSON object.
    Field(#[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_NAME_BYTES)))] String),
}

fn body_alone() -> Vec<RawPart> {
    [RawPart::Body].into()
}

impl RawScheme {
    /// Checks the scheme that stands at `path`.
    pub(super) fn check(self, path: &str) -> Result<Scheme, ConfigError> {
        Ok(match self {
            Self::Stripe => Scheme::Stripe,
            Self::StandardWebhooks => Scheme::StandardWebhooks,
            Self::Github => Scheme::Github,
            Self::Shopify => Scheme::Shopify,
            Self::Slack => Scheme::Slack,
            Self::Hmac(hmac) => Scheme::Hmac(Box::new(hmac.check(&format!("{path}.hmac"))?)),
        })
    }
}

impl RawHmac {
    fn check(self, path: &str) -> Result<Description, ConfigError> {
        let at = |field: &str| format!("{path}.{field}");
        header(&at("signature_header"), &self.signature_header)?;
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if self.prefix.len() > MAX_PREFIX_BYTES || !visible(&self.prefix) {
            let expected = format!("up to {MAX_PREFIX_BYTES} visible ASCII characters");
            return Err(ConfigError::text(&at("prefix"), &self.prefix, expected));
        }
        if let Some(name) = &self.timestamp_header {
            header(&at("timestamp_header"), name)?;
        }
        let (before, after) = parts(&at("signed"), self.signed)?;
        let description = Description {
            signature_header: self.signature_header,
            encoding: match self.encoding {
                RawEncoding::Hex => Encoding::Hex,
                RawEncoding::Base64 => Encoding::Base64,
            },
            prefix: self.prefix,
            before,
            after,
            timestamp_header: self.timestamp_header,
            id: place(&at("id"), self.id)?,
            type_name: place(&at("type"), self.r#type)?,
            account: place(&at("account"), self.account)?,
        };
        if description.signs_header(&description.signature_header) {
            let expected = "a header that is not among the signed ones";
            let found = &description.signature_header;
            return Err(ConfigError::text(&at("signature_header"), found, expected));
        }
        if let Some(name) = &description.timestamp_header
            && !description.signs_header(name)
        {
            let expected = "one of the headers in `signed`: an unsigned time proves nothing";
            return Err(ConfigError::text(&at("timestamp_header"), name, expected));
        }
        Ok(description)
    }
}

/// Splits what is signed at the body, and checks that each header is set off
/// from it by text.
fn parts(path: &str, raw: Vec<RawPart>) -> Result<(Vec<Part>, Vec<Part>), ConfigError> {
    let bodies = raw.iter().filter(|part| matches!(part, RawPart::Body));
    let (count, bodies) = (raw.len(), bodies.count());
    if count > MAX_PARTS || bodies != 1 {
        let found = format!("{count} parts, {bodies} of them `body`");
        let expected = format!("1 to {MAX_PARTS} parts, exactly one of them `body`");
        return Err(ConfigError::value(path, found, expected));
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut is_behind = false;
    let mut last_is_header = false;
    for (index, part) in raw.into_iter().enumerate() {
        let at = |kind: &str| format!("{path}[{index}].{kind}");
        let parts = if is_behind { &mut after } else { &mut before };
        let adjoins = match &part {
            RawPart::Text(_) => false,
            RawPart::Body => last_is_header,
            RawPart::Header(_) => last_is_header || (is_behind && parts.is_empty()),
        };
        if adjoins {
            let found = "no text between a header and what it adjoins";
            let expected = "a text such as `.`, so that neither can pass for the other's end";
            return Err(ConfigError::value(
                &format!("{path}[{index}]"),
                found,
                expected,
            ));
        }
        last_is_header = matches!(part, RawPart::Header(_));
        match part {
            RawPart::Body => is_behind = true,
            RawPart::Header(name) => {
                header(&at("header"), &name)?;
                parts.push(Part::Header(name));
            }
            RawPart::Text(text) => {
                let fits = (1..=MAX_NAME_BYTES).contains(&text.len());
                if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    let expected = format!("1 to {MAX_NAME_BYTES} visible ASCII characters");
                    return Err(ConfigError::text(&at("text"), &text, expected));
                }
                parts.push(Part::Text(text));
            }
        }
    }
    Ok((before, after))
}

fn place(path: &str, raw: Option<RawPlace>) -> Result<Option<Place>, ConfigError> {
    match raw {
        None => Ok(None),
        Some(RawPlace::Header(name)) => {
            header(&format!("{path}.header"), &name)?;
            Ok(Some(Place::Header(name)))
        }
        Some(RawPlace::Field(key)) => {
            if !(1..=MAX_NAME_BYTES).contains(&key.len()) {
                let expected = format!("a key of 1 to {MAX_NAME_BYTES} bytes");
                return Err(ConfigError::text(&format!("{path}.field"), &key, expected));
            }
            Ok(Some(Place::Field(key)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, RawScheme};
    use crate::scheme::Scheme;
    use alloc::{
        format,
        string::{String, ToString},
    };

    fn read(json: &str) -> Result<Scheme, String> {
        let raw: RawScheme = serde_json::from_str(json).map_err(|error| error.to_string())?;
        raw.check("scheme")
            .map_err(|error: ConfigError| error.to_string())
    }

    fn hmac(fields: &str) -> Result<Scheme, String> {
        read(&format!(
            r#"{{"hmac": {{"signature_header": "x-sig", "encoding": "hex"{fields}}}}}"#
        ))
    }

    #[test]
    fn takes_names_and_descriptions() {
        for (json, scheme) in [
            (r#""stripe""#, Scheme::Stripe),
            (r#""standard_webhooks""#, Scheme::StandardWebhooks),
            (r#""github""#, Scheme::Github),
            (r#""shopify""#, Scheme::Shopify),
            (r#""slack""#, Scheme::Slack),
        ] {
            assert_eq!(read(json), Ok(scheme));
        }
        let described = hmac(
            r#", "prefix": "v1=", "signed": [{"header": "x-time"}, {"text": "."}, "body"],
            "timestamp_header": "x-time", "id": {"field": "id"}, "type": {"header": "x-type"}"#,
        );
        assert_eq!(described.map(|scheme| scheme.as_str()), Ok("hmac"));
    }

    #[test]
    fn refuses_what_would_not_hold() {
        let separated = "a text such as `.`, so that neither can pass for the other's end";
        for (fields, problem) in [
            (
                r#", "prefix": "a b""#,
                "scheme.hmac.prefix: found `…`, expected up to 32 visible ASCII characters",
            ),
            (
                r#", "signed": []"#,
                "scheme.hmac.signed: found `0 parts, 0 of them `body``, expected 1 to 8 parts, exactly one of them `body`",
            ),
            (
                r#", "signed": ["body", {"text": "."}, "body"]"#,
                "scheme.hmac.signed: found `3 parts, 2 of them `body``, expected 1 to 8 parts, exactly one of them `body`",
            ),
            (
                r#", "signed": [{"header": "X-Time"}, {"text": "."}, "body"]"#,
                "scheme.hmac.signed[0].header: found `…`, expected a header's name in lower case, 1 to 64 characters",
            ),
            (
                r#", "signed": [{"text": ""}, "body"]"#,
                "scheme.hmac.signed[0].text: found `…`, expected 1 to 64 visible ASCII characters",
            ),
            (
                r#", "signed": [{"header": "x-sig"}, {"text": "."}, "body"]"#,
                "scheme.hmac.signature_header: found `…`, expected a header that is not among the signed ones",
            ),
            (
                r#", "timestamp_header": "x-time""#,
                "scheme.hmac.timestamp_header: found `…`, expected one of the headers in `signed`: an unsigned time proves nothing",
            ),
            (
                r#", "id": {"field": ""}"#,
                "scheme.hmac.id.field: found `…`, expected a key of 1 to 64 bytes",
            ),
        ] {
            assert_eq!(hmac(fields), Err(problem.to_string()));
        }
        for signed in [
            r#"[{"header": "x-time"}, "body"]"#,
            r#"["body", {"header": "x-time"}]"#,
            r#"[{"header": "x-id"}, {"header": "x-time"}, {"text": "."}, "body"]"#,
        ] {
            let problem = hmac(&format!(r#", "signed": {signed}"#)).unwrap_err();
            assert!(problem.ends_with(separated), "{signed}: {problem}");
        }
        let problem = hmac(r#", "secret": "x""#).unwrap_err();
        assert!(problem.starts_with("unknown field `secret`"), "{problem}");
    }

    #[test]
    fn refuses_headers_that_do_not_arrive_as_they_were_sent() {
        let place =
            |field: &str, name: &str| hmac(&format!(r#", "{field}": {{"header": "{name}"}}"#));
        for (names, expected) in [
            (
                &[
                    "ce-id",
                    "x-hookgate-route",
                    "x-envoy-a",
                    "authorization",
                    "traceparent",
                ][..],
                "a header of the sender's: the gate strips and writes `ce-…`, `x-hookgate-…`, `x-envoy-…`, `authorization`, `traceparent` and `tracestate`",
            ),
            (
                &[
                    "host",
                    "te",
                    "connection",
                    "x-forwarded-for",
                    "x-request-id",
                ],
                "a header that arrives as it was sent: Envoy writes or takes out this one",
            ),
            (
                &["", ":path", "X-Id", "x id"],
                "a header's name in lower case, 1 to 64 characters",
            ),
        ] {
            for name in names {
                let refused =
                    |path: &str| format!("scheme.hmac.{path}: found `…`, expected {expected}");
                for field in ["id", "type", "account"] {
                    assert_eq!(place(field, name), Err(refused(&format!("{field}.header"))));
                }
                let time = hmac(&format!(r#", "timestamp_header": "{name}""#));
                assert_eq!(time, Err(refused("timestamp_header")));
                let signed =
                    format!(r#", "signed": [{{"header": "{name}"}}, {{"text": "."}}, "body"]"#);
                assert_eq!(hmac(&signed), Err(refused("signed[0].header")));
                let signature =
                    format!(r#"{{"hmac": {{"signature_header": "{name}", "encoding": "hex"}}}}"#);
                assert_eq!(read(&signature), Err(refused("signature_header")));
            }
        }
        for name in ["x-ce-id", "x-host", "tea", "ce"] {
            assert!(place("id", name).is_ok(), "{name}");
        }
    }
}
