//! What becomes of each event of a decision.

use hookgate_core::time::Timestamp;

use super::{Decision, Request, facts::Facts, known::Known};
use crate::{
    clock,
    deliver::schedule::nats::Parking,
    evidence::{Link, LogId},
    review::{
        audit::{Action, Record},
        outcome::{Item, Outcome, Refusal},
    },
};

/// Decides about one event after the other. What it writes counts when the
/// ledger has taken it.
pub(super) struct Hearing<'a> {
    facts: &'a Facts,
    known: &'a mut Known,
    log: LogId,
    request: Request<'a>,
    now: Timestamp,
    records: Vec<(Record, Link)>,
}

/// Says what an event waits for at a destination.
enum Waiting<'a> {
    /// Nothing.
    Not,
    /// Its next attempt, or the end of one.
    ForDelivery,
    /// A person, who doesn't see it yet.
    ForRequest,
    /// A person.
    ForPerson(&'a Parking),
}

impl<'a> Hearing<'a> {
    /// Goes on where the trail ends.
    pub(super) fn open(
        facts: &'a Facts,
        known: &'a mut Known,
        log: LogId,
        request: Request<'a>,
    ) -> Self {
        Self {
            facts,
            known,
            log,
            request,
            now: clock::now(),
            records: Vec::new(),
        }
    }

    /// Returns what is to be written.
    pub(super) fn close(self) -> Vec<(Record, Link)> {
        self.records
    }

    /// Decides about one event.
    pub(super) fn decide(&mut self, item: &Item) -> Outcome {
        if let Some(before) = self.known.in_batch(self.request.batch, item) {
            let before = Box::new(before.clone());
            return if self.is_repeated(item, &before) {
                Outcome::Before(before)
            } else {
                Outcome::Refused(Refusal::Decided(before))
            };
        }
        let outcome = match self.request.decision {
            Decision::Approve { to } => self.approve(item, to.as_deref()),
            Decision::Discard => self.discard(item),
            Decision::Redeliver => self.redeliver(item),
        };
        outcome.unwrap_or_else(Outcome::Refused)
    }

    /// Tells whether what is asked for is what was done before.
    fn is_repeated(&self, item: &Item, before: &Record) -> bool {
        let target = match self.request.decision {
            Decision::Approve { to: Some(to) } => Some(to),
            Decision::Approve { to: None } | Decision::Redeliver => Some(&item.destination),
            Decision::Discard => None,
        };
        self.request.operator.is(&before.name) && before.target.as_ref() == target
    }

    fn approve(&mut self, item: &Item, to: Option<&str>) -> Result<Outcome, Refusal> {
        let parking = self.parked(item)?;
        let target = to.unwrap_or(&item.destination);
        if target != item.destination {
            self.is_free(target, item.sequence)?;
        }
        self.can_go(item, target)?;
        let have = self.approved(item, target)?;
        let need = self.facts.rules.approvals;
        if have < need {
            self.record(item, Action::Approved, Some(target), Some(parking.number));
            return Ok(Outcome::Approved { have, need });
        }
        self.record(item, Action::Released, Some(target), Some(parking.number));
        Ok(Outcome::Released)
    }

    fn discard(&mut self, item: &Item) -> Result<Outcome, Refusal> {
        let parking = self.parked(item)?;
        self.record(item, Action::Discarded, None, Some(parking.number));
        Ok(Outcome::Discarded)
    }

    fn redeliver(&mut self, item: &Item) -> Result<Outcome, Refusal> {
        let target = item.destination.as_str();
        self.is_free(target, item.sequence)?;
        self.can_go(item, target)?;
        let need = self.facts.rules.approvals;
        if need > 1 {
            // Others find it where they look anyway.
            self.record(item, Action::Approved, Some(target), None);
            return Ok(Outcome::Approved { have: 1, need });
        }
        self.record(item, Action::Released, Some(target), None);
        Ok(Outcome::Released)
    }

