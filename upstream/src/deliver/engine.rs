//! Runs the destinations: takes what is due, sends it, writes down what became
//! of it.
//!
//! Each destination is a task of its own with its own connections, so that a
//! slow one holds up nobody else.

mod attempt;
mod standing;

use std::{mem, num::NonZeroU32, sync::Arc, time::Duration};

use hookgate_core::time::Timestamp;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tracing::{info, warn};

use self::attempt::Courier;
pub(crate) use self::standing::{Standing, Watched};
use super::{
    destination::Destination,
    health::Permit,
    job::Job,
    schedule::{OpenError, Schedule},
    sender::SenderError,
};
use crate::{clock, expect::Reviewer, log::LogAddress, metrics::Metrics, telemetry::trace::Tracer};

/// How often an idle destination asks although it heard of nothing: for what
/// another program appended.
const IDLE: Duration = Duration::from_secs(1);

/// How often it is shown how much each destination has before it.
const BACKLOG_SHOWN: Duration = Duration::from_secs(5);

/// Is what deliveries are counted and traced with.
#[derive(Debug, Clone)]
pub(crate) struct Instruments {
    /// Counts.
    pub(crate) metrics: Metrics,
    /// Traces.
    pub(crate) tracer: Tracer,
}

/// Says why deliveries can't begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The schedule can't be used.
    #[error(transparent)]
    Schedule(#[from] OpenError),
    /// A target can't be sent to.
    #[error("destination `{name}`: {source}")]
    Sender {
        /// Which.
        name: String,
        /// Why.
        source: SenderError,
    },
}

/// Is the running deliveries of a log.
#[derive(Debug)]
pub(crate) struct Engine {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    schedule: Option<Arc<Schedule>>,
    destinations: Vec<Arc<Destination>>,
    watched: Vec<Watched>,
}

impl Engine {
    /// Begins to deliver; `approvals` people must approve of a redelivery. `news` changes when the log has taken an event.
    ///
    /// # Errors
    /// [`StartError`].
    pub(crate) async fn start(
        log: &LogAddress,
        destinations: Vec<Destination>,
        approvals: NonZeroU32,
        news: &watch::Receiver<u64>,
        instruments: &Instruments,
    ) -> Result<Self, StartError> {
        let destinations: Vec<Arc<Destination>> = destinations.into_iter().map(Arc::new).collect();
        let (stop, stopped) = watch::channel(false);
        let mut couriers = Vec::new();
        let mut schedule = None;
        if !destinations.is_empty() {
            let opened = Arc::new(Schedule::open(log, &destinations, approvals).await?);
            for destination in &destinations {
                let destination = Arc::clone(destination);
                let name = destination.name.clone();
                let courier = Courier::new(destination, Arc::clone(&opened), instruments.clone())
                    .map_err(|source| StartError::Sender { name, source })?;
                couriers.push(Arc::new(courier));
            }
            schedule = Some(opened);
        }
        let watched = couriers.iter().map(|courier| courier.watch()).collect();
        let mut tasks = Vec::new();
        if let Some(schedule) = &schedule {
            let carried = carry_out(Arc::clone(schedule), stopped.clone());
            tasks.push(tokio::spawn(carried));
        }
        for courier in couriers {
            let shown = show_backlog(Arc::clone(&courier), stopped.clone());
            tasks.push(tokio::spawn(shown));
            tasks.push(tokio::spawn(run(courier, news.clone(), stopped.clone())));
        }
        Ok(Self {
            stop,
            tasks,
            schedule,
            destinations,
            watched,
        })
    }

    /// Returns what lets people decide about an event; `None` if nothing is delivered. To be
    /// dropped before this is stopped.
    pub(crate) fn reviewer(&self) -> Option<Reviewer> {
        let schedule = Arc::clone(self.schedule.as_ref()?);
        let destinations = self.destinations.clone();
        Some(Reviewer {
            schedule,
            destinations,
        })
    }

