//! Payloads without what may be about a person.
//!
//! What is structure by its name is shown; every other text and number is
//! masked, so that a field that nobody thought of is masked as well. What a
//! false reject costs: a click, on record. What a false accept costs: personal
//! data on a screen.

mod answer;

use std::borrow::Cow;

use maud::{Markup, html};
use serde::{
    Deserializer as _,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

pub(super) use self::answer::answer;

/// Largest payload that is shown, in bytes: a page stays a page.
pub(super) const MAX_BYTES: usize = 262_144;

/// Deepest value that is shown.
const MAX_DEPTH: usize = 48;

/// Longest text that is structure.
const MAX_TEXT: usize = 255;

/// Longest text that is written, in bytes: indentation makes a payload longer.
const MAX_WRITTEN: usize = 524_288;

/// Deepest indentation.
const MAX_INDENT: usize = 12;

/// Fields whose values are structure: types, states, amounts, times.
const STRUCTURE: [&str; 44] = [
    "amount",
    "amount_captured",
    "amount_due",
    "amount_paid",
    "amount_received",
    "amount_refunded",
    "amount_remaining",
    "api_version",
    "arrival_date",
    "attempt_count",
    "billing_reason",
    "cancel_at",
    "canceled_at",
    "capture_method",
    "collection_method",
    "confirmation_method",
    "created",
    "currency",
    "current_period_end",
    "current_period_start",
    "decline_code",
    "due_date",
    "ended_at",
    "expires_at",
    "failure_code",
    "fee",
    "interval",
    "interval_count",
    "mode",
    "net",
    "next_payment_attempt",
    "object",
    "payment_status",
    "pending_webhooks",
    "period_end",
    "period_start",
    "quantity",
    "source_type",
    "start_date",
    "status",
    "subtotal",
    "total",
    "type",
    "unit_amount",
];

/// Fields that refer to an object, if their value is formed like an object's ID:
/// others write names, numbers of accounts and addresses there.
const REFERENCES: [&str; 23] = [
    "account",
    "application_fee",
    "balance_transaction",
    "charge",
    "checkout_session",
    "context",
    "customer",
    "dispute",
    "event",
    "id",
    "invoice",
    "latest_charge",
    "latest_invoice",
    "payment_intent",
    "payment_method",
    "payout",
    "plan",
    "price",
    "product",
    "refund",
    "setup_intent",
    "subscription",
    "transfer",
];

/// Objects whose keys and values somebody else chose: nothing in them is
/// structure.
const FREE: [&str; 3] = ["metadata", "custom_fields", "custom_text"];

/// Says how much of a payload is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Structure alone.
    Masked,
    /// Everything.
    Whole,
}

/// Writes a payload as indented JSON.
pub(super) fn payload(payload: &[u8], shown: Shown) -> Markup {
    let too_long = || {
        html! {
            p { "The payload is " (payload.len()) " bytes long, too long for this page: "
                code { "hookgate event --payload" } " prints it." }
        }
    };
    if payload.len() > MAX_BYTES {
        return too_long();
    }
    let mut text = String::new();
    let mut masked = 0;
    let mut writer = Writer {
        text: &mut text,
        masked: &mut masked,
        shown,
    };
    let is_json = serde_json::from_slice::<&RawValue>(payload)
        .is_ok_and(|value| writer.value(value, Place::Named(""), 0).is_some());
    if !is_json {
        return match (shown, std::str::from_utf8(payload)) {
            (Shown::Whole, Ok(text)) => {
                html! { pre role="region" tabindex="0" aria-label="Payload as JSON" { (text) } }
            }
            _ => html! { p { "The payload is no JSON; " (payload.len()) " bytes are masked." } },
        };
    }
    if text.len() > MAX_WRITTEN {
        return too_long();
    }
    html! {
        pre role="region" tabindex="0" aria-label="Payload as JSON" { (text) }
        @if shown == Shown::Masked {
            p.note { (masked) " values that may be about a person are masked as •••." }
        }
    }
}