    fn waiting(&self, destination: &str, sequence: u64) -> Waiting<'a> {
        let (facts, records) = (self.facts, self.known.of(destination, sequence));
        let ours = || records.iter().filter(|record| record.log == self.log);
        if let Some(parking) = facts.parking(destination, sequence) {
            let ends = |it: &Record| it.is_final() && it.parking == Some(parking.number);
            if !ours().any(ends) {
                return Waiting::ForPerson(parking);
            }
        }
        let is_asked_for = |it: &Record| {
            it.number > facts.carried() && it.action == Action::Approved && it.parking.is_none()
        };
        if ours().any(is_asked_for) {
            return Waiting::ForRequest;
        }
        let is_let_go = (self.known).is_released_after(destination, sequence, facts.carried());
        if is_let_go || facts.is_again(destination, sequence) {
            return Waiting::ForDelivery;
        }
        // Whoever ended its stay in review found it settled.
        if facts.is_unsettled(destination, sequence) && !ours().any(Record::is_final) {
            return Waiting::ForDelivery;
        }
        Waiting::Not
    }

    fn parked(&self, item: &Item) -> Result<&'a Parking, Refusal> {
        let otherwise = match self.waiting(&item.destination, item.sequence) {
            Waiting::ForPerson(parking) => return Ok(parking),
            Waiting::ForDelivery => Refusal::UnderWay,
            Waiting::ForRequest | Waiting::Not => Refusal::NotParked,
        };
        let decisions = self.known.of(&item.destination, item.sequence).iter();
        let last = decisions.rev().find(|record| record.log == self.log);
        Err(last.map_or(otherwise, |last| Refusal::Decided(Box::new(last.clone()))))
    }

    /// Checks that nobody else gets an event to a destination.
    fn is_free(&self, target: &str, sequence: u64) -> Result<(), Refusal> {
        match self.waiting(target, sequence) {
            Waiting::Not => Ok(()),
            Waiting::ForDelivery => Err(Refusal::UnderWay),
            Waiting::ForPerson(_) | Waiting::ForRequest => Err(Refusal::IsParked),
        }
    }

    /// Checks that a destination can get an event, and once.
    fn can_go(&self, item: &Item, target: &str) -> Result<(), Refusal> {
        let mut configured = self.facts.rules.destinations.iter();
        if !configured.any(|name| name == target) {
            return Err(Refusal::NotConfigured(target.to_owned()));
        }
        if item.entry.as_ref().is_none_or(|entry| entry.redacted) {
            return Err(Refusal::Undeliverable);
        }
        if self.facts.is_ahead(target, item.sequence) {
            return Err(Refusal::Ahead);
        }
        Ok(())
    }

    /// Counts who approves of this target since it was parked, with who asks now.
    fn approved(&self, item: &Item, target: &str) -> Result<u32, Refusal> {
        let records = self.known.of(&item.destination, item.sequence).iter().rev();
        let since = records
            .filter(|it| it.log == self.log)
            .take_while(|it| !it.is_final());
        let mut have: u32 = 1;
        for record in since.filter(|it| it.target.as_deref() == Some(target)) {
            if self.request.operator.is(&record.name) {
                return Err(Refusal::SamePerson);
            }
            have = have.saturating_add(1);
        }
        Ok(have)
    }

    fn record(&mut self, item: &Item, action: Action, target: Option<&str>, parking: Option<u64>) {
        let event = item.entry.as_ref().map(|entry| &entry.attributes);
        let mut chain = self.known.chain(self.log);
        let record = Record {
            number: self.known.last().saturating_add(1),
            log: self.log,
            at: self.now,
            batch: self.request.batch.as_str().to_owned(),
            action,
            name: self.request.operator.name().to_owned(),
            reason: self.request.operator.reason().to_owned(),
            destination: item.destination.clone(),
            target: target.map(str::to_owned),
            sequence: item.sequence,
            source: event.map_or_else(String::new, |event| event.source.to_string()),
            id: event.map_or_else(String::new, |event| event.id.clone()),
            parking,
        };
        let link = chain.extend(&record.digest());
        self.records.push((record.clone(), link));
        self.known.add(record, link);
    }
}
