//! Ways to break a delivery, and what the doctor has to say of each.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hookgate_core::{
    request::RequestHead, scheme::Scheme, secret::SigningSecret, signature::sign, time::Timestamp,
};
use hookgate_doctor::{Delivery, Secret};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::{events::Event, json::Json};

pub(crate) struct Broken {
    pub(crate) delivery: Delivery,
    pub(crate) secrets: Vec<Secret>,
    /// When it is looked at, in unix seconds.
    pub(crate) now: u64,
}

pub(crate) struct Breakage {
    pub(crate) name: &'static str,
    /// The codes that have to be named, and no other.
    pub(crate) expected: &'static [&'static str],
    /// What one of the titles has to say.
    pub(crate) says: &'static str,
    /// `None` where it changes nothing.
    pub(crate) break_it: fn(&Event) -> Option<Broken>,
}

macro_rules! breakages {
    ($($name:literal, $expected:expr, $says:literal => $break_it:expr;)*) => {
        pub(crate) const BREAKAGES: &[Breakage] = &[
            $(Breakage { name: $name, expected: &$expected, says: $says, break_it: $break_it },)*
        ];
    };
}

breakages! {
    "re-serialised: compact (`JSON.stringify`)", ["payload_reserialised"], "compact" =>
        |event| payload(event, event.json.compact());
    "re-serialised: `json.dumps`", ["payload_reserialised"], "Python" =>
        |event| payload(event, event.json.as_python());
    "re-serialised: PHP's `json_encode`", ["payload_reserialised"], "compact" =>
        |event| payload(event, event.json.as_php());
    "re-serialised: Go, keys sorted, compact", ["payload_reserialised"], "order" =>
        |event| payload(event, event.json.as_go());
    "re-serialised: keys sorted, two spaces", ["payload_reserialised"], "order" =>
        |event| payload(event, event.json.clone().sorted().pretty("  "));
    "re-serialised: four spaces", ["payload_reserialised"], "4 spaces" =>
        |event| payload(event, event.json.pretty("    "));
    "re-serialised: tabs", ["payload_reserialised"], "tabs" =>
        |event| payload(event, event.json.pretty("\t"));
    "re-serialised: characters escaped", ["payload_reserialised"], "escaped" => |event| {
        let event = with_text(event, "Zoë <zoe@example.com> Müller/€");
        let text = String::from_utf8(event.payload.clone()).unwrap();
        let escape = |it: char| match it.is_ascii() {
            true => it.to_string(),
            false => format!("\\u{:04x}", u32::from(it)),
        };
        // Only what one unit of UTF-16 spells.
        text.chars().all(|it| u32::from(it) < 0xd800).then_some(())?;
        payload(&event, text.chars().map(escape).collect::<String>().into_bytes())
    };
    "line end added", ["payload_space_added"], "White space" =>
        |event| payload(event, [event.payload.as_slice(), b"\n"].concat());
    "CRLF added", ["payload_space_added"], "White space" =>
        |event| payload(event, [event.payload.as_slice(), b"\r\n"].concat());
    "line end lost", ["payload_newline_lost"], "line end" => |event| {
        let signed = with_payload(event, [event.payload.trim_ascii_end(), b"\n"].concat());
        payload(&signed, signed.payload.trim_ascii_end().to_vec())
    };
    "LF became CRLF", ["payload_crlf_made"], "CRLF" =>
        |event| payload(event, replaced(&event.payload, "\n", "\r\n"));
    "CRLF became LF", ["payload_crlf_lost"], "CRLF" => |event| {
        let signed = with_payload(event, replaced(&event.payload, "\n", "\r\n"));
        payload(&signed, event.payload.clone())
    };
    "byte order mark added", ["payload_bom_added"], "byte order mark" =>
        |event| payload(event, [b"\xef\xbb\xbf", event.payload.as_slice()].concat());
    "byte order mark lost", ["payload_bom_lost"], "byte order mark" => |event| {
        let signed = with_payload(event, [b"\xef\xbb\xbf", event.payload.as_slice()].concat());
        payload(&signed, event.payload.clone())
    };
    "HTML-escaped", ["payload_html_escaped"], "HTML" =>
        |event| payload(event, html(&event.payload));
    "URL-encoded as a form", ["payload_url_encoded"], "URL" => |event| {
        let encoded: String = form_urlencoded::byte_serialize(&event.payload).collect();
        payload(event, encoded.into_bytes())
    };
    "URL-encoded as a form's field", ["payload_url_encoded"], "URL" => |event| {
        let text = std::str::from_utf8(&event.payload).unwrap();
        let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC);
        payload(event, format!("payload={encoded}").into_bytes())
    };
    "base64, as API Gateway does", ["payload_base64"], "base64" =>
        |event| payload(event, STANDARD.encode(&event.payload).into_bytes());
    "the whole event of API Gateway", ["payload_wrapped"], "gateway" => |event| {
        let is_base64 = event.number.is_multiple_of(2);
        let body = match is_base64 {
            true => STANDARD.encode(&event.payload),
            false => String::from_utf8(event.payload.clone()).unwrap(),
        };
        let whole = json!({"httpMethod": "POST", "body": body, "isBase64Encoded": is_base64});
        payload(event, whole.to_string().into_bytes())
    };
    "encoded twice: a JSON string", ["payload_json_string"], "twice" => |event| {
        let text = String::from_utf8(event.payload.clone()).unwrap();
        payload(event, json!(text).to_string().into_bytes())
    };
    "encoded twice: UTF-8 read as Latin-1", ["payload_mojibake"], "Latin-1" => |event| {
        let event = with_text(event, "Zoë Müller");
        let text: String = event.payload.iter().copied().map(char::from).collect();
        payload(&event, text.into_bytes())
    };
    "Latin-1", ["payload_latin1"], "Latin-1" => |event| {
        let event = with_text(event, "Zoë Müller");
        let text = String::from_utf8(event.payload.clone()).unwrap();
        let bytes: Option<Vec<u8>> = text.chars().map(|it| u8::try_from(it).ok()).collect();
        payload(&event, bytes?)
    };
    "Python's `str(bytes)`", ["payload_python_bytes"], "Python" => |event| {
        let mut shown = String::from("b'");
        for byte in &event.payload {
            match byte {
                b'\n' => shown.push_str("\\n"),
                b'\'' => shown.push_str("\\'"),
                b'\\' => shown.push_str("\\\\"),
                b' '..=b'~' => shown.push(char::from(*byte)),
                _ => write!(shown, "\\x{byte:02x}").unwrap(),
            }
        }
        payload(event, (shown + "'").into_bytes())
    };
    "cut off at 512 or 1,024 bytes", ["payload_truncated"], "cut off" => |event| {
        let limit = if event.payload.len() > 1_024 { 1_024 } else { 512 };
        payload(event, event.payload.get(..limit)?.to_vec())
    };
    "cut off, Content-Length given", ["payload_truncated"], "Content-Length" => |event| {
        let length = event.payload.len();
        let mut broken = payload(event, event.payload.get(..length * 2 / 3)?.to_vec())?;
        let length = length.to_string().into_bytes();
        broken.delivery.head.push(("content-length".to_owned(), length));
        Some(broken)
    };
    "another endpoint's secret", ["secret_of_another_endpoint"], "another endpoint" => |event| {
        let mut broken = intact(event);
        broken.secrets = vec![
            Secret::new("own", b"whsec_wrongWrongWrongWrongWrongWrong12"),
            Secret::of_another_endpoint("connect", secret(event).as_bytes()),
        ];
        Some(broken)
    };
    "line end behind the secret", ["secret_white_space"], "White space" =>
        |event| given(event, &format!("{}\n", secret(event)));
    "spaces around the secret", ["secret_white_space"], "White space" =>
        |event| given(event, &format!(" {}\u{a0}", secret(event)));
    "quotes around the secret", ["secret_quoted"], "Quotes" =>
        |event| given(event, &format!("\"{}\"", secret(event)));
    "a whole line of an environment file", ["secret_assignment"], "environment file" =>
        |event| given(event, &format!("STRIPE_WEBHOOK_SECRET={}", secret(event)));
    "`whsec_` lost", ["secret_prefix_lost"], "whsec_" =>
        |event| given(event, secret(event).strip_prefix("whsec_").unwrap());
    "`whsec_` twice", ["secret_prefix_added"], "whsec_" =>
        |event| given(event, &format!("whsec_{}", secret(event)));
    "secret decoded from base64", ["secret_decoded_base64"], "decoded" => |event| {
        let text = secret(event);
        let decoded = STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap();
        given_bytes(event, &decoded)
    };
    "secret decoded from hex", ["secret_decoded_hex"], "decoded" => |event| {
        let text = hex::encode(STANDARD.decode(secret(event).trim_start_matches("whsec_")).unwrap());
        let mut broken = signed_with(event, &SigningSecret::new("s", text.as_bytes()).unwrap());
        broken.secrets = vec![Secret::new("own", &hex::decode(text).unwrap())];
        Some(broken)
    };
    "secret encoded to base64", ["secret_encoded_base64"], "base64" =>
        |event| given(event, &STANDARD.encode(secret(event)));
    "secret encoded to hex", ["secret_encoded_hex"], "hex" =>
        |event| given(event, &hex::encode(secret(event)));
    "signed as Standard Webhooks, in Stripe's header", ["secret_of_standard_webhooks"], "Standard Webhooks" =>
        |event| {
            let decoded = SigningSecret::from_base64("s", secret(event).as_bytes()).unwrap();
            Some(signed_with(event, &decoded))
        };
    "signed as Stripe, in the header of Standard Webhooks", ["secret_of_stripe"], "as Stripe" => |event| {
        let signer = SigningSecret::new("s", secret(event).as_bytes()).unwrap();
        Some(standard_webhooks(event, &signer))
    };
    "`t` in milliseconds", ["timestamp_altered"], "milliseconds" =>
        |event| timestamp(event, event.signed_at * 1_000 + 250);
    "`t` in another time zone", ["timestamp_altered"], "time zone" => |event| {
        let quarters = 1 + u64::try_from(event.number % 48).unwrap();
        timestamp(event, event.signed_at + quarters * 900)
    };
    "`t` is the time of arrival", ["timestamp_altered"], "was signed" =>
        |event| timestamp(event, event.signed_at + 12_345 + 7 * u64::try_from(event.number).unwrap());
    "quotes around the header", ["header_wrapped"], "around" =>
        |event| header(event, |it| vec![format!("\"{it}\"")]);
    "the header with its name", ["header_wrapped"], "around" =>
        |event| header(event, |it| vec![format!("Stripe-Signature: {it}")]);
    "the header as a list", ["header_wrapped"], "around" =>
        |event| header(event, |it| vec![format!("['{it}']")]);
    "the header split at its comma", ["header_split"], "split" =>
        |event| header(event, |it| it.split(',').map(str::to_owned).collect());
    "the header percent-encoded", ["header_encoded"], "encoded" =>
        |event| header(event, |it| vec![it.replace('=', "%3D").replace(',', "%2C")]);
    "the header in upper case", ["header_respelled"], "upper case" =>
        |event| header(event, |it| vec![it.replace("v1=", "V1=").to_uppercase()]);
    "the header with semicolons", ["header_respelled"], "separators" =>
        |event| header(event, |it| vec![it.replace(',', "; ")]);
    "GitHub's signature in Stripe's header", ["header_of_another_scheme"], "another scheme" => |event| {
        let signer = SigningSecret::new("s", secret(event).as_bytes()).unwrap();
        let at = Timestamp::from_unix_seconds(event.signed_at);
        let signed = Scheme::Github.sign(&signer, at, RequestHead(&[]), &event.payload);
        header(event, |_| vec![signed[0].1.clone()])
    };
    "only `v0`", ["header_only_v0"], "v0" =>
        |event| header(event, |it| vec![it.replace("v1=", "v0=")]);
    "no `v1`", ["header_without_v1"], "v1" =>
        |event| header(event, |it| vec![it.split(',').next().unwrap().to_owned()]);
    "no header", ["header_missing"], "no signature header" => |event| header(event, |_| vec![]);
    "`v1` cut off", ["header_cut_off"], "cut off" =>
        |event| header(event, |it| vec![it[..40].to_owned()]);
    "two: JSON string of compact JSON", ["payload_json_string", "payload_reserialised"], "twice" => |event| {
        let text = String::from_utf8(event.json.compact()).unwrap();
        payload(event, json!(text).to_string().into_bytes())
    };
    "two: compact, and another endpoint's secret", ["payload_reserialised", "secret_of_another_endpoint"], "compact" =>
        |event| {
            let mut broken = payload(event, event.json.compact())?;
            broken.secrets = vec![
                Secret::new("own", b"whsec_wrongWrongWrongWrongWrongWrong12"),
                Secret::of_another_endpoint("connect", secret(event).as_bytes()),
            ];
            Some(broken)
        };
    "two: `json.dumps`, and a line end behind the secret", ["payload_reserialised", "secret_white_space"], "Python" =>
        |event| {
            let mut broken = payload(event, event.json.as_python())?;
            broken.secrets = vec![Secret::new("own", format!("{}\n", secret(event)).as_bytes())];
            Some(broken)
        };
    "two: base64 with CRLF", ["payload_base64", "payload_crlf_made"], "base64" => |event| {
        let text = replaced(&event.payload, "\n", "\r\n");
        (text != event.payload).then_some(())?;
        payload(event, STANDARD.encode(text).into_bytes())
    };
    "two: HTML-escaped compact JSON", ["payload_html_escaped", "payload_reserialised"], "HTML" =>
        |event| payload(event, html(&event.json.compact()));
    "two: quoted secret, and quoted header", ["header_wrapped", "secret_quoted"], "Quotes" => |event| {
        let mut broken = header(event, |it| vec![format!("'{it}'")])?;
        broken.secrets = vec![Secret::new("own", format!("'{}'", secret(event)).as_bytes())];
        Some(broken)
    };
    "two: byte order mark and CRLF", ["payload_bom_added", "payload_crlf_made"], "byte order mark" => |event| {
        let text = replaced(&event.payload, "\n", "\r\n");
        (text != event.payload).then_some(())?;
        payload(event, [b"\xef\xbb\xbf", text.as_slice()].concat())
    };
    "two: compact, then Latin-1 read wrongly", ["payload_mojibake", "payload_reserialised"], "Latin-1" => |event| {
        let event = with_text(event, "Zoë Müller");
        let text: String = event.json.compact().into_iter().map(char::from).collect();
        payload(&event, text.into_bytes())
    };
}

