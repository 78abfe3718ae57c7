//! Reads the log behind the appends, tells what is found, and lets people decide.
//!
//! On a thread of its own, as reconciliation is: a log in a file is read where it blocks
//! nobody. It rests as long as it worked, so that it takes half of a core at most.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hookgate_core::{policy::TypePattern, time::Timestamp};
use hookgate_watch::expect::{Finding, Flag, Kind};
use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle, time::sleep};
use tracing::{error, info, warn};

use super::{
    got::Deliveries,
    learner::Learner,
    reporters::Reports,
    settings::Settings,
    store::{Store, StoreError},
    told::{self, About, Told},
    view::{FLAGS, HOURS, View},
};
use crate::{
    clock,
    deliver::{destination::Destination, job::ParkReason, schedule::Schedule},
    gate_watch,
    log::{Entry, LogAddress, ReadError, Reader},
    metrics::Metrics,
};

/// How far back a server begins that has learnt nothing: enough for two of each week.
pub(super) const PAST: Duration = Duration::from_hours(15 * 24);
/// Events that it begins with, at most.
pub(super) const PAST_EVENTS: u64 = 300_000;
/// Events that are read at once.
const BATCH: NonZeroUsize = NonZeroUsize::MIN.saturating_add(199);
/// Time between two looks at a log that has nothing new.
const IDLE: Duration = Duration::from_secs(1);
/// The same after an error.
const AGAIN: Duration = Duration::from_secs(5);
/// Time between two savings of what was learnt.
const SAVE: Duration = Duration::from_mins(5);

/// Time between two looks at what gates told.
const GATES: Duration = Duration::from_secs(5);
/// Events that may wait for the end of their delivery before they are parked.
const UNPARKED: usize = 10_000;
/// How far back that goes, in seconds.
const WEEK: u64 = 7 * 86_400;

/// Says why a look failed; the next one goes on there.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Parks what people should look at.
#[derive(Debug, Clone)]
pub(crate) struct Reviewer {
    /// Where it waits.
    pub(crate) schedule: Arc<Schedule>,
    /// Whose queue.
    pub(crate) destinations: Vec<Arc<Destination>>,
}

/// Holds expectations that are learnt and looked after.
#[derive(Debug)]
pub(crate) struct Expecting {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    reports: Reports,
    view: View,
}

impl Reviewer {
    /// Chooses in whose queue an event waits: where its completion is overdue, or of the first
    /// that gets such events.
    fn destination(&self, told: &Told, entry: &Entry) -> Option<&Arc<Destination>> {
        let mut destinations = self.destinations.iter();
        if told.kind == Kind::OverdueCompletion.name() {
            destinations.find(|it| it.name == told.expected)
        } else {
            destinations.find(|it| it.filter.matches(&entry.attributes))
        }
    }
}

impl Expecting {
    /// Begins where it ended; the past is read in the background.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn start(
        settings: Settings,
        log: LogAddress,
        verdicts: Option<Arc<gate_watch::Store>>,
        reviewer: Option<Reviewer>,
        metrics: Metrics,
    ) -> Result<Self, StoreError> {
        let store = Arc::new(Mutex::new(Store::open(settings.state.as_deref())?));
        let reports = Reports {
            store: Arc::clone(&store),
            reporters: Arc::new(settings.reporters),
        };
        let (learner, has_learnt) = Learner::restore(store, Deliveries::of(&log))?;
        let view = View::default();
        let (told, hours) = {
            let store = learner.store();
            (store.newest(FLAGS)?, store.hours(HOURS)?)
        };
        let before = told.clone();
        view.change(|shown| {
            (shown.told, shown.hours, shown.is_learning) = (told, hours, true);
        });
        let mut runner = Runner {
            log,
            learner,
            has_learnt,
            review: settings.review,
            reviewer,
            view: view.clone(),
            metrics,
            forecast_at: 0,
            verdicts,
            verdicts_at: Instant::now(),
            found: VecDeque::new(),
            unparked: VecDeque::new(),
        };
        let unparked = before.into_iter().filter(|told| runner.is_for_review(told));
        runner.unparked = unparked.collect();
        let (stop, stopped) = oneshot::channel();
        let runtime = Handle::current();
        let thread = tokio::task::spawn_blocking(move || runtime.block_on(runner.run(stopped)));
        // Said when it happens, and not when the server ends.
        let thread = tokio::spawn(async {
            if let Err(error) = thread.await {
                error!(%error, "expectations ended by themselves: what should follow events is not looked after until the server is started again");
            }
        });
        Ok(Self {
            stop,
            thread,
            reports,
            view,
        })
    }

    /// Returns what takes reports.
    pub(crate) fn reports(&self) -> Reports {
        self.reports.clone()
    }

    /// Returns what there is to see.
    pub(crate) fn view(&self) -> View {
        self.view.clone()
    }

    /// Ends it: what was learnt is kept.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.thread.await {
            warn!(%error, "expectations are not waited for");
        }
    }
}

