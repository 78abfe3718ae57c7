//! The links of the evidence, from one checkpoint to the next.

use std::collections::VecDeque;

use crate::{
    evidence::{Audit, Link},
    log::{
        VerifyError,
        nats::{
            evidence::{self, CHECKPOINT, Checkpoint, CutoffRecord, Evidence, EvidenceError},
            walk::Walk,
        },
    },
};

/// Hands links to an audit, and tells it what of the evidence isn't whole.
pub(super) struct Links {
    evidence: Evidence,
    walk: Walk,
    /// The newest place that is looked at.
    until: u64,
    /// The first place that wasn't.
    next: u64,
    /// Of the newest checkpoint, those that weren't handed over.
    links: VecDeque<Link>,
    /// The newest sequence that a checkpoint covers.
    covered: u64,
    /// Whether something is gone since that checkpoint.
    lost: bool,
}

impl Links {
    /// Begins after what retention removed.
    pub(super) fn start(evidence: &Evidence, cutoff: Option<CutoffRecord>, until: u64) -> Self {
        let next = cutoff
            .map_or(0, |cutoff| cutoff.checkpoint)
            .saturating_add(1);
        Self {
            evidence: evidence.clone(),
            walk: evidence.walk(next),
            until,
            next,
            links: VecDeque::new(),
            covered: cutoff.map_or(0, |cutoff| cutoff.cutoff.link.sequence),
            lost: false,
        }
    }

    /// Hands over the links up to a sequence.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub(super) async fn up_to(
        &mut self,
        sequence: u64,
        audit: &mut Audit,
    ) -> Result<(), VerifyError> {
        loop {
            while let Some(link) = self.links.pop_front_if(|link| link.sequence <= sequence) {
                audit.link(link);
            }
            if !self.links.is_empty() || self.covered >= sequence || !self.read(audit).await? {
                return Ok(());
            }
        }
    }

    /// Reads one message; `false` behind the last.
    async fn read(&mut self, audit: &mut Audit) -> Result<bool, VerifyError> {
        if self.next > self.until {
            return Ok(false);
        }
        let read = self.walk.next(self.until).await;
        let read = read.map_err(EvidenceError::Read)?;
        let read = read.filter(|(place, _)| *place <= self.until);
        let end = read
            .as_ref()
            .map_or(self.until.saturating_add(1), |it| it.0);
        while self.next < end {
            audit.evidence(self.next);
            self.lost = true;
            self.next = self.next.saturating_add(1);
        }
        let Some((place, message)) = read else {
            return Ok(false);
        };
        self.next = place.saturating_add(1);
        match message.subject.as_str() {
            CHECKPOINT => {
                let headers = message.headers.clone().unwrap_or_default();
                let read = self.evidence.checkpoint(place, &headers, &message.payload);
                self.take(place, read, audit);
            }
            subject if evidence::is_known(subject) => {}
            _ => audit.evidence(place),
        }
        Ok(true)
    }

    /// Takes a checkpoint that continues the one before it.
    fn take(&mut self, place: u64, checkpoint: Option<Checkpoint>, audit: &mut Audit) {
        let next = self.covered.saturating_add(1);
        let continued = |first| first == next || self.lost && first > next;
        match checkpoint.filter(|checkpoint| continued(checkpoint.first)) {
            Some(checkpoint) => {
                self.covered = checkpoint.last().sequence;
                self.links.extend(checkpoint.links());
                self.lost = false;
            }
            None => {
                audit.evidence(place);
                self.lost = true;
            }
        }
    }
}
