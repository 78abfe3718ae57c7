//! What is refused: nothing that isn't genuine, whole and consistent is stored.

use std::{fs, net::TcpListener, path::PathBuf};

use tempfile::TempDir;

use crate::{
    delivery::{Connection, Delivery, payload, seconds_from_now},
    harness::{CONNECT_SECRET, SECRET, Server, events, failure, hookgate, refusal},
};

struct Door {
    folder: TempDir,
    server: Server,
}

impl Door {
    fn open(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&address(&folder), options);
        Self { folder, server }
    }

    /// Sends a delivery that must be refused with a code, and stored nothing.
    fn refuses(&self, delivery: &Delivery, status: u16, code: &str) {
        let before = events(&address(&self.folder)).len();
        let answer = delivery.send(&self.server);
        let headers = &delivery.headers;
        assert_eq!(answer.outcome(), (status, code, None), "{headers:?}");
        let media_type = answer.header("content-type");
        assert_eq!(media_type, Some("application/problem+json"));
        assert_eq!(answer.body["status"], status);
        assert_eq!(events(&address(&self.folder)).len(), before);
    }

    fn stores(&self, delivery: &Delivery) {
        let answer = delivery.send(&self.server);
        let headers = &delivery.headers;
        assert_eq!(answer.outcome().1, "stored", "{answer:?} {headers:?}");
    }
}

fn address(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("log.db").display())
}

#[test]
fn refuses_what_no_secret_of_the_source_has_signed() {
    let door = Door::open(&[]);
    let genuine = Delivery::new("evt_1");
    let mut forged = genuine.clone();
    forged.payload.push(b' ');
    door.refuses(&forged, 400, "signature_mismatch");
    let now = seconds_from_now(0);
    let wrong = genuine.clone().signed("whsec_wrong", now, now);
    door.refuses(&wrong, 400, "signature_mismatch");
    // Another source's secret is a wrong one, and so is any for a source that
    // has none.
    let foreign = genuine.clone().of_source("stripe-connect", SECRET);
    door.refuses(&foreign, 400, "signature_mismatch");
    let foreign = genuine.clone().of_source("stripe", CONNECT_SECRET);
    door.refuses(&foreign, 400, "signature_mismatch");
    let unknown = genuine.clone().of_source("shop", SECRET);
    door.refuses(&unknown, 400, "signature_mismatch");
    door.stores(&genuine);
}

#[test]
fn refuses_signature_headers_that_stripe_does_not_send() {
    let door = Door::open(&[]);
    let genuine = Delivery::new("evt_1");
    let missing = genuine.clone().without("stripe-signature");
    door.refuses(&missing, 400, "signature_missing");
    let twice = genuine.header("stripe-signature").to_owned();
    let twice = genuine.clone().and("stripe-signature", &twice);
    door.refuses(&twice, 400, "signature_malformed");
    for malformed in ["t=1", "v1=00", "t=1,t=2,v1=00", "\u{ff}"] {
        let malformed = genuine.clone().with("stripe-signature", malformed);
        door.refuses(&malformed, 400, "signature_malformed");
    }
}

#[test]
fn judges_a_signature_by_its_arrival_at_the_gate() {
    let door = Door::open(&[]);
    let signed = |id, at, received_at| {
        Delivery::new(id).signed(SECRET, seconds_from_now(at), seconds_from_now(received_at))
    };
    // Waited for us for half an hour.
    door.stores(&signed("evt_1", -1_800, -1_800));
    door.stores(&signed("evt_2", -1_800 - 299, -1_800));
    for stale in [
        signed("evt_3", -302, 0),
        signed("evt_3", 302, 0),
        // Captured once, and sent again for ever after.
        signed("evt_3", -3_700, -3_700),
        signed("evt_3", 3_700, 3_700),
    ] {
        door.refuses(&stale, 400, "timestamp_out_of_tolerance");
    }
}

#[test]
fn takes_the_tolerance_that_it_is_given() {
    let door = Door::open(&["--tolerance", "10m"]);
    let signed =
        |at| Delivery::new("evt_1").signed(SECRET, seconds_from_now(at), seconds_from_now(0));
    door.refuses(&signed(-602), 400, "timestamp_out_of_tolerance");
    door.stores(&signed(-590));
}

#[test]
fn refuses_missing_and_repeated_attributes() {
    let door = Door::open(&[]);
    let genuine = Delivery::new("evt_1");
    for name in [
        "ce-specversion",
        "ce-id",
        "ce-type",
        "ce-source",
        "ce-endpoint",
        "ce-secretname",
        "ce-signedat",
        "ce-receivedat",
    ] {
        let missing = genuine.clone().without(name);
        door.refuses(&missing, 400, "attributes_invalid");
        let repeated = genuine.header(name).to_owned();
        let repeated = genuine.clone().and(name, &repeated);
        door.refuses(&repeated, 400, "attributes_invalid");
    }
    for name in ["ce-account", "ce-livemode", "ce-time", "traceparent"] {
        let repeated = genuine.header(name).to_owned();
        let repeated = genuine.clone().and(name, &repeated);
        door.refuses(&repeated, 400, "attributes_invalid");
    }
}

