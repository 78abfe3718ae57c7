//! Reading and deciding block: a few at a time, on threads of their own.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::Semaphore, task::spawn_blocking, time::timeout};
use tracing::warn;

/// Pages that are read at a time: more would take the disk from appends.
const PLACES: usize = 4;

/// How long a page waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// How long a broker may take for a page: some have to be read whole.
const BROKER: Duration = Duration::from_secs(10);

/// Waits for a log, as long as a page may take.
///
/// # Errors
/// [`Busy`].
pub(super) fn wait<T>(runtime: &Handle, answer: impl Future<Output = T>) -> Result<T, Busy> {
    runtime.block_on(async { timeout(BROKER, answer).await.map_err(|_| Busy) })
}

/// Runs what blocks.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Semaphore>);

/// Says that it didn't come to it, or took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Busy;

impl Pool {
    /// Makes one.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }

    /// Runs something. It ends by itself, and keeps its place until then, also if
    /// nobody waits for it any more.
    ///
    /// # Errors
    /// [`Busy`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Handle) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = timeout(TURN, Arc::clone(&self.0).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Busy);
        };
        let runtime = Handle::current();
        let done = spawn_blocking(move || {
            let done = work(&runtime);
            drop(place);
            done
        });
        done.await.map_err(|error| {
            warn!(%error, "a page of the console failed");
            Busy
        })
    }
}
