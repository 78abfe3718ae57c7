//! Sealing the stream: a checkpoint for what was appended, again and again.
//!
//! Of several upstreams one seals. The newest checkpoint is its lease: whoever
//! wrote that goes on, and another takes over when events wait and none comes.
//! The lease only saves work; that there is one chain, the
//! [evidence](super::evidence) holds by itself. What isn't as it was appended is
//! never sealed: sealing stops there, and says so, until somebody has looked.

mod error;
mod range;

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use hookgate_core::time::Timestamp;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{error, info, warn};

pub(crate) use self::error::SealError;
use self::range::Ranges;
use super::{
    REQUEST_TIMEOUT, Servers,
    evidence::{Evidence, EvidenceError, Newest, Sealed},
    reader::{NatsReader, ReadError, timestamp},
    redact,
    retention::Retention,
};
use crate::{clock, metrics::Metrics};

/// Time between two checkpoints while less comes than one takes: how long an
/// event is not sealed.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long events wait for the upstream that sealed before, until another does.
const TAKEOVER: Duration = Duration::from_secs(5);

/// Time between two lines about the same fault.
const SILENCE: Duration = Duration::from_secs(60);

/// How often the start looks whether the log has what is sealed. A leader that
/// was just elected may need a moment.
const LOOKS: u32 = 5;

/// Says what one look led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Everything is sealed, or another upstream seals.
    Done,
    /// There is more.
    Behind,
}

/// Watches over the sealing of a log.
#[derive(Debug)]
pub(crate) struct Sealing {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Sealing {
    /// Seals what is left, and ends.
    pub(crate) async fn stop(self) {
        // The task ends before only with the runtime.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Seals a log.
#[derive(Debug)]
pub(crate) struct Sealer {
    log: Stream,
    evidence: Evidence,
    ranges: Ranges,
    retention: Option<Retention>,
    metrics: Option<Metrics>,
    /// What this upstream calls itself in its checkpoints.
    name: String,
    /// Whether it ends, and so waits for no other.
    leaving: bool,
    /// The newest checkpoint that events have been waiting after, and since when.
    waiting: Option<(u64, Instant)>,
    /// The oldest event that isn't sealed, and when it was stored.
    oldest: Option<(u64, Timestamp)>,
    /// The newest redaction that is known to be finished.
    finished: u64,
    /// What was said last, and when.
    said: Option<(String, Instant)>,
}

impl Sealer {
    /// Finds or begins the evidence of a log, to seal it, and to remove what is
    /// older than it is kept.
    ///
    /// # Errors
    /// [`SealError`].
    pub(crate) async fn open(server: &Servers, keep: Option<Duration>) -> Result<Self, SealError> {
        let reader = NatsReader::open(server).await?;
        let config = &reader.stream.cached_info().config;
        if keep.is_some() && config.deny_purge {
            return Err(SealError::DeniesPurge);
        }
        let evidence = Evidence::open(&reader.context, &reader.stream).await?;
        let (found, expected) = (evidence.copies(), config.num_replicas);
        if found < expected {
            return Err(SealError::Replicas {
                found,
                expected,
                server: server.clone(),
            });
        }
        let name = getrandom::u64().map_err(EvidenceError::Random)?;
        let sealer = Self {
            ranges: Ranges::new(&reader),
            log: reader.stream,
            evidence,
            retention: keep.map(Retention::new),
            metrics: None,
            name: format!("{name:016x}"),
            leaving: false,
            waiting: None,
            oldest: None,
            finished: 0,
            said: None,
        };
        sealer.has_what_is_sealed().await?;
        Ok(sealer)
    }

    /// Begins to seal, and shows how far that is.
    pub(crate) fn start(mut self, metrics: Metrics) -> Sealing {
        self.metrics = Some(metrics);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(self.run(stopped));
        Sealing { task, stop }
    }

    /// Looks whether the log still has what is sealed.
    async fn has_what_is_sealed(&self) -> Result<(), SealError> {
        let mut looks = 0;
        loop {
            let sealed = self.evidence.sealed().await?.value.link.sequence;
            let last = self.last().await?;
            if last >= sealed {
                return Ok(());
            }
            looks += 1;
            if looks == LOOKS {
                return Err(SealError::Lost { last, sealed });
            }
            sleep(INTERVAL).await;
        }
    }

    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            // Whatever is cut off here, nothing is half done by it.
            tokio::select! {
                () = self.turn() => {}
                _ = &mut stopped => break,
            }
        }
        self.leaving = true;
        let rest = async { while self.step().await == Step::Behind {} };
        // What isn't sealed now is, by another upstream or the next one.
        let _ = timeout(REQUEST_TIMEOUT, rest).await;
    }