#[test]
fn refuses_attributes_that_contradict_the_payload() {
    let door = Door::open(&[]);
    let genuine = Delivery::new("evt_1");
    for (name, value) in [
        ("ce-id", "evt_2"),
        ("ce-id", "evt_1.0123456789abcdef"),
        ("ce-type", "invoice.voided"),
        ("ce-account", "acct_2"),
        ("ce-livemode", "true"),
        ("ce-livemode", "yes"),
        ("ce-time", "2025-10-09T08:53:21Z"),
        ("ce-signedat", "2025-10-09T08:53:21Z"),
        ("ce-specversion", "0.3"),
        ("ce-source", "/elsewhere/stripe"),
        ("ce-source", "/hookgate/../stripe"),
        ("ce-receivedat", "now"),
        ("ce-endpoint", ""),
        ("ce-endpoint", "Stripe Connect"),
        ("ce-secretname", "primary 2"),
        ("ce-secretname", "Primary"),
    ] {
        let contradiction = genuine.clone().with(name, value);
        door.refuses(&contradiction, 400, "attributes_invalid");
    }
    for name in ["ce-account", "ce-livemode", "ce-time"] {
        let silent = genuine.clone().without(name);
        door.refuses(&silent, 400, "attributes_invalid");
    }
    door.stores(&genuine);
}

#[test]
fn stores_every_test_event_under_its_random_suffix() {
    let door = Door::open(&[]);
    let zeros = "evt_00000000000000";
    let test_event = |id: &str| Delivery::with_payload(zeros, payload(zeros, 10)).with("ce-id", id);
    door.stores(&test_event("evt_00000000000000.00000000000000aa"));
    door.stores(&test_event("evt_00000000000000.00000000000000ab"));
    for id in [
        zeros,
        "evt_00000000000000.",
        "evt_00000000000000.00000000000000AB",
        "evt_00000000000000.00000000000000abc",
        "evt_000000000000000.00000000000000ab",
    ] {
        door.refuses(&test_event(id), 400, "attributes_invalid");
    }
}

#[test]
fn refuses_signed_payloads_that_are_no_events() {
    let door = Door::open(&[]);
    for payload in [
        "",
        "{}",
        "[]",
        "{\"id\":\"evt_1\",\"id\":\"evt_1\"}",
        "\u{feff}{}",
    ] {
        let delivery = Delivery::with_payload("evt_1", payload.as_bytes().to_vec());
        door.refuses(&delivery, 400, "payload_invalid");
    }
}

#[test]
fn takes_payloads_up_to_its_limit_and_not_a_byte_more() {
    let door = Door::open(&["--max-body-bytes", "5000"]);
    let of_length = |id: &str, length: usize| {
        let padding = length - payload(id, 0).len();
        Delivery::with_payload(id, payload(id, padding))
    };
    door.refuses(&of_length("evt_1", 5_001), 413, "payload_too_large");
    door.stores(&of_length("evt_1", 5_000));

    // The same without a length to go by.
    let mut chunked = Delivery::new("evt_2").request();
    let start = chunked
        .windows(14)
        .position(|w| w == b"content-length")
        .unwrap();
    chunked.truncate(start);
    chunked.extend(b"transfer-encoding: chunked\r\n\r\n");
    let mut connection = Connection::open(door.server.address).unwrap();
    connection.write(&chunked).unwrap();
    let mut answer = None;
    for _ in 0..6 {
        let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1_000));
        if connection.write(chunk.as_bytes()).is_err() {
            break;
        }
    }
    if let Ok(received) = connection.answer() {
        answer = Some(received);
    }
    let answer = answer.expect("an answer before the end of the payload");
    assert_eq!(answer.outcome(), (413, "payload_too_large", None));
}

#[test]
fn knows_one_path_and_one_method() {
    let door = Door::open(&[]);
    let mut connection = Connection::open(door.server.address).unwrap();
    for (request, outcome) in [
        ("GET /v1/events", (405, "method_not_allowed", None)),
        ("PUT /v1/events", (405, "method_not_allowed", None)),
        ("POST /v1/events/", (404, "endpoint_unknown", None)),
        ("POST /", (404, "endpoint_unknown", None)),
    ] {
        let head = format!("{request} HTTP/1.1\r\nhost: upstream\r\ncontent-length: 0\r\n\r\n");
        connection.write(head.as_bytes()).unwrap();
        assert_eq!(connection.answer().unwrap().outcome(), outcome, "{request}");
    }
}

