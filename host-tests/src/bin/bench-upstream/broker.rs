//! What a million events cost in nats-server's memory.

use std::time::Duration;

use anyhow::{Context, Result};
use hookgate_host_tests::measure::folder;
use hookgate_host_tests::nats::{Nats, Syncing};
use tokio::time::sleep;

use crate::store::{Kind, Store};
use crate::{row, table};

const EVENTS: usize = 1_000_000;
/// The fixture and little more; and what Stripe sends on average.
const SIZES: [usize; 2] = [640, 2_048];
/// After which nats-server has given back what it doesn't need.
const SETTLING: Duration = Duration::from_secs(30);

/// Measures an empty server, a filled one, and one that was started on what
/// there is.
pub(crate) async fn measure() -> Result<()> {
    let mut nats = Nats::start_in(folder()?, Syncing::Always).await?;
    nats.discard_output();
    sleep(Duration::from_secs(2)).await;
    let empty = nats.memory()?.resident;
    drop(nats);
    table(&format!("Memory of nats-server with {EVENTS} events:"));
    row("empty", &format!("{empty:.0} MiB"));
    for size in SIZES {
        let mut store = Store::filled(Kind::Nats, EVENTS, size).await?;
        sleep(SETTLING).await;
        let nats = store.nats.as_mut().context("no nats-server")?;
        let filled = nats.memory()?;
        nats.restart_syncing(Syncing::Always).await?;
        nats.discard_output();
        sleep(SETTLING).await;
        let restarted = nats.memory()?;
        let each = |memory: f64| (memory - empty) * 1_048_576.0 / 1_000_000.0;
        row(
            &format!(
                "{size} bytes each: {} s after the last, at most",
                SETTLING.as_secs()
            ),
            &format!(
                "{:.0} MiB ({:.0} bytes an event), {:.0} MiB",
                filled.resident,
                each(filled.resident),
                filled.peak
            ),
        );
        row(
            &format!(
                "{size} bytes each: {} s after a restart, at most",
                SETTLING.as_secs()
            ),
            &format!(
                "{:.0} MiB ({:.0} bytes an event), {:.0} MiB",
                restarted.resident,
                each(restarted.resident),
                restarted.peak
            ),
        );
    }
    Ok(())
}