    /// Seals what there is, and looks after what else is to be done.
    async fn turn(&mut self) {
        while self.step().await == Step::Behind {}
        self.finish_redaction().await;
        if let Some(retention) = &mut self.retention {
            retention.look(&self.log, &self.evidence).await;
        }
        sleep(INTERVAL).await;
    }

    /// Seals as much as one checkpoint takes; a fault is told.
    async fn step(&mut self) -> Step {
        match self.seal().await {
            Ok(step) => step,
            Err(error) => {
                self.tell(&error);
                Step::Done
            }
        }
    }

    async fn seal(&mut self) -> Result<Step, SealError> {
        let sealed = self.evidence.sealed().await?;
        let last = self.last().await?;
        let link = sealed.value.link;
        if last < link.sequence {
            let sealed = link.sequence;
            return Err(SealError::Lost { last, sealed });
        }
        if last == link.sequence {
            self.waiting = None;
            self.show(link.sequence, last).await?;
            return Ok(Step::Done);
        }
        if !self.holds_lease(&sealed) {
            self.show(link.sequence, last).await?;
            return Ok(Step::Done);
        }
        let read = self.ranges.read(&self.evidence, link, last, &self.name);
        let checkpoint = match read.await {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.show(link.sequence, last).await?;
                return Err(error);
            }
        };
        match self.evidence.seal(sealed.place, &checkpoint).await {
            Ok(_) => {}
            // Another upstream was faster: it goes on.
            Err(EvidenceError::Conflict) => return Ok(Step::Done),
            Err(error) => return Err(error.into()),
        }
        let reached = checkpoint.last().sequence;
        self.show(reached, last).await?;
        Ok(if reached < last {
            Step::Behind
        } else {
            Step::Done
        })
    }

    /// Tells whether it is this upstream that seals.
    fn holds_lease(&mut self, sealed: &Newest<Sealed>) -> bool {
        let by = &sealed.value.by;
        if self.leaving || by.is_empty() || *by == self.name {
            return true;
        }
        match self.waiting {
            Some((place, since)) if place == sealed.place => {
                let takes_over = since.elapsed() >= TAKEOVER;
                if takes_over {
                    info!("the upstream that sealed the log does so no more: sealing it");
                }
                takes_over
            }
            _ => {
                self.waiting = Some((sealed.place, Instant::now()));
                false
            }
        }
    }

    /// Shows how far the log is sealed.
    async fn show(&mut self, sealed: u64, last: u64) -> Result<(), SealError> {
        let unsealed = last.saturating_sub(sealed);
        self.oldest = match self.oldest {
            _ if unsealed == 0 => None,
            Some(oldest) if oldest.0 > sealed => Some(oldest),
            _ => {
                let oldest = sealed.saturating_add(1);
                Some((oldest, self.stored_at(oldest).await?))
            }
        };
        if let Some(metrics) = &self.metrics {
            metrics.unsealed(unsealed, self.oldest.map(|(_, stored_at)| stored_at));
        }
        Ok(())
    }

    /// Returns when an event was stored; now, if it is gone.
    async fn stored_at(&self, sequence: u64) -> Result<Timestamp, SealError> {
        match self.log.get_raw_message(sequence).await {
            Ok(message) => Ok(timestamp(message.time.unix_timestamp_nanos())),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(clock::now()),
            Err(error) => Err(ReadError::Messages(error.into()).into()),
        }
    }

    async fn last(&self) -> Result<u64, SealError> {
        Ok(self.log.get_info().await?.state.last_sequence)
    }

    /// Finishes the newest redaction, if whoever asked for it was killed.
    async fn finish_redaction(&mut self) {
        match redact::finish_newest(&self.log, &self.evidence, self.finished).await {
            Ok(finished) => self.finished = finished,
            Err(error) => self.say(format!("can't finish a redaction: {error}")),
        }
    }

    fn tell(&mut self, error: &SealError) {
        if !error.is_verdict() {
            return self.say(format!("can't seal the log: {error}"));
        }
        if self.is_news(&error.to_string()) {
            error!(
                "the log is not sealed any further: {error}. Events are stored and delivered all the same. `hookgate verify-log` says more; `hookgate redact --sequence` puts on record what is no event, or gone"
            );
        }
    }

    fn say(&mut self, text: String) {
        if self.is_news(&text) {
            warn!("{text}");
        }
    }

    /// Tells whether something wasn't said lately.
    fn is_news(&mut self, text: &str) -> bool {
        let old = self
            .said
            .as_ref()
            .is_some_and(|(said, at)| said == text && at.elapsed() < SILENCE);
        if !old {
            self.said = Some((text.to_owned(), Instant::now()));
        }
        !old
    }
}