    /// Returns what shows how each destination is.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        self.watched.clone()
    }

    /// Takes nothing new up and waits for what is under way, which ends within
    /// its destination's timeout. Nobody reads the log for deliveries afterwards.
    pub(crate) async fn stop(self) {
        // Nobody listens where there are no destinations.
        let _ = self.stop.send(true);
        for task in self.tasks {
            if let Err(defect) = task.await {
                warn!(%defect, "deliveries to a destination ended early");
            }
        }
        // The tasks had the others.
        if let Some(schedule) = self.schedule.and_then(Arc::into_inner) {
            schedule.close().await;
        }
    }
}

/// Delivers to one destination until told to stop.
async fn run(
    courier: Arc<Courier>,
    mut news: watch::Receiver<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    let destination = &courier.destination;
    info!(
        destination = destination.name,
        target = %destination.primary,
        "delivering"
    );
    let mut under_way = JoinSet::new();
    let mut ready: Vec<Job> = Vec::new();
    while !*stopped.borrow() {
        while under_way.try_join_next().is_some() {}
        let wait = match courier.held_until() {
            Some(at) => {
                courier.hand_back(mem::take(&mut ready)).await;
                Wait::Time(until(at))
            }
            None if ready.is_empty() => {
                news.mark_unchanged();
                // As many again as may be under way: they are at hand when
                // those have ended.
                match courier.due().await {
                    Some(due) => {
                        ready = due.jobs;
                        // The oldest are taken from the end.
                        ready.reverse();
                        let next_in = due.next_at.map(until);
                        Wait::News(next_in.map_or(IDLE, |next| next.min(IDLE)))
                    }
                    None => Wait::Time(IDLE),
                }
            }
            None => Wait::Time(Duration::ZERO),
        };
        let wait = match ready.pop() {
            None => wait,
            Some(job) => match courier.permit(under_way.len()) {
                Permit::Now(via) => {
                    let courier = Arc::clone(&courier);
                    under_way.spawn(async move { courier.deliver(job, via).await });
                    continue;
                }
                refused => {
                    ready.push(job);
                    match refused {
                        Permit::At(at) => Wait::Time(until(at)),
                        _ => Wait::End,
                    }
                }
            },
        };
        tokio::select! {
            _ = under_way.join_next(), if !under_way.is_empty() => {}
            () = wait.over(&mut news) => {}
            _ = stopped.changed() => {}
        }
    }
    courier.hand_back(ready).await;
    while under_way.join_next().await.is_some() {}
}

/// Carries out what people decide until told to stop.
async fn carry_out(schedule: Arc<Schedule>, mut stopped: watch::Receiver<bool>) {
    let turn = async || {
        // It has told why, and the next turn finds the same.
        let _ = schedule.carry_out().await;
        sleep(IDLE).await;
    };
    while !*stopped.borrow() {
        // Whatever is cut off here, nothing is half done by it.
        tokio::select! {
            () = turn() => {}
            _ = stopped.changed() => {}
        }
    }
}

async fn show_backlog(courier: Arc<Courier>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        courier.show_backlog().await;
        tokio::select! {
            () = sleep(BACKLOG_SHOWN) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Says what a destination waits for, beside the end of a delivery.
enum Wait {
    /// Something new in the log, or this time.
    News(Duration),
    /// This time.
    Time(Duration),
    /// Nothing else.
    End,
}

impl Wait {
    async fn over(self, news: &mut watch::Receiver<u64>) {
        match self {
            Self::News(time) => {
                tokio::select! {
                    changed = news.changed() => if changed.is_err() {
                        // The server is about to stop.
                        sleep(time).await;
                    },
                    () = sleep(time) => {}
                }
            }
            Self::Time(time) => sleep(time).await,
            Self::End => std::future::pending().await,
        }
    }
}

/// Returns how long it is until a time; at least a millisecond, the clock's
/// grain.
fn until(at: Timestamp) -> Duration {
    let now = clock::now();
    let millis = at.unix_millis().saturating_sub(now.unix_millis());
    Duration::from_millis(millis.max(1))
}
