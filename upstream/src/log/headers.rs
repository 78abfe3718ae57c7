//! What a broker keeps of an event beside its payload: CloudEvents in binary
//! mode, by the names of the HTTP binding. Each broker's module maps the names
//! as its own binding has them.

use std::borrow::Cow;

use hookgate_core::{
    identity::Source, protection::HELD_FOR_HEADER, time::Timestamp, trace::TraceParent,
};

use super::{Attributes, Damage, Entry, HeldFor, Origin, UNSIGNED};

/// What `ce-source` is, before the source's name.
const SOURCE_PREFIX: &str = "/hookgate/";

/// Carries the signature header, whatever the sender calls it.
pub(super) const SIGNATURE: &str = "ce-signature";

/// How the event came, unless it was delivered.
pub(super) const ORIGIN: &str = "ce-origin";

/// What carried it while every event was Stripe's.
pub(super) const EARLIER_SIGNATURE: &str = "stripe-signature";

/// Writes the headers of an event.
pub(super) fn write(attributes: &Attributes) -> Vec<(&'static str, Cow<'_, str>)> {
    let mut headers: Vec<(&'static str, Cow<'_, str>)> = vec![
        ("content-type", "application/json".into()),
        ("ce-specversion", "1.0".into()),
        ("ce-id", attributes.id.as_str().into()),
        ("ce-type", attributes.type_name.as_str().into()),
        (
            "ce-source",
            format!("{SOURCE_PREFIX}{}", attributes.source).into(),
        ),
        ("ce-endpoint", attributes.endpoint.as_str().into()),
        ("ce-receivedat", attributes.received_at.to_string().into()),
        ("ce-sha256", attributes.sha256.to_string().into()),
    ];
    match attributes.origin.name() {
        Some(origin) => headers.push((ORIGIN, origin.into())),
        None => headers.extend([
            ("ce-secretname", attributes.secret_name.as_str().into()),
            (SIGNATURE, attributes.signature.as_str().into()),
        ]),
    }
    if let Some(held_for) = attributes.held_for {
        headers.push((HELD_FOR_HEADER, held_for.name().into()));
    }
    if attributes.unsigned_attributes {
        headers.push(("ce-unsigned", UNSIGNED.into()));
    }
    if let Some(signed_at) = attributes.signed_at {
        headers.push(("ce-signedat", signed_at.to_string().into()));
    }
    if let Some(account) = &attributes.account {
        headers.push(("ce-account", account.as_str().into()));
    }
    if let Some(livemode) = attributes.livemode {
        headers.push(("ce-livemode", livemode.to_string().into()));
    }
    if let Some(time) = attributes.time {
        headers.push(("ce-time", time.to_string().into()));
    }
    if let Some(traceparent) = &attributes.traceparent {
        headers.push(("traceparent", traceparent.as_str().into()));
    }
    headers
}

