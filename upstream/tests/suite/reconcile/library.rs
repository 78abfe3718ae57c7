//! The scripted Stripe, read by Stripe's own Python library: what it takes for
//! Stripe is what reconciliation was tested with.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::numbered;
use crate::stripe::{KEY, Script, Stripe};

const PROGRAM: &str = r#"
import json, sys, stripe
stripe.api_key, stripe.api_base = sys.argv[1], sys.argv[2]
stripe.max_network_retries = 3
events = lambda **more: stripe.Event.list(limit=100, created={"gte": int(sys.argv[3])}, **more)
ids = lambda listed: [one.id for one in listed.auto_paging_iter()]
def error(call):
    try:
        call()
    except stripe.StripeError as error:
        return [type(error).__name__, error.http_status, error.code, error.param if hasattr(error, "param") else None]
print(json.dumps({
    "accounts": ids(stripe.Account.list(limit=2)),
    "platform": ids(events()),
    "connected": ids(events(stripe_account="acct_1")),
    "ten": len(stripe.Event.list(stripe_account="acct_1").data),
    "types": stripe.WebhookEndpoint.retrieve("we_1").enabled_events,
    "kind": type(events(stripe_account="acct_1").data[0]).__name__,
    "gone": error(lambda: events(stripe_account="acct_gone")),
    "place": error(lambda: events(starting_after="evt_forgotten")),
    "limit": error(lambda: stripe.Event.list(limit=101)),
    "unknown": error(lambda: stripe.Event.list(colour="red")),
    "key": error(lambda: stripe.Event.list(api_key="rk_test_wrong")),
}))
"#;

const LIMITED: &str = r#"
import json, sys, stripe
stripe.api_key, stripe.api_base = sys.argv[1], sys.argv[2]
try:
    stripe.Event.list()
except stripe.StripeError as error:
    reason = error.headers["stripe-rate-limited-reason"]
    print(json.dumps([type(error).__name__, error.http_status, reason]))
"#;

/// What a program of the library says of a server.
fn said(program: &str, stripe: &Stripe) -> Value {
    let output = Command::new("python3")
        .args(["-c", program, KEY, &stripe.url(), "0"])
        .env("PYTHONPATH", library())
        .output()
        .expect("python3, from your system's packages");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Where the library is.
fn library() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/stripe-python");
    let folder = env::var_os("HOOKGATE_STRIPE_PYTHON").map_or(fetched, PathBuf::from);
    assert!(
        folder.join("stripe").is_dir(),
        "found no Python library of Stripe's: `cargo xtask tools` installs it"
    );
    folder
}

#[test]
fn stripes_own_library_takes_the_scripted_server_for_stripe() {
    let stripe = Stripe::start(Script {
        // The library asks again by itself.
        fails: Some(7),
        endpoints: [("we_1".to_owned(), vec!["invoice.paid".to_owned()])].into(),
        gone: [("acct_gone".to_owned(), 403)].into(),
        ..Script::default()
    });
    let connected = numbered("c", 250);
    let listed: Vec<Value> = connected.iter().map(|event| event["id"].clone()).collect();
    stripe.add("acct_1", connected);
    stripe.add("acct_2", []);
    stripe.add("acct_3", []);
    let found = said(PROGRAM, &stripe);
    assert_eq!(found["accounts"], json!(["acct_1", "acct_2", "acct_3"]));
    assert_eq!(found["platform"], json!([]));
    assert_eq!(found["connected"], Value::from(listed));
    assert_eq!(found["ten"], 10);
    assert_eq!(found["types"], json!(["invoice.paid"]));
    assert_eq!(found["kind"], "Event");
    for (name, kind, status, code) in [
        // The library leaves the code of this one out.
        ("gone", "PermissionError", 403, Value::Null),
        (
            "place",
            "InvalidRequestError",
            400,
            json!("resource_missing"),
        ),
        (
            "limit",
            "InvalidRequestError",
            400,
            json!("parameter_invalid_integer"),
        ),
        (
            "unknown",
            "InvalidRequestError",
            400,
            json!("parameter_unknown"),
        ),
        ("key", "AuthenticationError", 401, Value::Null),
    ] {
        let error = &found[name];
        assert_eq!(
            (&error[0], &error[1], &error[2]),
            (&json!(kind), &json!(status), &code),
            "{name}"
        );
    }
    assert_eq!(found["place"][3], "starting_after");
    stripe.script(|script| script.limits = Some(1));
    let limited = said(LIMITED, &stripe);
    assert_eq!(limited, json!(["RateLimitError", 429, "endpoint-rate"]));
}
