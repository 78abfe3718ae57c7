//! How the headers of a delivery may have been altered, and back.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use hookgate_core::{request::RequestHead, scheme::Scheme, time::Timestamp};

use crate::{input, text};

/// Names what was done to the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Quotes, brackets, white space or the header's own name stand around it.
    Wrapped,
    /// It came as several values.
    Split,
    /// It is percent-encoded or HTML-escaped.
    Encoded,
    /// Its separators, its keys or its digits are written otherwise.
    Respelled,
    /// It stands under the name of another scheme's header.
    Renamed,
    /// `t` is in milliseconds.
    Milliseconds,
    /// `t` is off by so many minutes: a time zone.
    Zone(i64),
    /// `t` is another number: this one was signed.
    Time(u64),
}

pub(crate) type Head = Vec<(String, Vec<u8>)>;

/// Holds headers that may have been sent.
pub(crate) struct Candidate {
    pub(crate) scheme: Scheme,
    pub(crate) changes: Vec<Change>,
    pub(crate) head: Head,
}

/// Returns the headers as they are, and as they may have been, where that differs and
/// the scheme can read them.
pub(crate) fn candidates(scheme: &Scheme, head: &Head) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    let mut add = |scheme: Scheme, changes: Vec<Change>, head: Head| {
        let is_new = found.iter().all(|other| other.head != head);
        if is_new && scheme.read(RequestHead(&head)).is_ok() {
            found.push(Candidate {
                scheme,
                changes,
                head,
            });
        }
    };
    add(scheme.clone(), Vec::new(), head.clone());
    let name = scheme.signature_header();
    let values: Vec<&[u8]> = values(head, name).collect();
    let Some(first) = values.first() else {
        return found;
    };
    let joined = values.join(&b","[..]);
    let value: &[u8] = if values.len() > 1 { &joined } else { first };
    let (mut changes, value) = bare(value);
    if values.len() > 1 {
        changes.insert(0, Change::Split);
    }
    if let Some(real) = input::scheme_by_form(&value).filter(|real| real != scheme) {
        let mut moved = without(head, name);
        moved.push((real.signature_header().to_string(), value.clone()));
        let changes = changes.iter().copied().chain([Change::Renamed]).collect();
        add(real, changes, moved);
    }
    let replaced = |value: Vec<u8>| {
        let mut head = without(head, name);
        head.push((name.to_string(), value));
        head
    };
    if *scheme == Scheme::Stripe {
        let Some(respelled) = respelled(&value) else {
            return found;
        };
        if respelled != value {
            changes.push(Change::Respelled);
        }
        add(scheme.clone(), changes, replaced(respelled));
    } else {
        add(scheme.clone(), changes, replaced(value));
    }
    found
}

fn values<'a>(head: &'a Head, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let ours = head
        .iter()
        .filter(move |(key, _)| key.eq_ignore_ascii_case(name));
    ours.map(|(_, value)| value.as_slice())
}

fn without(head: &Head, name: &str) -> Head {
    let others = head
        .iter()
        .filter(|(key, _)| !key.eq_ignore_ascii_case(name));
    others.cloned().collect()
}

/// Takes off what doesn't belong to a value.
fn bare(value: &[u8]) -> (Vec<Change>, Vec<u8>) {
    let mut changes = Vec::new();
    let mut note = |change| {
        if !changes.contains(&change) {
            changes.push(change);
        }
    };
    let mut value = value.to_vec();
    // Each round takes something off or ends it.
    for _ in 0..4 {
        let decoded = match value.contains(&b'%') {
            true => text::from_percent(&value, false),
            false => None,
        };
        if let Some(decoded) = decoded.or_else(|| text::from_html(&value)) {
            note(Change::Encoded);
            value = decoded;
        }
        let mut inner = value.trim_ascii();
        let lower = inner.to_ascii_lowercase();
        let named = [
            &b"stripe-signature"[..],
            b"http_stripe_signature",
            b"webhook-signature",
        ];
        let named = named.iter().find(|name| lower.starts_with(name));
        if let Some(name) = named {
            let behind = inner.get(name.len()..).unwrap_or_default().trim_ascii();
            if let [b':' | b'=', behind @ ..] = behind {
                inner = behind.trim_ascii();
            }
        }
        inner = match inner {
            [b'b', b'\'', inner @ .., b'\'']
            | [b'b', b'"', inner @ .., b'"']
            | [b'\'', inner @ .., b'\'']
            | [b'"', inner @ .., b'"']
            | [b'[', inner @ .., b']']
            | [b'(', inner @ .., b')']
            | [b'{', inner @ .., b'}'] => inner,
            inner => inner,
        };
        if inner.len() == value.len() {
            break;
        }
        // What HTTP itself takes off is no change.
        if inner.len() != value.trim_ascii().len() {
            note(Change::Wrapped);
        }
        value = inner.to_vec();
    }
    (changes, value)
}