#[test]
fn takes_several_secrets_of_a_source_while_one_is_rolled() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = hookgate();
    command
        .args(["serve", "--log", &address(&folder)])
        .args(["--secret", "stripe=OLD", "--secret", "stripe=NEW"])
        .env("OLD", "whsec_old")
        .env("NEW", "whsec_new");
    let server = Server::spawn(command);
    let signed = |id, secret| Delivery::new(id).of_source("stripe", secret).send(&server);
    assert_eq!(signed("evt_1", "whsec_old").outcome().1, "stored");
    assert_eq!(signed("evt_2", "whsec_new").outcome().1, "stored");
    // Not asked for, so not taken from the environment.
    let outcome = (400, "signature_mismatch", None);
    assert_eq!(signed("evt_3", SECRET).outcome(), outcome);
}

#[test]
fn listens_beyond_loopback_only_with_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |listen: &str| {
        let mut command = hookgate();
        command
            .args(["serve", "--log", &address(&folder), "--listen", listen])
            .env_remove("STRIPE_WEBHOOK_SECRET")
            .env_remove("STRIPE_CONNECT_WEBHOOK_SECRET");
        command
    };
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let message = failure(&mut serve(listen));
        assert!(message.contains("Set STRIPE_WEBHOOK_SECRET"), "{message}");
    }
    // On loopback it says what it doesn't do, and does the rest.
    let mut command = hookgate();
    command
        .args(["serve", "--log", &address(&folder)])
        .env_remove("STRIPE_WEBHOOK_SECRET")
        .env_remove("STRIPE_CONNECT_WEBHOOK_SECRET");
    let server = Server::spawn(command);
    assert!(
        server.stderr().contains("not verified"),
        "{}",
        server.stderr()
    );
    let unverified = Delivery::new("evt_1").of_source("shop", "whsec_any");
    assert_eq!(unverified.send(&server).outcome().1, "stored");
    let contradiction = Delivery::new("evt_2").with("ce-id", "evt_3");
    assert_eq!(
        contradiction.send(&server).outcome().1,
        "attributes_invalid"
    );
}

#[test]
fn refuses_to_start_with_secrets_that_can_only_be_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let message = refusal(&address(&folder), &["--secret", "stripe=NOT_SET"]);
    assert!(message.contains("`NOT_SET`"), "{message}");
    let mut command = hookgate();
    command
        .args(["serve", "--log", &address(&folder)])
        .env("STRIPE_WEBHOOK_SECRET", "whsec_newline\n");
    let message = failure(&mut command);
    assert!(message.contains("`STRIPE_WEBHOOK_SECRET`"), "{message}");
    assert!(!message.contains("newline\n"), "{message}");
    assert!(!folder.path().join("log.db").exists());
}

#[test]
fn logs_no_secret_no_signature_and_no_payload() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = hookgate();
    command
        .args(["serve", "--log", &address(&folder), "--log-format", "json"])
        .env("RUST_LOG", "trace");
    let mut server = Server::spawn(command);
    let delivery = Delivery::with_payload("evt_1", payload("evt_1", 333));
    delivery.send(&server);
    delivery.clone().with("ce-type", "a.b").send(&server);
    let wrong = Delivery::new("evt_2").of_source("stripe", "whsec_wrong");
    wrong.send(&server);
    server.terminate();
    server.wait();

    let stderr = server.stderr();
    for line in stderr.lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{line}");
    }
    assert!(stderr.contains("\"event_id\":\"evt_1\""), "{stderr}");
    assert!(
        stderr.contains("0af7651916cd43dd8448eb211c80319c"),
        "{stderr}"
    );
    for delivery in [&delivery, &wrong] {
        let (_, v1) = delivery
            .header("stripe-signature")
            .split_once("v1=")
            .unwrap();
        assert!(!stderr.contains(v1), "a signature");
    }
    assert!(!stderr.contains("whsec_"), "a secret");
    assert!(!stderr.contains("xxxxxxxx"), "a payload");
}

#[test]
fn says_where_it_listens() {
    let door = Door::open(&[]);
    let stderr = door.server.stderr();
    let address = format!("address={}", door.server.address);
    assert!(stderr.contains(&address), "{stderr}");
    let missing = PathBuf::from("/nowhere/ready");
    let folder = tempfile::tempdir().unwrap();
    let options = ["--ready-file", missing.to_str().unwrap()];
    let message = refusal(&self::address(&folder), &options);
    assert!(message.contains("/nowhere/ready"), "{message}");
    assert!(fs::exists(folder.path().join("log.db")).unwrap());
}

#[test]
fn makes_no_log_where_it_can_not_listen() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut command = hookgate();
    command.args(["serve", "--log", &address(&folder), "--listen", &listen]);
    let message = failure(&mut command);
    assert!(
        message.contains(&format!("can't listen on `{listen}`")),
        "{message}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn never_stores_what_stripe_waits_for_a_decision_on() {
    let door = Door::open(&[]);
    let payload = br#"{"id": "evt_1", "object": "event", "type": "issuing_authorization.request"}"#;
    let delivery = Delivery::with_payload("evt_1", payload.to_vec());
    door.refuses(&delivery, 503, "no_decider");
}
