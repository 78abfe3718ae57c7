//! Routes by event type: the gate names them, Envoy takes them, and no client
//! can.

use anyhow::Result;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::PLATFORM;
use hookgate_host_tests::script::Script;
use serde_json::{Value, json};

use super::{event, gate};
use crate::{assert_problem, assert_stored};

const ROUTE: &str = "x-hookgate-route";

/// The upstream, and those behind routes of their own.
struct Doors {
    envoy: Envoy,
    upstream: Script,
    payouts: Script,
    decider: Script,
}

impl Doors {
    async fn start(policy: Value) -> Result<Self> {
        let (upstream, payouts, decider) = (
            Script::start([]).await?,
            Script::start([]).await?,
            Script::start([]).await?,
        );
        let endpoint = json!({
            "name": PLATFORM.name,
            "path": PLATFORM.path,
            "keyring": "file",
            "policy": policy,
        });
        let envoy = Setup::complete(&["routing-by-type", "decider"])
            .gate(gate(&[endpoint]))
            .cluster(8082, payouts.address())
            .cluster(8083, decider.address())
            .start(upstream.address())
            .await?;
        Ok(Self {
            envoy,
            upstream,
            payouts,
            decider,
        })
    }

    fn counts(&self) -> [usize; 3] {
        [&self.upstream, &self.payouts, &self.decider].map(Script::count)
    }
}

#[tokio::test]
async fn the_first_route_that_matches_is_taken() -> Result<()> {
    let doors = Doors::start(json!({"routes": [
        {"types": ["payout.failed"], "route": "unknown-to-envoy"},
        {"types": ["transfer.*", "payout.*"], "route": "payouts"},
        {"types": ["*"], "route": "default"},
    ]}))
    .await?;
    for (r#type, counts) in [
        ("payout.paid", [0, 1, 0]),
        ("transfer.created", [0, 2, 0]),
        ("invoice.paid", [1, 2, 0]),
        // Envoy's own choice where no route has that name.
        ("payout.failed", [2, 2, 0]),
    ] {
        let event = event(json!({"type": r#type}))?;
        assert_stored(&doors.envoy.send(PLATFORM.deliver(&event)?).await?);
        assert_eq!(doors.counts(), counts, "{type}");
        let again = doors.envoy.send(PLATFORM.deliver(&event)?).await?;
        assert_problem(&again, 200, "duplicate");
    }
    let names = |script: &Script| -> Vec<_> {
        let received = script.received().into_iter();
        received
            .map(|request| request.header(ROUTE).map(str::to_owned))
            .collect()
    };
    let payouts = Some("payouts".to_owned());
    assert_eq!(names(&doors.payouts), [payouts.clone(), payouts]);
    assert_eq!(
        names(&doors.upstream),
        ["default", "unknown-to-envoy"].map(|name| Some(name.to_owned()))
    );
    Ok(())
}

#[tokio::test]
async fn a_client_cannot_choose_the_route() -> Result<()> {
    let doors = Doors::start(json!({"routes": [
        {"types": ["payout.*"], "route": "payouts"},
    ]}))
    .await?;
    for (r#type, counts) in [
        ("invoice.paid", [2, 0, 0]),
        // The gate's own stands in the place of the client's.
        ("payout.paid", [2, 2, 0]),
    ] {
        for wish in ["payouts", "decider"] {
            let delivery = PLATFORM
                .deliver(&event(json!({"type": r#type}))?)?
                .header(ROUTE, wish)?;
            assert_stored(&doors.envoy.send(delivery).await?);
        }
        assert_eq!(doors.counts(), counts, "{type}");
    }
    let routes: Vec<_> = doors.payouts.received();
    for request in &routes {
        let all = request.headers.get_all(ROUTE).iter();
        assert_eq!(all.collect::<Vec<_>>(), ["payouts"]);
    }
    let upstream = doors.upstream.received();
    assert!(
        upstream
            .iter()
            .all(|request| request.header(ROUTE).is_none())
    );
    Ok(())
}
