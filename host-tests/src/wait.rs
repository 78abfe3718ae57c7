//! Waits for something to become true, with a deadline and a name.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// How long anything that should happen at once may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// Longer than a lease of the gate, and than a dead upstream's deliveries are
/// waited for: what isn't there by then never comes.
pub const A_LONG_TIME: Duration = Duration::from_secs(90);

/// Asks `probe` again and again until it has a value, at most for `limit`.
///
/// # Errors
/// What `probe` fails with, or the deadline, which names `what`.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = probe().await? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("waited {limit:?} in vain for {what}");
        }
        sleep(Duration::from_millis(20)).await;
    }
}