/// Says where a value is.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// Under this key.
    Named(&'a str),
    /// Within an object that somebody else filled.
    Free,
}

struct Writer<'a> {
    text: &'a mut String,
    masked: &'a mut usize,
    shown: Shown,
}

impl Writer<'_> {
    /// `None`: it is no JSON after all.
    fn value(&mut self, value: &RawValue, place: Place<'_>, depth: usize) -> Option<()> {
        if self.text.len() > MAX_WRITTEN {
            return Some(());
        }
        let raw = value.get();
        let mut json = serde_json::Deserializer::from_str(raw);
        match raw.as_bytes().first()? {
            b'{' | b'[' if depth >= MAX_DEPTH => self.mask(),
            b'{' => {
                let fields = json.deserialize_map(Fields).ok()?;
                self.list(&fields, ['{', '}'], depth, |writer, (key, value)| {
                    writer.field(key, value, place, depth + 1)
                })?;
            }
            b'[' => {
                let items = json.deserialize_seq(Items).ok()?;
                self.list(&items, ['[', ']'], depth, |writer, value| {
                    writer.value(value, place, depth + 1)
                })?;
            }
            b't' | b'f' | b'n' if !matches!(place, Place::Free) => self.text.push_str(raw),
            _ if self.shown == Shown::Whole || is_structure(raw, place) => {
                self.text.push_str(raw);
            }
            _ => self.mask(),
        }
        Some(())
    }

    fn field(&mut self, key: &str, value: &RawValue, place: Place<'_>, depth: usize) -> Option<()> {
        let is_free = matches!(place, Place::Free);
        if self.shown == Shown::Whole || !is_free && is_name(key) {
            self.text.push_str(&serde_json::to_string(key).ok()?);
        } else {
            self.mask();
        }
        self.text.push_str(": ");
        let place = if is_free || FREE.contains(&key) {
            Place::Free
        } else {
            Place::Named(key)
        };
        self.value(value, place, depth)
    }

    fn list<T>(
        &mut self,
        items: &[T],
        [open, close]: [char; 2],
        depth: usize,
        mut write: impl FnMut(&mut Self, &T) -> Option<()>,
    ) -> Option<()> {
        self.text.push(open);
        for (number, item) in items.iter().enumerate() {
            self.text.push_str(if number == 0 { "\n" } else { ",\n" });
            self.indent(depth + 1);
            write(self, item)?;
        }
        if !items.is_empty() {
            self.text.push('\n');
            self.indent(depth);
        }
        self.text.push(close);
        Some(())
    }

    fn indent(&mut self, depth: usize) {
        (0..depth.min(MAX_INDENT)).for_each(|_| self.text.push_str("  "));
    }

    fn mask(&mut self) {
        *self.masked += 1;
        self.text.push_str("•••");
    }
}

/// Tells whether a text or a number is structure: by its name, and by its form.
fn is_structure(raw: &str, place: Place<'_>) -> bool {
    let Place::Named(name) = place else {
        return false;
    };
    let text = raw.trim_matches('"');
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    if REFERENCES.binary_search(&name).is_ok() {
        return is_reference(text);
    }
    STRUCTURE.binary_search(&name).is_ok() && text.len() <= MAX_TEXT && text.bytes().all(is_of_word)
}

/// Tells whether a text is formed like the ID of an object of Stripe's, such as
/// `cus_…` or `pi_3N…`.
fn is_reference(text: &str) -> bool {
    let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.split_once('_').is_some_and(|(kind, rest)| {
        (2..=MAX_TEXT).contains(&kind.len())
            && kind.bytes().all(|byte| byte.is_ascii_lowercase())
            && (1..=MAX_TEXT).contains(&rest.len())
            && rest.bytes().all(is_of_id)
    })
}

/// Tells whether a key is one that a programmer chose.
fn is_name(key: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = key
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    begins && key.len() <= 64 && key.bytes().all(is_of_name)
}

