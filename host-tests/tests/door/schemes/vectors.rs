//! Every vector of every scheme, signed for the present, through one Envoy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use hookgate_core::config::Config;
use hookgate_core::event::Event;
use hookgate_core::request::RequestHead;
use hookgate_core::signature::Tolerance;
use hookgate_core::time::Timestamp;
use hookgate_host_tests::client::{Answer, Delivery};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::raw::{self, Head};
use hookgate_host_tests::vector::{self, Case, Expected};
use serde_json::{Value, json};

use crate::on_script;

/// Genuine to the senders' libraries, and not to the gate: fail closed. The
/// libraries sign the number that they read, the gate the bytes that came.
const DIFFERENT: [&str; 2] = ["ts_leading_zero_signed_int", "ts_plus_signed_int"];

/// What HTTP makes of headers that it can't carry as they are.
const REFUSED: &str = "refused by Envoy's codec";
const TRIMMED: &str = "trimmed by HTTP";

/// Within this part of a second a delivery is signed and judged.
const FIRST_PART: Duration = Duration::from_millis(500);

/// Gives each configuration among the cases an endpoint.
#[derive(Default)]
struct Endpoints {
    configurations: Vec<Value>,
    secrets: serde_json::Map<String, Value>,
    positions: BTreeMap<(&'static str, String, i64), Option<usize>>,
}

impl Endpoints {
    /// Returns the endpoint of a case; `None` if no gate takes its configuration.
    fn of(&mut self, case: &Case) -> Option<usize> {
        let scheme = case.scheme.as_str();
        let key = (scheme, case.secret.clone(), case.tolerance);
        if let Some(known) = self.positions.get(&key) {
            return *known;
        }
        let position = self.configurations.len();
        let name = format!("case-{position}");
        let endpoint = json!({
            "name": name,
            "path": format!("/cases/{position}"),
            "scheme": scheme,
            "keyring": "file",
            "tolerance_past_seconds": case.tolerance,
            "tolerance_future_seconds": case.tolerance,
        });
        let alone = gate(std::slice::from_ref(&endpoint)).to_string();
        let fits = Config::from_json(alone.as_bytes()).is_ok()
            && case.scheme.secret("case", case.secret.as_bytes()).is_ok();
        let taken = fits.then_some(position);
        if fits {
            self.configurations.push(endpoint);
            let secret = json!([{"name": "case", "secret": case.secret}]);
            self.secrets.insert(name, secret);
        }
        self.positions.insert(key, taken);
        taken
    }

