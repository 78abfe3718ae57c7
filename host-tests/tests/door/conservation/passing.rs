//! A gate that lets unknown paths pass.

use anyhow::Result;
use hookgate_core::outcome::Outcome;
use hookgate_host_tests::client::Delivery;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::script::Script;

use super::{Door, load::count_of};
use crate::assert_stored;

/// Starts Envoy and returns what it counts after some of the gate's own
/// deliveries and some of others.
pub(super) async fn counted() -> Result<Exposition> {
    let upstream = Script::start([]).await?;
    let setup = Setup::shipped().edit(
        r#""upstream_timeout_seconds": 10"#,
        r#""upstream_timeout_seconds": 10, "pass_unknown_paths": true"#,
    );
    let door = Door::new(setup.start(upstream.address()).await?);
    for _ in 0..3 {
        door.send("_", Delivery::get("/elsewhere")).await?;
        for endpoint in [PLATFORM, CONNECT] {
            let delivery = endpoint.deliver(&Event::fresh()?)?;
            assert_stored(&door.send(endpoint.name, delivery).await?);
        }
    }
    door.assert_conserved().await
}

#[tokio::test]
async fn what_passes_is_conserved_too() -> Result<()> {
    let read = counted().await?;
    assert_eq!(count_of(&read, Outcome::Passed)?, 3);
    assert_eq!(count_of(&read, Outcome::Committed)?, 6);
    Ok(())
}
