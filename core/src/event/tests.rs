use alloc::{format, string::String, vec::Vec};

use super::{Event, Form, MAX_TOP_LEVEL_KEYS, PayloadError};
use crate::time::Timestamp;

fn read(json: &str) -> Result<Event, PayloadError> {
    Event::from_payload(json.as_bytes())
}

fn event(fields: &str) -> String {
    format!(r#"{{"id": "evt_1", "object": "event", "type": "invoice.paid"{fields}}}"#)
}

#[test]
fn reads_a_connect_snapshot() {
    let json = event(
        r#", "account": "acct_1", "created": 1760000000, "livemode": true,
           "api_version": "2025-09-30.clover", "data": {"object": {"id": "in_1", "object": "invoice"}}"#,
    );
    assert_eq!(
        read(&json),
        Ok(Event {
            id: "evt_1".into(),
            type_name: "invoice.paid".into(),
            account: Some("acct_1".into()),
            api_version: Some("2025-09-30.clover".into()),
            created: Some(Timestamp::from_unix_seconds(1_760_000_000)),
            livemode: Some(true),
            form: Some(Form::Snapshot),
            unsigned_attributes: false,
        })
    );
}

#[test]
fn reads_a_thin_event() {
    let json = r#"{"id": "evt_test_65R", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered",
        "created": "2025-10-09T08:53:20.250Z", "livemode": false, "context": "acct_2", "reason": null}"#;
    let event = read(json).unwrap();
    assert_eq!(event.form, Some(Form::Thin));
    assert_eq!(event.account.as_deref(), Some("acct_2"));
    assert_eq!(
        event.created,
        Some(Timestamp::from_unix_millis(1_760_000_000_250))
    );
    assert_eq!(event.livemode, Some(false));
}

