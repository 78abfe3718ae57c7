//! One alteration of the whole payload, and back.

use alloc::{string::String, vec::Vec};

use serde::Deserialize;

use crate::text;

/// Names what was done to a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A line end was added at its end, or more white space around it.
    SpaceAdded,
    /// The line end at its end was lost.
    NewlineLost,
    /// LF became CRLF.
    CrlfMade,
    /// CRLF became LF.
    CrlfLost,
    /// A byte order mark was put in front.
    BomAdded,
    /// The byte order mark in front was lost.
    BomLost,
    /// Characters became HTML's references.
    HtmlEscaped,
    /// It went through a form, or a URL.
    UrlEncoded,
    /// It is base64.
    Base64,
    /// It is a JSON string that holds the JSON.
    JsonString,
    /// UTF-8 was read as Latin-1 and written as UTF-8.
    Mojibake,
    /// It is Latin-1.
    Latin1,
    /// It is the whole event that API Gateway hands to a function.
    Wrapped,
    /// It is how Python shows bytes.
    PythonBytes,
}

/// Returns every payload from which one step leads to this one.
pub(crate) fn undo(payload: &[u8]) -> Vec<(Step, Vec<u8>)> {
    let mut found: Vec<(Step, Vec<u8>)> = Vec::new();
    let mut add = |step, bytes: Option<Vec<u8>>| {
        // One way is enough, and nothing is gained by an empty payload.
        let is_new = |bytes: &Vec<u8>| {
            *bytes != payload && !bytes.is_empty() && found.iter().all(|(_, other)| other != bytes)
        };
        found.extend(bytes.filter(is_new).map(|bytes| (step, bytes)));
    };
    add(Step::JsonString, json_string(payload));
    add(Step::Base64, base64(payload));
    for bytes in wrapped(payload) {
        add(Step::Wrapped, Some(bytes));
    }
    for form in [true, false] {
        for bytes in url(payload, form) {
            add(Step::UrlEncoded, Some(bytes));
        }
    }
    let ended = |end: &[u8]| Some([payload, end].concat());
    let strip = |end: &[u8]| payload.strip_suffix(end).map(Vec::from);
    add(Step::SpaceAdded, strip(b"\n"));
    add(Step::SpaceAdded, strip(b"\r\n"));
    add(Step::SpaceAdded, Some(payload.trim_ascii_end().to_vec()));
    add(Step::SpaceAdded, Some(payload.trim_ascii().to_vec()));
    add(Step::NewlineLost, ended(b"\n"));
    add(Step::NewlineLost, ended(b"\r\n"));
    add(Step::CrlfMade, without_cr(payload));
    add(Step::CrlfLost, with_cr(payload));
    let without_mark = payload.strip_prefix(text::BYTE_ORDER_MARK);
    add(Step::BomAdded, without_mark.map(Vec::from));
    add(
        Step::BomLost,
        without_mark
            .is_none()
            .then(|| [text::BYTE_ORDER_MARK, payload].concat()),
    );
    add(Step::HtmlEscaped, text::from_html(payload));
    add(Step::Mojibake, text::from_mojibake(payload));
    add(Step::Latin1, text::from_latin1(payload));
    add(Step::PythonBytes, python_bytes(payload));
    found
}

fn without_cr(payload: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(payload.len());
    for (index, &byte) in payload.iter().enumerate() {
        if byte != b'\r' || payload.get(index + 1) != Some(&b'\n') {
            out.push(byte);
        }
    }
    (out.len() < payload.len()).then_some(out)
}