struct Runner {
    log: LogAddress,
    learner: Learner,
    has_learnt: bool,
    review: Vec<TypePattern>,
    reviewer: Option<Reviewer>,
    view: View,
    metrics: Metrics,
    /// The hour that forecasts were made in.
    forecast_at: u64,
    /// What gates tell; `None` beside a log that keeps nothing of them.
    verdicts: Option<Arc<gate_watch::Store>>,
    verdicts_at: Instant,
    /// What is to be parked.
    unparked: VecDeque<Told>,
    /// What was found and isn't told yet.
    found: VecDeque<Finding>,
}

impl Runner {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        tokio::select! {
            _ = &mut stopped => {}
            () = self.forever() => {}
        }
        self.save();
    }

    /// Keeps what was learnt, unless something found with it would be forgotten.
    fn save(&self) {
        if self.found.is_empty()
            && self.learner.is_told()
            && let Err(error) = self.learner.save()
        {
            warn!(%error, "what was learnt could not be kept");
        }
    }

    async fn forever(&mut self) {
        // Readers of the others attach anew for each look, and a client of Kafka that doesn't
        // find its topic may end the process.
        if !matches!(self.log, LogAddress::Sqlite(_) | LogAddress::Nats(_)) {
            self.view.change(|shown| shown.is_learning = false);
            info!("nothing is learnt of what follows events: this log is not read by its server");
            return std::future::pending().await;
        }
        let (mut reader, mut saved) = (None, Instant::now());
        self.metrics.judged(clock::now());
        loop {
            let began = Instant::now();
            let rest = match self.look(&mut reader).await {
                Ok(true) => began.elapsed(),
                Ok(false) => IDLE,
                Err(error) => {
                    warn!(%error, "looking for what is overdue again");
                    reader = None;
                    AGAIN
                }
            };
            if saved.elapsed() >= SAVE {
                saved = Instant::now();
                self.save();
            }
            sleep(rest).await;
        }
    }

    /// Takes what the log has; tells whether there may be more.
    async fn look(&mut self, reader: &mut Option<Reader>) -> Result<bool, LookError> {
        if reader.is_none() {
            let opened = Reader::open(&self.log).await?;
            self.begin(&opened).await?;
            *reader = Some(opened);
        }
        let Some(reader) = reader else {
            return Ok(false);
        };
        // What is stored after this moment may be missing in what is read.
        let now = clock::now();
        let events = self.read(reader).await?;
        for (entry, payload) in &events {
            self.learner.take(entry, payload)?;
        }
        let more = events.len() >= BATCH.get();
        if !more {
            self.learner.come_to_now(now.unix_millis())?;
        }
        self.tell(reader).await?;
        self.park(reader).await?;
        self.look_at_gates(now).await;
        self.metrics.judged(now);
        self.show(more);
        Ok(more)
    }

    /// Goes on where it was; or from the recent past, if nothing was learnt of this log.
    async fn begin(&mut self, reader: &Reader) -> Result<(), LookError> {
        let newest = reader.newest().await?;
        let is_of_this_log = newest.unwrap_or_default() >= self.learner.sequence();
        if self.has_learnt && is_of_this_log {
            return Ok(());
        }
        if self.has_learnt {
            warn!("the log ends before what was learnt of it: expectations are learnt anew");
            self.learner.forget()?;
        }
        let since = clock::now().unix_millis();
        let past = u64::try_from(PAST.as_millis()).unwrap_or_default();
        let since = Timestamp::from_unix_millis(since.saturating_sub(past));
        let first = match reader.first_at(since).await? {
            Some(first) => first,
            None => newest.map_or(0, |newest| newest.saturating_add(1)),
        };
        let newest = newest.unwrap_or_default();
        let first = first.max(newest.saturating_sub(PAST_EVENTS));
        info!(
            from = first,
            to = newest,
            "learning what to expect of events"
        );
        self.learner.skip_to(first.saturating_sub(1));
        self.has_learnt = true;
        Ok(())
    }

    /// Reads on; what is damaged is passed over, and told by others.
    async fn read(&mut self, reader: &Reader) -> Result<Vec<(Entry, Bytes)>, ReadError> {
        let next = self.learner.sequence().saturating_add(1);
        match reader.scan(next, BATCH).await {
            Err(ReadError::Damage(_)) => {}
            read => return read,
        }
        match reader.scan(next, NonZeroUsize::MIN).await {
            Err(ReadError::Damage(damage)) => {
                self.learner.skip_to(damage.sequence().max(next));
                Ok(Vec::new())
            }
            read => read,
        }
    }

    /// Takes what gates told in the last week; what can't be read now is when it can.
    async fn look_at_gates(&mut self, now: Timestamp) {
        let Some(store) = &self.verdicts else {
            return;
        };
        if self.verdicts_at > Instant::now() {
            return;
        }
        self.verdicts_at = Instant::now() + GATES;
        let since = Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(WEEK));
        if let Ok(verdicts) = store.since(since).await {
            let verdicts = verdicts.into_iter().map(Told::from).collect();
            self.view.change(|shown| shown.verdicts = verdicts);
        }
    }

    async fn tell(&mut self, reader: &Reader) -> Result<(), LookError> {
        let found = self.learner.found();
        for hour in found.hours {
            self.learner.store().add_hour(&hour)?;
            self.view.change(|shown| shown.add_hour(hour));
        }
        for told in found.told {
            self.say(told)?;
        }
        self.found.extend(found.findings);
        while let Some(finding) = self.found.front().cloned() {
            match finding {
                Finding::Flag(flag) => self.flag(reader, flag).await?,
                Finding::Late {
                    sequence,
                    kind,
                    expected,
                } => self.came(&format!("{} {sequence} {expected}", kind.name()))?,
            }
            self.found.pop_front();
        }
        Ok(())
    }

    fn came(&self, key: &str) -> Result<(), StoreError> {
        let known = self.learner.store().told(key)?;
        if let Some(mut told) = known {
            told.came = Some(clock::now().to_string());
            self.learner.store().amend(&told)?;
            self.view.change(|shown| shown.amend(&told));
        }
        Ok(())
    }

    fn say(&mut self, told: Told) -> Result<(), StoreError> {
        if self.learner.store().tell(&told)? {
            self.metrics.flagged(&told);
            if self.is_for_review(&told) {
                self.unparked.push_back(told.clone());
                if self.unparked.len() > UNPARKED {
                    self.unparked.pop_front();
                }
            }
            self.view.change(|shown| shown.add(told));
        }
        Ok(())
    }

    async fn flag(&mut self, reader: &Reader, flag: Flag) -> Result<(), LookError> {
        let event = entry(reader, flag.sequence).await?;
        let mut similar = Vec::new();
        for sequence in &flag.similar {
            let entry = entry(reader, *sequence).await?;
            similar.extend(entry.map(|entry| entry.attributes.id));
        }
        let about = event.as_ref().map(|entry| About {
            sequence: entry.sequence,
            id: entry.attributes.id.clone(),
            source: entry.attributes.source.as_str().to_owned(),
            account: entry.attributes.account.clone(),
        });
        let told = Told {
            at: Timestamp::from_unix_millis(flag.at_millis),
            kind: flag.kind.name().to_owned(),
            type_name: flag.type_name.clone(),
            expected: flag.expected.clone(),
            event: about,
            evidence: told::evidence(&flag),
            probability: flag.probability,
            similar,
            review: None,
            gate: None,
            came: None,
        };
        if self.learner.store().told(&told.key())?.is_some() {
            return Ok(());
        }
        if let Some(entry) = &event {
            let attributes = &entry.attributes;
            warn!(
                event_id = attributes.id,
                trace_id = attributes.trace_id(),
                kind = told.kind,
                type_name = told.type_name,
                evidence = told.evidence,
                "an event is not as expected"
            );
        }
        Ok(self.say(told)?)
    }

    /// Lets people decide about what is overdue and moves money; what is still to be
    /// delivered is looked at again later.
    async fn park(&mut self, reader: &Reader) -> Result<(), LookError> {
        let Some(reviewer) = self.reviewer.clone() else {
            self.unparked.clear();
            return Ok(());
        };
        for _ in 0..self.unparked.len() {
            let Some(mut told) = self.unparked.pop_front() else {
                break;
            };
            let sequence = told.event.as_ref().map(|event| event.sequence);
            let Some(entry) = entry(reader, sequence.unwrap_or_default()).await? else {
                continue;
            };
            let Some(destination) = reviewer.destination(&told, &entry) else {
                continue;
            };
            let parked = (reviewer.schedule)
                .park(destination, entry.sequence, ParkReason::Overdue)
                .await;
            // A schedule that fails has said why.
            if parked != Ok(true) {
                self.unparked.push_back(told);
                continue;
            }
            told.review = Some(destination.name.clone());
            self.learner.store().amend(&told)?;
            self.view.change(|shown| shown.amend(&told));
        }
        Ok(())
    }

    /// Tells whether a person is to decide about it.
    fn is_for_review(&self, told: &Told) -> bool {
        let wanted = |it: &TypePattern| it.matches(&told.type_name);
        told.is_overdue()
            && told.review.is_none()
            && told.came.is_none()
            && told.event.is_some()
            && self.review.iter().any(wanted)
    }

    fn show(&mut self, is_learning: bool) {
        let hour = self.learner.hour();
        let counts = self.learner.counts();
        self.metrics.expected(&counts);
        let at = hour.map_or(0, |hour| hour.at);
        let forecasts = (at != self.forecast_at).then(|| self.learner.forecasts());
        self.forecast_at = at;
        if let Some(forecasts) = &forecasts {
            self.metrics.forecast(forecasts);
        }
        self.view.change(|shown| {
            hour.into_iter().for_each(|hour| shown.add_hour(hour));
            shown.forecasts = forecasts.unwrap_or_else(|| std::mem::take(&mut shown.forecasts));
            (shown.overdue, shown.is_learning) = (counts.overdue, is_learning);
        });
    }
}

/// Reads an event; `None` if the log doesn't have it any more, or it is damaged.
async fn entry(reader: &Reader, sequence: u64) -> Result<Option<Entry>, ReadError> {
    match reader.scan(sequence, NonZeroUsize::MIN).await {
        Ok(found) => {
            let first = found.into_iter().next().map(|(entry, _)| entry);
            Ok(first.filter(|entry| entry.sequence == sequence))
        }
        Err(ReadError::Damage(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