/// A secret as Stripe's are: 32 characters that happen to be base64.
fn secret(event: &Event) -> String {
    let number = u8::try_from(event.number % 251).unwrap();
    let bytes: [u8; 24] = std::array::from_fn(|index| {
        let index = u8::try_from(index).unwrap();
        number.wrapping_mul(37).wrapping_add(index.wrapping_mul(91)) ^ index
    });
    format!("whsec_{}", STANDARD.encode(bytes))
}

fn signed_with(event: &Event, signer: &SigningSecret) -> Broken {
    let at = Timestamp::from_unix_seconds(event.signed_at);
    let value = sign(signer, at, &event.payload);
    Broken {
        delivery: Delivery {
            head: vec![("stripe-signature".to_owned(), value.into_bytes())],
            payload: event.payload.clone(),
        },
        secrets: vec![Secret::new("own", secret(event).as_bytes())],
        now: event.signed_at + 20,
    }
}

pub(crate) fn intact(event: &Event) -> Broken {
    signed_with(
        event,
        &SigningSecret::new("s", secret(event).as_bytes()).unwrap(),
    )
}

fn standard_webhooks(event: &Event, signer: &SigningSecret) -> Broken {
    let mut broken = intact(event);
    let at = Timestamp::from_unix_seconds(event.signed_at);
    let mut head = vec![("webhook-id".to_owned(), b"msg_1".to_vec())];
    let signed = Scheme::StandardWebhooks.sign(signer, at, RequestHead(&head), &event.payload);
    head.extend(
        signed
            .into_iter()
            .map(|(name, value)| (name, value.into_bytes())),
    );
    broken.delivery.head = head;
    broken
}