fn with_cr(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.contains(&b'\r') || !payload.contains(&b'\n') {
        return None;
    }
    let mut out = Vec::with_capacity(payload.len() + payload.len() / 16);
    for &byte in payload {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    Some(out)
}

/// Reads a JSON string, or what is left of one whose quotes were taken off.
fn json_string(payload: &[u8]) -> Option<Vec<u8>> {
    let payload = payload.trim_ascii();
    let text = if payload.starts_with(b"\"") {
        serde_json::from_slice::<String>(payload).ok()?
    } else if contains(payload, b"\\\"") && !payload.contains(&b'\n') {
        serde_json::from_slice(&[b"\"", payload, b"\""].concat()).ok()?
    } else {
        return None;
    };
    Some(text.into_bytes())
}

fn base64(payload: &[u8]) -> Option<Vec<u8>> {
    let text = payload.trim_ascii();
    let text = text
        .strip_prefix(b"\"")
        .and_then(|it| it.strip_suffix(b"\""))
        .unwrap_or(text);
    // `data:application/json;base64,…`
    let text = match text.starts_with(b"data:") {
        true => text.splitn(2, |&byte| byte == b',').nth(1)?,
        false => text,
    };
    // What decodes to noise wasn't encoded.
    text::from_base64(text).filter(|it| it.len() >= 2 && str::from_utf8(it).is_ok())
}

/// Decodes the whole, what follows a form's `name=`, and what precedes the `=` that
/// is left where a body was taken for a name.
fn url(payload: &[u8], form: bool) -> Vec<Vec<u8>> {
    let whole = text::from_percent(payload, form);
    let behind = payload
        .iter()
        .take(64)
        .position(|&byte| byte == b'=')
        .and_then(|at| payload.get(at + 1..))
        .and_then(|value| text::from_percent(value, form));
    let before = payload.strip_suffix(b"=");
    let before = before.and_then(|name| text::from_percent(name, form));
    [before, whole, behind].into_iter().flatten().collect()
}

/// What API Gateway and other front ends put around a body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapping {
    #[serde(alias = "rawBody")]
    body: String,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

fn wrapped(payload: &[u8]) -> Vec<Vec<u8>> {
    if !payload.trim_ascii_start().starts_with(b"{") {
        return Vec::new();
    }
    let Ok(wrapping) = serde_json::from_slice::<Wrapping>(payload) else {
        return Vec::new();
    };
    let decoded = match wrapping.is_base64_encoded {
        Some(true) => text::from_base64(wrapping.body.as_bytes()),
        _ => None,
    };
    decoded
        .into_iter()
        .chain([wrapping.body.into_bytes()])
        .collect()
}

/// Reads `b'…'` as `str(body)` writes it.
fn python_bytes(payload: &[u8]) -> Option<Vec<u8>> {
    let inside = match payload.trim_ascii() {
        [b'b', b'\'', inside @ .., b'\''] | [b'b', b'"', inside @ .., b'"'] => inside,
        _ => return None,
    };
    let mut out = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'\\' {
            out.push(first);
            continue;
        }
        let (&kind, tail) = rest.split_first()?;
        rest = tail;
        out.push(match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' | b'\'' | b'"' => kind,
            b'x' => {
                let (digits, tail) = rest.split_at_checked(2)?;
                rest = tail;
                *text::from_hex(digits)?.first()?
            }
            _ => return None,
        });
    }
    Some(out)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|it| it == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_back_from_each_step() {
        for (step, altered, signed) in [
            (Step::SpaceAdded, "{}\n", "{}"),
            (Step::SpaceAdded, "{}\r\n", "{}"),
            (Step::SpaceAdded, " {} \n", "{}"),
            (Step::NewlineLost, "{}", "{}\n"),
            (Step::CrlfMade, "{\r\n}", "{\n}"),
            (Step::CrlfLost, "{\n}", "{\r\n}"),
            (Step::BomAdded, "\u{feff}{}", "{}"),
            (Step::BomLost, "{}", "\u{feff}{}"),
            (Step::HtmlEscaped, "{&quot;a&quot;:1}", "{\"a\":1}"),
            (Step::UrlEncoded, "%7B%22a+b%22%3A1%7D", "{\"a b\":1}"),
            (Step::UrlEncoded, "payload=%7B%7D", "{}"),
            (Step::UrlEncoded, "%7B%22a%22%3A1%7D=", "{\"a\":1}"),
            (Step::Base64, "eyJhIjoxfQ==", "{\"a\":1}"),
            (
                Step::Base64,
                "data:application/json;base64,eyJhIjoxfQ==",
                "{\"a\":1}",
            ),
            (Step::JsonString, r#""{\"a\":\"\u00e4\"}""#, "{\"a\":\"ä\"}"),
            (Step::JsonString, r#"{\"a\":1}"#, "{\"a\":1}"),
            (Step::Mojibake, "{\"a\":\"Ã¤\"}", "{\"a\":\"ä\"}"),
            (
                Step::Wrapped,
                r#"{"body":"{\n}","isBase64Encoded":false}"#,
                "{\n}",
            ),
            (
                Step::Wrapped,
                r#"{"body":"eyJhIjoxfQ==","isBase64Encoded":true}"#,
                "{\"a\":1}",
            ),
            (
                Step::PythonBytes,
                r#"b'{\n "a": "\xc3\xa4\'"}'"#,
                "{\n \"a\": \"ä'\"}",
            ),
        ] {
            let found = undo(altered.as_bytes());
            let expected = (step, signed.as_bytes().to_vec());
            assert!(found.contains(&expected), "{altered}");
        }
        let found = undo(b"{\"a\":\"\xe4\"}");
        assert!(found.contains(&(Step::Latin1, "{\"a\":\"ä\"}".as_bytes().to_vec())));
    }
}