/// Finds `t` and every `v1` in a header of Stripe's, however it is spelled, and spells
/// it as Stripe does.
fn respelled(value: &[u8]) -> Option<Vec<u8>> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    let words: Vec<String> = value
        .split(|&byte| !is_word(byte))
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
        .collect();
    let mut items = Vec::new();
    let mut has_time = false;
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        match (word, words.peek()) {
            ("t" | "timestamp", Some(digits)) if !has_time && is_number(digits) => {
                has_time = true;
                items.push(format!("t={digits}"));
                words.next();
            }
            ("v1", Some(digest)) if is_digest(digest) => {
                items.push(format!("v1={digest}"));
                words.next();
            }
            _ => {}
        }
    }
    has_time.then(|| items.join(",").into_bytes())
}

fn is_number(word: &str) -> bool {
    (1..=16).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_digest(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Most numbers beyond the payload's own time that are tried for `t`, in seconds.
const SECONDS_AFTER: u64 = 90;

/// Returns the same headers with other times, where the scheme signs one: what it may
/// have been before a time zone or another unit got at it, and the seconds in which an
/// event of this age is first sent.
pub(crate) fn with_other_times(given: &Candidate, created: Option<u64>) -> Vec<Candidate> {
    let Some((signed_at, digits)) = time(given) else {
        return Vec::new();
    };
    let mut times = Vec::new();
    if digits >= 13 {
        times.push((Change::Milliseconds, signed_at / 1_000));
    }
    let quarters = (1..=56).flat_map(|quarter| [-quarter, quarter]);
    for quarter in quarters {
        let minutes = quarter * 15;
        let seconds = signed_at.checked_add_signed(-minutes * 60);
        times.extend(seconds.map(|seconds| (Change::Zone(minutes), seconds)));
    }
    if let Some(created) = created {
        let after = (0..=SECONDS_AFTER).map(|more| created.saturating_add(more));
        times.extend(after.map(|seconds| (Change::Time(seconds), seconds)));
    }
    let near = (1..=5).flat_map(|by| [signed_at.saturating_sub(by), signed_at.saturating_add(by)]);
    times.extend(near.map(|seconds| (Change::Time(seconds), seconds)));
    let with = |(change, seconds)| {
        let mut changes = given.changes.clone();
        changes.push(change);
        let head = replace_time(given, seconds)?;
        let readable = given.scheme.read(RequestHead(&head)).is_ok();
        readable.then(|| Candidate {
            scheme: given.scheme.clone(),
            changes,
            head,
        })
    };
    times.into_iter().filter_map(with).collect()
}

/// The header that holds the time, where it isn't the signature's own.
fn time_header(scheme: &Scheme) -> Option<&'static str> {
    match scheme {
        Scheme::StandardWebhooks => Some("webhook-timestamp"),
        Scheme::Slack => Some("x-slack-request-timestamp"),
        _ => None,
    }
}

/// Returns the time that a delivery names, and its digits.
fn time(given: &Candidate) -> Option<(u64, usize)> {
    let digits = match (&given.scheme, time_header(&given.scheme)) {
        (Scheme::Stripe, _) => {
            let value = values(&given.head, given.scheme.signature_header()).next()?;
            let items = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            items.filter_map(|item| item.strip_prefix(b"t=")).next()?
        }
        (_, Some(name)) => values(&given.head, name).next()?,
        _ => return None,
    };
    let digits = str::from_utf8(digits).ok().filter(|it| is_number(it))?;
    Some((digits.parse().ok()?, digits.len()))
}

fn replace_time(given: &Candidate, seconds: u64) -> Option<Head> {
    let (name, value) = match (&given.scheme, time_header(&given.scheme)) {
        (Scheme::Stripe, _) => {
            let name = given.scheme.signature_header();
            let value = values(&given.head, name).next()?;
            let items = value.split(|&byte| byte == b',').map(|item| {
                match item.trim_ascii().starts_with(b"t=") {
                    true => format!("t={seconds}").into_bytes(),
                    false => item.to_vec(),
                }
            });
            (name, items.collect::<Vec<_>>().join(&b","[..]))
        }
        (_, Some(name)) => (name, seconds.to_string().into_bytes()),
        _ => return None,
    };
    let mut head = without(&given.head, name);
    head.push((name.to_string(), value));
    Some(head)
}

/// Returns headers whose time has too many digits for the scheme, for
/// [`with_other_times`] alone.
pub(crate) fn with_unreadable_time(scheme: &Scheme, head: &Head) -> Option<Candidate> {
    let name = scheme.signature_header();
    let mut given = Candidate {
        scheme: scheme.clone(),
        changes: Vec::new(),
        head: head.clone(),
    };
    if *scheme == Scheme::Stripe {
        let (changes, value) = bare(values(head, name).next()?);
        given.head = without(head, name);
        given.head.push((name.to_string(), respelled(&value)?));
        given.changes = changes;
    }
    let (_, digits) = time(&given)?;
    (digits >= 13).then_some(given)
}

/// Says how old a time is by the `created` of the event in the payload, in unix seconds.
pub(crate) fn created(payload: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"created\"";
    let at = payload.windows(KEY.len()).position(|it| it == KEY)?;
    let value = payload.get(at + KEY.len()..)?.trim_ascii_start();
    let value = value.strip_prefix(b":")?.trim_ascii_start();
    if let Some(text) = value.strip_prefix(b"\"") {
        let end = text.iter().position(|&byte| byte == b'"')?;
        let text = str::from_utf8(text.get(..end)?).ok()?;
        return Timestamp::parse_rfc3339(text).map(Timestamp::unix_seconds);
    }
    let count = value
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let digits = str::from_utf8(value.get(..count)?).ok()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn head(values: &[&str]) -> Head {
        let values = values.iter();
        values
            .map(|value| ("stripe-signature".to_string(), value.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn leads_back_from_each_change() {
        let sent = format!("t=1700000000,v1={DIGEST}");
        let upper = DIGEST.to_uppercase();
        for (values, changes) in [
            (&[format!("\"{sent}\"")][..], vec![Change::Wrapped]),
            (
                &[format!("Stripe-Signature: {sent}")],
                vec![Change::Wrapped],
            ),
            (&[format!("['{sent}']")], vec![Change::Wrapped]),
            (&[format!("b'{sent}'")], vec![Change::Wrapped]),
            (
                &["t=1700000000".into(), format!("v1={DIGEST}")],
                vec![Change::Split],
            ),
            (
                &[sent.replace('=', "%3D").replace(',', "%2C")],
                vec![Change::Encoded],
            ),
            (&[sent.replace(',', ";")], vec![Change::Respelled]),
            (&[sent.replace('=', ": ")], vec![Change::Respelled]),
            (
                &[format!("t=1700000000,v1=\"{DIGEST}\"")],
                vec![Change::Respelled],
            ),
            (
                &[format!("T=1700000000, V1={upper}")],
                vec![Change::Respelled],
            ),
        ] {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let found = candidates(&Scheme::Stripe, &head(&values));
            let found = found.iter().find(|it| it.changes == changes);
            let found = found.unwrap_or_else(|| panic!("{values:?}"));
            assert_eq!(found.head, head(&[&sent]), "{values:?}");
        }
        let found = candidates(&Scheme::Stripe, &head(&[&format!("sha256={DIGEST}")]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].changes, [Change::Renamed]);
        assert_eq!(found[0].scheme, Scheme::Github);
    }

    #[test]
    fn tries_zones_units_and_the_first_seconds_of_an_event() {
        let given = candidates(
            &Scheme::Stripe,
            &head(&[&format!("t=1700003600,v1={DIGEST}")]),
        );
        let found = with_other_times(&given[0], Some(1_600_000_000));
        for (change, seconds) in [
            (Change::Zone(60), 1_700_000_000),
            (Change::Zone(-345), 1_700_003_600 + 345 * 60),
            (Change::Time(1_600_000_007), 1_600_000_007),
        ] {
            let it = found.iter().find(|it| it.changes == [change]).unwrap();
            assert_eq!(it.head, head(&[&format!("t={seconds},v1={DIGEST}")]));
        }
        let millis = head(&[&format!("t=1700000000123,v1={DIGEST}")]);
        let given = with_unreadable_time(&Scheme::Stripe, &millis).unwrap();
        let found = with_other_times(&given, None);
        assert_eq!(found[0].changes, [Change::Milliseconds]);
        assert_eq!(found[0].head, head(&[&format!("t=1700000000,v1={DIGEST}")]));
    }

    #[test]
    fn reads_when_an_event_was_made() {
        assert_eq!(created(b"{\"created\" : 17, "), Some(17));
        assert_eq!(
            created(b"{\"created\":\"2026-01-01T00:00:00Z\"}"),
            Some(1_767_225_600)
        );
        assert_eq!(created(b"{\"created\":null}"), None);
    }
}