/// Reads an object in its order, twice where a key comes twice.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            fields.push((Cow::Owned(key), map.next_value()?));
        }
        Ok(fields)
    }
}

/// Reads a list.
struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element()? {
            found.push(item);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MAX_WRITTEN, REFERENCES, STRUCTURE, Shown, payload};

    fn shown(value: &serde_json::Value, shown: Shown) -> String {
        payload(value.to_string().as_bytes(), shown).into_string()
    }

    #[test]
    fn the_list_can_be_searched() {
        assert!(STRUCTURE.is_sorted() && REFERENCES.is_sorted());
    }

    #[test]
    fn masks_what_may_be_about_a_person_and_shows_structure() {
        let event = json!({
            "id": "evt_1", "object": "event", "type": "charge.succeeded", "created": 1_760_000_000,
            "data": {"object": {
                "id": "ch_1", "amount": 1999, "currency": "eur", "customer": "cus_1", "paid": true,
                "status": "an odd <status> of x@example.com",
                "billing_details": {"email": "pii-1@example.com", "name": "pii-2", "phone": "+49pii-3",
                    "address": {"line1": "pii-4", "postal_code": "pii-5", "country": "DE"}},
                "payment_method_details": {"card": {"last4": "4242", "fingerprint": "pii-6"}},
                "receipt_email": "pii-7", "description": "pii-8", "client_secret": "pi_1_secret_pii-9",
                "metadata": {"id": "pii-10", "customer": "pii-11", "pii-12@example.com": "x", "hiv": true},
                "4915112345678": 1, "account": "DE89370400440532013000", "plan": "john.smith",
                "code": "493021", "invoice": ["4915112345678"],
                "pii-13@example.com": 1, "dob": {"year": 1901},
                "list": [{"ip": "203.0.113.9"}, "pii-14"],
            }},
        });
        let masked = shown(&event, Shown::Masked);
        for wanted in [
            "evt_1",
            "charge.succeeded",
            "1760000000",
            "ch_1",
            "1999",
            "eur",
            "cus_1",
            "true",
        ] {
            assert!(masked.contains(wanted), "{wanted}: {masked}");
        }
        for hidden in [
            "pii",
            "4242",
            "1901",
            "203.0",
            "DE",
            "x@example",
            "odd",
            "49",
            "john",
            "hiv",
        ] {
            assert!(!masked.contains(hidden), "{hidden}: {masked}");
        }
        let whole = shown(&event, Shown::Whole);
        for number in 1..=14 {
            assert!(whole.contains(&format!("pii-{number}")), "{number}");
        }
    }

    #[test]
    fn what_is_deep_long_or_no_json_shows_nothing() {
        let mut deep = json!("pii");
        for _ in 0..100 {
            deep = json!({ "id": deep });
        }
        assert!(!shown(&deep, Shown::Masked).contains("pii"));
        let no_json = payload(b"pii", Shown::Masked).into_string();
        assert!(!no_json.contains("pii"), "{no_json}");
        // Short itself, and long once it is indented.
        let wide = format!(
            "{}1{}",
            "[".repeat(40),
            ",1".repeat(100_000) + &"]".repeat(40)
        );
        let wide = payload(wide.as_bytes(), Shown::Whole).into_string();
        assert!(
            wide.contains("too long") && wide.len() < MAX_WRITTEN,
            "{}",
            wide.len()
        );
        let long = format!("\"{}\"", "pii".repeat(100_000));
        let long = payload(long.as_bytes(), Shown::Whole).into_string();
        assert!(!long.contains("pii"), "{long}");
    }

    #[test]
    fn what_is_no_text_for_a_page_is_escaped() {
        let event = json!({"<script>": "<script>alert(1)</script>"});
        let whole = shown(&event, Shown::Whole);
        assert!(!whole.contains("<script>"), "{whole}");
        assert!(whole.contains("&lt;script&gt;alert(1)"), "{whole}");
    }
}