/// Reads an event back from its headers.
///
/// # Errors
/// [`Damage::Field`] if a header is missing or not as [`write()`] has it.
pub(super) fn read<'a>(
    sequence: u64,
    stored_at: Timestamp,
    size: u64,
    header: impl Fn(&str) -> Option<&'a str>,
) -> Result<Entry, Damage> {
    let damage = |field| Damage::Field { sequence, field };
    let required = |field| header(field).ok_or(damage(field));
    let time = |field| Timestamp::parse_rfc3339(required(field)?).ok_or(damage(field));
    let livemode = match header("ce-livemode") {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(damage("ce-livemode")),
    };
    let traceparent = header("traceparent")
        .map(|value| TraceParent::parse(value.as_bytes()).ok_or(damage("traceparent")))
        .transpose()?;
    let origin = Origin::named(header(ORIGIN)).ok_or(damage(ORIGIN))?;
    let held_for = HeldFor::named(header(HELD_FOR_HEADER), origin);
    let held_for = held_for.ok_or(damage(HELD_FOR_HEADER))?;
    // What only a delivery has.
    let delivered = |value: Option<&str>, field| match (origin, value) {
        (Origin::Delivery, value) => value.map(str::to_owned).ok_or(damage(field)),
        (_, None) => Ok(String::new()),
        (_, Some(_)) => Err(damage(field)),
    };
    let source = required("ce-source")?
        .strip_prefix(SOURCE_PREFIX)
        .and_then(|name| Source::new(name).ok())
        .ok_or(damage("ce-source"))?;
    Ok(Entry {
        sequence,
        stored_at,
        size,
        redacted: false,
        attributes: Attributes {
            source,
            id: required("ce-id")?.to_owned(),
            type_name: required("ce-type")?.to_owned(),
            account: header("ce-account").map(str::to_owned),
            livemode,
            time: header("ce-time").map(|_| time("ce-time")).transpose()?,
            endpoint: required("ce-endpoint")?.to_owned(),
            origin,
            held_for,
            secret_name: delivered(header("ce-secretname"), "ce-secretname")?,
            unsigned_attributes: header("ce-unsigned").is_some(),
            signed_at: header("ce-signedat")
                .map(|_| time("ce-signedat"))
                .transpose()?,
            received_at: time("ce-receivedat")?,
            traceparent,
            signature: delivered(
                header(SIGNATURE).or_else(|| header(EARLIER_SIGNATURE)),
                SIGNATURE,
            )?,
            sha256: required("ce-sha256")?
                .parse()
                .map_err(|_| damage("ce-sha256"))?,
        },
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::{EARLIER_SIGNATURE, SIGNATURE, read, write};
    use crate::log::{Attributes, Damage, Entry, HeldFor, Origin, Sha256Sum};
    use hookgate_core::{identity::Source, time::Timestamp, trace::TraceParent};

    /// An event that has everything that an event can have.
    pub(in crate::log) fn attributes() -> Attributes {
        Attributes {
            source: Source::new("stripe-connect").unwrap(),
            id: "evt_1".to_owned(),
            type_name: "invoice.paid".to_owned(),
            account: Some("acct_1".to_owned()),
            livemode: Some(true),
            time: Some(Timestamp::from_unix_seconds(1_760_000_000)),
            origin: Origin::Delivery,
            held_for: Some(HeldFor::SecretSuspect),
            endpoint: "stripe-connect".to_owned(),
            secret_name: "primary".to_owned(),
            unsigned_attributes: true,
            signed_at: Some(Timestamp::from_unix_seconds(1_760_000_001)),
            received_at: Timestamp::from_unix_millis(1_760_000_001_250),
            traceparent: Some(TraceParent::new(1, 2)),
            signature: "t=1760000001,v1=00".to_owned(),
            sha256: Sha256Sum::of(b"{}"),
        }
    }

    /// An event that has only what every event has.
    pub(in crate::log) fn bare_attributes() -> Attributes {
        Attributes {
            account: None,
            livemode: None,
            time: None,
            traceparent: None,
            signed_at: None,
            held_for: None,
            unsigned_attributes: false,
            ..attributes()
        }
    }

    /// An event that nobody delivered.
    pub(in crate::log) fn fetched_attributes() -> Attributes {
        Attributes {
            origin: Origin::Reconciliation,
            secret_name: String::new(),
            signature: String::new(),
            ..bare_attributes()
        }
    }

    fn read_back(headers: &[(&str, String)]) -> Result<Entry, Damage> {
        let stored_at = Timestamp::from_unix_seconds(1_760_000_002);
        read(7, stored_at, 2, |wanted| {
            let found = headers.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.as_str())
        })
    }

    fn written(attributes: &Attributes) -> Vec<(&'static str, String)> {
        let headers = write(attributes).into_iter();
        headers
            .map(|(name, value)| (name, value.into_owned()))
            .collect()
    }

    #[test]
    fn reads_the_headers_that_it_writes() {
        let stored_only = Attributes {
            origin: Origin::StoredOnly,
            ..fetched_attributes()
        };
        for attributes in [
            attributes(),
            bare_attributes(),
            fetched_attributes(),
            stored_only,
        ] {
            assert_eq!(
                read_back(&written(&attributes)),
                Ok(Entry {
                    sequence: 7,
                    stored_at: Timestamp::from_unix_seconds(1_760_000_002),
                    size: 2,
                    redacted: false,
                    attributes
                })
            );
        }
    }

    #[test]
    fn reads_the_signature_of_earlier_events() {
        let mut headers = written(&attributes());
        for (name, _) in &mut headers {
            if *name == SIGNATURE {
                *name = EARLIER_SIGNATURE;
            }
        }
        assert_eq!(read_back(&headers).unwrap().attributes, attributes());
    }

    #[test]
    fn reports_headers_that_are_damaged() {
        for (field, damaged) in [
            ("ce-source", "/elsewhere/stripe"),
            ("ce-livemode", "True"),
            ("ce-origin", "elsewhere"),
            ("ce-heldfor", "secret_suspects"),
            ("ce-time", "yesterday"),
            ("ce-signedat", "yesterday"),
            ("ce-sha256", "00"),
            ("traceparent", "00-1-2-01"),
        ] {
            let mut headers = written(&attributes());
            headers.retain(|(name, _)| *name != field);
            headers.push((field, damaged.to_owned()));
            let damage = Damage::Field { sequence: 7, field };
            assert_eq!(read_back(&headers), Err(damage));
        }
    }

    #[test]
    fn takes_nothing_without_a_signature_for_a_delivery_and_nothing_fetched_for_signed() {
        let without = |name: &str| {
            let mut headers = written(&attributes());
            headers.retain(|(header, _)| *header != name);
            read_back(&headers).map(|_| ())
        };
        let damage = |field| Err(Damage::Field { sequence: 7, field });
        assert_eq!(without(SIGNATURE), damage(SIGNATURE));
        assert_eq!(without("ce-secretname"), damage("ce-secretname"));
        let mut headers = written(&fetched_attributes());
        headers.push((SIGNATURE, "t=1,v1=00".to_owned()));
        assert_eq!(read_back(&headers).map(|_| ()), damage(SIGNATURE));
        let mut headers = written(&fetched_attributes());
        headers.push(("ce-heldfor", "secret_suspect".to_owned()));
        assert_eq!(read_back(&headers).map(|_| ()), damage("ce-heldfor"));
    }

    #[test]
    fn reports_a_message_that_is_not_an_event() {
        let damage = Damage::Field {
            sequence: 7,
            field: "ce-source",
        };
        assert_eq!(read_back(&[]), Err(damage));
    }
}