fn payload(event: &Event, payload: Vec<u8>) -> Option<Broken> {
    let mut broken = intact(event);
    let differs = payload != event.payload;
    broken.delivery.payload = payload;
    differs.then_some(broken)
}

fn given(event: &Event, secret: &str) -> Option<Broken> {
    given_bytes(event, secret.as_bytes())
}

fn given_bytes(event: &Event, secret: &[u8]) -> Option<Broken> {
    let mut broken = intact(event);
    broken.secrets = vec![Secret::new("own", secret)];
    Some(broken)
}

fn header(event: &Event, change: impl Fn(&str) -> Vec<String>) -> Option<Broken> {
    let mut broken = intact(event);
    let (name, value) = broken.delivery.head.remove(0);
    let values = change(std::str::from_utf8(&value).unwrap());
    let values = values.into_iter();
    broken.delivery.head = values.map(|it| (name.clone(), it.into_bytes())).collect();
    Some(broken)
}

/// Writes another time into the header than was signed.
fn timestamp(event: &Event, time: u64) -> Option<Broken> {
    let signed = format!("t={},", event.signed_at);
    header(event, |it| vec![it.replace(&signed, &format!("t={time},"))])
}

fn with_payload(event: &Event, payload: Vec<u8>) -> Event {
    Event {
        name: event.name.clone(),
        json: event.json.clone(),
        payload,
        ..*event
    }
}

/// Gives an event a text that isn't ASCII, in the form that it has.
fn with_text(event: &Event, text: &str) -> Event {
    let mut json: Json = event.json.clone();
    json.describe(text);
    let json = json.ordered_by_stripe();
    Event {
        name: event.name.clone(),
        payload: json.pretty("  "),
        json,
        ..*event
    }
}

fn replaced(payload: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(payload).unwrap();
    text.replace(from, to).into_bytes()
}

fn html(payload: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(payload).unwrap();
    let text = text
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    text.replace('<', "&lt;").replace('>', "&gt;").into_bytes()
}