#[test]
fn account_wins_over_context() {
    let event = read(&event(r#", "context": "acct_2", "account": "acct_1""#)).unwrap();
    assert_eq!(event.account.as_deref(), Some("acct_1"));
}

#[test]
fn reads_the_top_level_only() {
    let json = r#"{"data": {"id": "evt_decoy", "object": {"id": "evt_decoy", "type": "x"}},
        "request": {"id": "req_1"}, "type": "a.b", "object": "event", "\u0069d": "evt_real"}"#;
    assert_eq!(read(json).unwrap().id, "evt_real");
}

#[test]
fn takes_what_is_no_date_or_mode_as_not_said() {
    for fields in [
        "",
        r#", "created": null, "livemode": null"#,
        r#", "created": "yesterday", "livemode": "true""#,
        r#", "created": -1, "livemode": 1"#,
        r#", "created": 1.5, "livemode": {}"#,
        r#", "created": [1], "livemode": [true]"#,
    ] {
        let event = read(&event(fields)).unwrap();
        assert_eq!((event.created, event.livemode), (None, None), "{fields}");
    }
}

#[test]
fn refuses_two_values_under_one_key() {
    for fields in [
        r#", "id": "evt_2""#,
        r#", "\u0069d": "evt_2""#,
        r#", "data": 1, "data": 2"#,
    ] {
        assert_eq!(
            read(&event(fields)),
            Err(PayloadError::NotAnObject),
            "{fields}"
        );
    }
}

#[test]
fn refuses_what_is_not_one_json_object() {
    for json in ["", " ", "null", "[]", "\"evt_1\"", "{", "{}x", "\u{feff}{}"] {
        assert_eq!(read(json).unwrap_err(), PayloadError::NotAnObject, "{json}");
    }
    let twice = event("") + &event("");
    assert_eq!(read(&twice), Err(PayloadError::NotAnObject));
}

#[test]
fn refuses_ids_types_and_accounts_that_no_header_can_carry() {
    let long = "a".repeat(256);
    for bad in [
        "\"\"",
        "\"evt 1\"",
        "\"evt\\n1\"",
        "\"evt_é\"",
        "1",
        "{}",
        &format!("\"{long}\""),
    ] {
        let id = format!(r#"{{"id": {bad}, "object": "event", "type": "a"}}"#);
        assert_eq!(read(&id), Err(PayloadError::Field("id")), "{bad}");
        let type_name = format!(r#"{{"id": "evt_1", "object": "event", "type": {bad}}}"#);
        assert_eq!(read(&type_name), Err(PayloadError::Field("type")), "{bad}");
        let account = event(&format!(r#", "account": {bad}"#));
        assert_eq!(read(&account), Err(PayloadError::Field("account")), "{bad}");
        let context = event(&format!(r#", "context": {bad}"#));
        assert_eq!(read(&context), Err(PayloadError::Field("context")), "{bad}");
    }
    assert_eq!(
        read(r#"{"object": "event", "type": "a"}"#),
        Err(PayloadError::Field("id"))
    );
}

#[test]
fn refuses_other_objects() {
    for object in ["\"charge\"", "null", "1", "\"Event\""] {
        let json = format!(r#"{{"id": "evt_1", "type": "a", "object": {object}}}"#);
        assert_eq!(read(&json), Err(PayloadError::NotAnEvent), "{object}");
    }
    assert_eq!(read("{}"), Err(PayloadError::NotAnEvent));
}

#[test]
fn survives_depth_and_a_flood_of_keys() {
    let depth = 100_000;
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    assert!(read(&event(&format!(r#", "data": {open}{close}"#))).is_ok());
    assert_eq!(
        read(&event(&format!(r#", "data": {open}"#))),
        Err(PayloadError::NotAnObject)
    );
    // In a field whose value is looked at, nesting is bounded by the parser.
    assert_eq!(
        read(&event(&format!(r#", "livemode": {open}{close}"#)))
            .unwrap()
            .livemode,
        None
    );
    let keys = |count| {
        (0..count)
            .map(|key| format!(r#", "k{key}": 0"#))
            .collect::<String>()
    };
    assert!(read(&event(&keys(MAX_TOP_LEVEL_KEYS - 3))).is_ok());
    assert_eq!(
        read(&event(&keys(MAX_TOP_LEVEL_KEYS - 2))),
        Err(PayloadError::NotAnObject)
    );
}

#[test]
fn refuses_a_key_that_comes_twice_among_hundreds() {
    let names: Vec<String> = (0..200).map(|key| format!("k{key}")).collect();
    for twice in ["k0", "k11", "k12", "k13", "k199", "type"] {
        let all = names.iter().map(String::as_str).chain([twice]);
        let more: String = all.map(|key| format!(r#", "{key}": 0"#)).collect();
        let read = read(&event(&more));
        assert_eq!(read, Err(PayloadError::NotAnObject), "{twice}");
    }
}

#[test]
fn survives_bytes_that_are_not_utf8() {
    let mut payload = event(r#", "data": ""#).into_bytes();
    payload.truncate(payload.len() - 1);
    payload.extend_from_slice(b"\xff\"}");
    assert!(Event::from_payload(&payload).is_ok(), "not looked at");
    let in_id = [&b"{\"id\": \"evt_\xff\", \"object\": \"event\", \"type\": \"a\"}"[..]].concat();
    assert_eq!(Event::from_payload(&in_id), Err(PayloadError::NotAnObject));
}

#[test]
fn gives_each_delivery_of_a_test_event_its_own_id() {
    for (id, is_test) in [
        ("evt_00000000000000", true),
        ("evt_000000000000000000000000", true),
        ("evt_", false),
        ("evt_00000000000001", false),
        ("evt_1IuKmFQveW0ONQsdEAB1O64Y", false),
        ("00000000000000", false),
    ] {
        let json = format!(r#"{{"id": "{id}", "object": "event", "type": "a"}}"#);
        let event = read(&json).unwrap();
        assert_eq!(event.is_test_id(), is_test, "{id}");
        let delivery_id = event.delivery_id(0xfe);
        let expected = if is_test {
            format!("{id}.00000000000000fe")
        } else {
            id.into()
        };
        assert_eq!(delivery_id, expected);
        assert!(event.has_delivery_id(&delivery_id));
        for other in [
            format!("{delivery_id}0"),
            format!("{id}.00000000000000FE"),
            format!("{id}.fe"),
            "evt_other".into(),
        ] {
            assert!(!event.has_delivery_id(&other), "{other}");
        }
        assert_eq!(event.has_delivery_id(id), !is_test);
    }
}