    fn setup(self) -> Setup {
        let keyring = json!({"endpoints": self.secrets});
        let setup = Setup::shipped().gate(gate(&self.configurations));
        setup.keyring(keyring.to_string())
    }
}

fn gate(endpoints: &[Value]) -> Value {
    json!({
        "endpoints": endpoints,
        "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
    })
}

#[tokio::test]
async fn every_vector_of_every_scheme_gets_its_verdict() -> Result<()> {
    let mut endpoints = Endpoints::default();
    let (mut cases, mut without_gate) = (Vec::new(), 0);
    for file in vector::files()? {
        for case in vector::read(&file)? {
            match endpoints.of(&case) {
                Some(endpoint) => cases.push((endpoint, case)),
                // A gate that would take it might verify with it.
                None if case.expected == Expected::Genuine => bail!("{}: no gate", case.name),
                None => without_gate += 1,
            }
        }
    }
    let count = endpoints.configurations.len();
    let (envoy, script) = on_script(endpoints.setup(), []).await?;

    let (mut wrong, mut stored) = (Vec::new(), 0);
    let mut counts = BTreeMap::<(&str, &str), u32>::new();
    for (endpoint, case) in &cases {
        let answer = judged(&envoy, *endpoint, case).await?;
        stored += usize::from(answer.code() == "stored");
        let kind = kind(case);
        *counts.entry((case.scheme.as_str(), kind)).or_default() += 1;
        if !is_expected(case, &answer)? {
            let (expected, seen) = (&case.expected, (answer.status, answer.code()));
            wrong.push(format!("{} ({kind}): {seen:?}, {expected:?}", case.name));
        }
    }
    println!(
        "{count} endpoints, {without_gate} cases that no gate takes, {stored} stored, {counts:?}"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Whatever was accepted is stored, and once.
    let received = script.expect_received(stored).await?;
    let identities: BTreeSet<_> = received
        .iter()
        .map(|request| (request.header("ce-source"), request.header("ce-id")))
        .collect();
    assert_eq!(identities.len(), stored);
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    Ok(())
}

/// Sends a case as of this second, and again if that has passed meanwhile.
async fn judged(envoy: &Envoy, endpoint: usize, case: &Case) -> Result<Answer> {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let into = Duration::from_nanos(now.subsec_nanos().into());
        if into > FIRST_PART {
            tokio::time::sleep(Duration::from_secs(1).saturating_sub(into)).await;
            continue;
        }
        let answer = sent(envoy, endpoint, case, now.as_secs())
            .await
            .with_context(|| case.name.clone())?;
        let then = SystemTime::now().duration_since(UNIX_EPOCH)?;
        if then.as_secs() == now.as_secs() || is_expected(case, &answer)? {
            return Ok(answer);
        }
    }
}

async fn sent(envoy: &Envoy, endpoint: usize, case: &Case, now: u64) -> Result<Answer> {
    let path = format!("/cases/{endpoint}");
    let mut headers = case.at(now).into_iter();
    if kind(case) == REFUSED {
        let head = Head::new(&format!("POST {path}"));
        let head = headers.fold(head, |head, (name, value)| head.header(&name, value));
        return raw::send(envoy.address(), &head.sized_body(&case.payload)).await;
    }
    let delivery = Delivery::post(&path, case.payload.clone());
    let delivery = headers.try_fold(delivery, |delivery, (name, value)| {
        delivery.header(&name, value)
    })?;
    envoy.send(delivery).await
}

/// Says what HTTP makes of a case's headers.
fn kind(case: &Case) -> &'static str {
    let mut values = case.headers.iter().map(|(_, value)| value.as_str());
    let is_control = |c: char| matches!(c, '\0' | '\r' | '\n');
    if values.clone().any(|value| value.contains(is_control)) {
        REFUSED
    } else if values.any(|value| trimmed(value) != value) {
        TRIMMED
    } else {
        "as it is"
    }
}

fn is_expected(case: &Case, answer: &Answer) -> Result<bool> {
    let code = answer.code();
    let seen = (answer.status, code.as_str());
    let refused = |expected: &str| seen == (400, expected);
    Ok(match kind(case) {
        REFUSED => answer.status == 400 && code != "stored",
        TRIMMED => match verdict(case)? {
            None => is_accepted(case, seen),
            Some(code) => refused(code),
        },
        _ => match &case.expected {
            Expected::Genuine if DIFFERENT.contains(&case.name.as_str()) => {
                refused("signature_mismatch") || refused("signature_malformed")
            }
            Expected::Genuine => is_accepted(case, seen),
            Expected::Rejected => answer.status == 400 && is_refusal(&code),
            Expected::Code(expected) => refused(expected),
        },
    })
}

/// Tells whether a genuine delivery was taken, or found to be no event.
fn is_accepted(case: &Case, seen: (u16, &str)) -> bool {
    let is_stripe = case.scheme.as_str() == "stripe";
    if is_stripe && Event::from_payload(&case.payload).is_err() {
        return seen == (400, "payload_invalid");
    }
    // An event may be that of an earlier case.
    matches!(seen, (200, "stored" | "duplicate"))
}

fn is_refusal(code: &str) -> bool {
    code.starts_with("signature_")
        || matches!(code, "timestamp_out_of_tolerance" | "payload_invalid")
}

/// Judges a case whose headers HTTP has trimmed, in the case's own time.
fn verdict(case: &Case) -> Result<Option<&'static str>> {
    let secret = case.scheme.secret("case", case.secret.as_bytes())?;
    let headers = case.headers.iter();
    let head: Vec<(String, Vec<u8>)> = headers
        .map(|(name, value)| (name.clone(), trimmed(value).into()))
        .collect();
    let allowed = Duration::from_secs(case.tolerance.try_into()?);
    let tolerance = Tolerance {
        past: allowed,
        future: allowed,
    };
    let verified = case.scheme.read(RequestHead(&head)).and_then(|signed| {
        signed.check_age(Timestamp::from_unix_seconds(case.now), tolerance)?;
        let mut verifier = signed.verifier([&secret].into_iter());
        verifier.update(&case.payload);
        verifier.finish()
    });
    Ok(verified.err().map(|error| error.code().as_str()))
}

fn trimmed(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}
