//! One transaction of a decision.

use hookgate_core::time::Timestamp;
use rusqlite::Connection;

use super::{
    Decision, Request, ReviewError, records,
    rows::{self, Waiting},
};
use crate::{
    clock,
    deliver::{object, schedule::sqlite::places},
    evidence::{Chain, LogId},
    log::sqlite::SqliteReader,
    review::{
        audit::{Action, Record},
        outcome::{Item, Outcome, Refusal},
    },
};

/// Decides about one event after the other. What it writes counts when the
/// transaction is committed.
pub(super) struct Hearing<'a> {
    connection: &'a Connection,
    log: &'a SqliteReader,
    id: LogId,
    request: Request<'a>,
    approvals: u32,
    now: Timestamp,
    /// The trail's, up to its newest record.
    chain: Option<Chain>,
}

impl<'a> Hearing<'a> {
    /// Goes on where the trail ends.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) fn open(
        connection: &'a Connection,
        log: &'a SqliteReader,
        id: LogId,
        request: Request<'a>,
    ) -> Result<Self, ReviewError> {
        Ok(Self {
            connection,
            log,
            id,
            request,
            approvals: rows::approvals(connection)?,
            now: clock::now(),
            chain: records::newest(connection)?.map(Chain::resume),
        })
    }

    /// Decides about one event.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) fn decide(&mut self, item: &Item) -> Result<Outcome, ReviewError> {
        let batch = self.request.batch;
        if let Some(before) = records::in_batch(self.connection, batch, item)? {
            return Ok(if self.is_repeated(item, &before) {
                Outcome::Before(Box::new(before))
            } else {
                Outcome::Refused(Refusal::Decided(Box::new(before)))
            });
        }
        let waiting = rows::waiting(self.connection, &item.destination, item.sequence)?;
        let outcome = match self.request.decision {
            Decision::Approve { to } => self.approve(item, waiting, to.as_deref()),
            Decision::Discard => self.discard(item, waiting),
            Decision::Redeliver => self.redeliver(item, waiting),
        };
        outcome.or_else(|stop| match stop {
            Stop::Refused(refusal) => Ok(Outcome::Refused(refusal)),
            Stop::Failed(error) => Err(error),
        })
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

    fn approve(
        &mut self,
        item: &Item,
        waiting: Waiting,
        to: Option<&str>,
    ) -> Result<Outcome, Stop> {
        self.is_parked(item, waiting)?;
        let target = to.unwrap_or(&item.destination);
        let moves = target != item.destination;
        if moves {
            match rows::waiting(self.connection, target, item.sequence)? {
                Waiting::Not => {}
                Waiting::ForDelivery => return Err(Refusal::UnderWay.into()),
                Waiting::ForPerson => return Err(Refusal::IsParked.into()),
            }
        }
        self.can_go(item, target)?;
        let have = self.approved(item, target)?;
        if have < self.approvals {
            self.record(item, Action::Approved, Some(target))?;
            let need = self.approvals;
            return Ok(Outcome::Approved { have, need });
        }
        if moves {
            places::remove(self.connection, &item.destination, item.sequence)?;
            self.make_due(item, target)?;
        } else {
            rows::release(self.connection, target, item.sequence, self.now)?;
        }
        self.record(item, Action::Released, Some(target))?;
        Ok(Outcome::Released)
    }

    fn discard(&mut self, item: &Item, waiting: Waiting) -> Result<Outcome, Stop> {
        self.is_parked(item, waiting)?;
        places::remove(self.connection, &item.destination, item.sequence)?;
        self.record(item, Action::Discarded, None)?;
        Ok(Outcome::Discarded)
    }

    fn redeliver(&mut self, item: &Item, waiting: Waiting) -> Result<Outcome, Stop> {
        match waiting {
            Waiting::Not => {}
            Waiting::ForDelivery => return Err(Refusal::UnderWay.into()),
            Waiting::ForPerson => return Err(Refusal::IsParked.into()),
        }
        let target = item.destination.as_str();
        self.can_go(item, target)?;
        self.make_due(item, target)?;
        if self.approvals > 1 {
            // Others find it where they look anyway.
            rows::request(self.connection, target, item.sequence, self.now)?;
            self.record(item, Action::Approved, Some(target))?;
            let need = self.approvals;
            return Ok(Outcome::Approved { have: 1, need });
        }
        self.record(item, Action::Released, Some(target))?;
        Ok(Outcome::Released)
    }

    fn is_parked(&self, item: &Item, waiting: Waiting) -> Result<(), Stop> {
        let otherwise = match waiting {
            Waiting::ForPerson => return Ok(()),
            Waiting::ForDelivery => Refusal::UnderWay,
            Waiting::Not => Refusal::NotParked,
        };
        let mut decisions = records::of(self.connection, self.id, item)?;
        let last = decisions.pop().map(Box::new);
        let refusal = last.map_or(otherwise, Refusal::Decided);
        Err(refusal.into())
    }

    /// Checks that a destination can get an event, and once.
    fn can_go(&self, item: &Item, target: &str) -> Result<(), Stop> {
        if !rows::configured(self.connection)?
            .iter()
            .any(|name| name == target)
        {
            return Err(Refusal::NotConfigured(target.to_owned()).into());
        }
        if item.entry.as_ref().is_none_or(|entry| entry.redacted) {
            return Err(Refusal::Undeliverable.into());
        }
        let position = places::position(self.connection, target)?.unwrap_or_default();
        if item.sequence > position {
            return Err(Refusal::Ahead.into());
        }
        Ok(())
    }

    /// Counts who approves of this target, with who asks now.
    fn approved(&self, item: &Item, target: &str) -> Result<u32, Stop> {
        let names = records::approvals(self.connection, self.id, item, target)?;
        if names.iter().any(|name| self.request.operator.is(name)) {
            return Err(Refusal::SamePerson.into());
        }
        let before = u32::try_from(names.len()).unwrap_or(u32::MAX);
        Ok(before.saturating_add(1))
    }

    fn make_due(&self, item: &Item, target: &str) -> Result<(), Stop> {
        let mut key = None;
        if rows::is_ordered(self.connection, target)? {
            let found = self.log.at(item.sequence).map_err(ReviewError::from)?;
            key = found.and_then(|(entry, payload)| object::key(&entry.attributes, &payload));
        }
        let key = key.as_ref().map(<[u8; object::KEY_BYTES]>::as_slice);
        rows::make_due(self.connection, target, item.sequence, key, self.now)?;
        Ok(())
    }

    fn record(&mut self, item: &Item, action: Action, target: Option<&str>) -> Result<(), Stop> {
        let event = item.entry.as_ref().map(|entry| &entry.attributes);
        let mut chain = self
            .chain
            .unwrap_or_else(|| crate::review::audit::start(self.id));
        let record = Record {
            number: chain.newest().sequence.saturating_add(1),
            log: self.id,
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
            parking: None,
        };
        let link = chain.extend(&record.digest());
        records::append(self.connection, &record, link)?;
        self.chain = Some(chain);
        Ok(())
    }
}

/// Ends a decision about one event without a change.
enum Stop {
    Refused(Refusal),
    Failed(ReviewError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ReviewError> for Stop {
    fn from(error: ReviewError) -> Self {
        Self::Failed(error)
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.into())
    }
}
