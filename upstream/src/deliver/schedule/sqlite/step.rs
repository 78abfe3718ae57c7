//! One destination's step within a transaction: what is due, what is left.

use std::{collections::HashSet, num::NonZeroUsize};

use hookgate_core::time::Timestamp;
use rusqlite::Connection;
use tracing::{error, warn};

use super::{
    places::{self, Place, State},
    worker::Failure,
};
use crate::{
    deliver::{
        destination::{Destination, Order},
        job::{Job, ParkReason, Settlement},
        object,
        schedule::{Backlog, Due},
    },
    log::{
        Entry, ReadError,
        sqlite::{Scanned, SqliteReader},
    },
};

/// Events of the log that are looked at in one step: a destination that wants
/// few of them holds the others back for no longer.
const STEP: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);

/// Bytes of payloads that are handed out at a time, beside the first one.
const MAX_BYTES: usize = 8 * 1_024 * 1_024;

pub(super) struct Step<'a> {
    connection: &'a Connection,
    log: &'a SqliteReader,
    destination: &'a Destination,
    now: Timestamp,
}

impl<'a> Step<'a> {
    pub(super) const fn new(
        connection: &'a Connection,
        log: &'a SqliteReader,
        destination: &'a Destination,
        now: Timestamp,
    ) -> Self {
        Self {
            connection,
            log,
            destination,
            now,
        }
    }

    /// Chooses what is due. Half of the room is for events that were tried
    /// before, half for fresh ones, so that neither keeps the other waiting;
    /// what one leaves the other takes.
    pub(super) fn due(&self, room: NonZeroUsize, under_way: &HashSet<u64>) -> Result<Due, Failure> {
        let retrying = self.rows(State::Retrying, room.get(), under_way)?;
        let mut fresh = self.rows(State::Fresh, room.get(), under_way)?;
        let mut more = false;
        if fresh.len() < room.get() {
            more = self.look_on()?;
            fresh = self.rows(State::Fresh, room.get(), under_way)?;
        }
        let half = room.get().div_ceil(2);
        let of_retrying = retrying
            .len()
            .min(half.max(room.get().saturating_sub(fresh.len())));
        let of_fresh = room.get().saturating_sub(of_retrying);
        let chosen = retrying
            .iter()
            .take(of_retrying)
            .chain(fresh.iter().take(of_fresh));

        let mut jobs = Vec::new();
        let mut bytes = 0;
        for place in chosen {
            if bytes > MAX_BYTES {
                break;
            }
            if let Some(job) = self.job(*place)? {
                bytes += job.payload.len();
                jobs.push(job);
            }
        }
        let next_at = if more || bytes > MAX_BYTES {
            Some(self.now)
        } else {
            places::next_at(self.connection, &self.destination.name, self.now)?
        };
        Ok(Due { jobs, next_at })
    }

    fn rows(
        &self,
        state: State,
        room: usize,
        under_way: &HashSet<u64>,
    ) -> Result<Vec<Place>, Failure> {
        let limit = room.saturating_add(under_way.len());
        let name = &self.destination.name;
        let mut rows = places::due(self.connection, name, state, self.now, limit)?;
        rows.retain(|row| !under_way.contains(&row.sequence));
        rows.truncate(room);
        Ok(rows)
    }

    /// Takes in what the log has after the destination's position; tells
    /// whether there may be more.
    fn look_on(&self) -> Result<bool, Failure> {
        let name = &self.destination.name;
        let position = places::position(self.connection, name)?.unwrap_or_default();
        let entries = self.log.entries_from(position.saturating_add(1), STEP)?;
        let Some(Scanned { sequence: last, .. }) = entries.last() else {
            return Ok(false);
        };
        let link = self.log.link(*last)?;
        places::move_to(self.connection, name, *last, link, self.now)?;
        for Scanned { sequence, entry } in &entries {
            let object = match entry {
                Ok(entry) if entry.redacted || !self.concerns(entry) => continue,
                Ok(_) if self.destination.order == Order::Object => self.object(*sequence)?,
                // A damaged one is parked when its turn comes.
                Ok(_) | Err(_) => None,
            };
            let object = object.as_ref().map(<[u8; object::KEY_BYTES]>::as_slice);
            let is_held = matches!(entry, Ok(entry) if entry.attributes.held_for.is_some());
            let add = if is_held { places::hold } else { places::add };
            add(self.connection, name, *sequence, object, self.now)?;
        }
        Ok(entries.len() >= STEP.get())
    }

    fn concerns(&self, entry: &Entry) -> bool {
        self.destination.filter.matches(&entry.attributes)
    }

    fn object(&self, sequence: u64) -> Result<Option<[u8; object::KEY_BYTES]>, Failure> {
        match self.log.at(sequence) {
            Ok(found) => {
                Ok(found.and_then(|(entry, payload)| object::key(&entry.attributes, &payload)))
            }
            Err(ReadError::Damage(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads an event; `None` if it is not to be delivered any more: retention
    /// or a redaction took it from the log, or it is damaged.
    fn job(&self, place: Place) -> Result<Option<Job>, Failure> {
        let name = &self.destination.name;
        let (entry, payload) = match self.log.at(place.sequence) {
            Ok(Some((entry, payload))) if !entry.redacted => (entry, payload),
            Ok(found) => {
                if found.is_none() {
                    let sequence = place.sequence;
                    warn!(
                        destination = name,
                        sequence, "never delivered: no longer kept"
                    );
                }
                places::remove(self.connection, name, place.sequence)?;
                return Ok(None);
            }
            Err(ReadError::Damage(damage)) => {
                error!(destination = name, %damage, "parked an event");
                let reason = ParkReason::Damaged;
                let park = Settlement::Park { reason };
                places::settle(self.connection, name, place.sequence, &[], park)?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Job {
            entry,
            payload,
            number: place.attempts.saturating_add(1),
            spent: place.spent,
            first_at: place.first_at,
        }))
    }

    /// Counts what is left.
    pub(super) fn backlog(&self) -> Result<Backlog, Failure> {
        let name = &self.destination.name;
        let rows = places::rows(self.connection, name)?;
        let position = places::position(self.connection, name)?.unwrap_or_default();
        let last = self.log.span()?.map_or(0, |span| span.last);
        let ahead = last.saturating_sub(position);
        let oldest = rows
            .oldest_sequence
            .or((ahead > 0).then(|| position.saturating_add(1)));
        let oldest = match oldest {
            Some(sequence) => self.log.entries_from(sequence, NonZeroUsize::MIN)?,
            None => Vec::new(),
        };
        let oldest = oldest
            .first()
            .and_then(|scanned| scanned.entry.as_ref().ok());
        Ok(Backlog {
            undelivered: rows.waiting.saturating_add(ahead),
            oldest: oldest.map(|entry| entry.stored_at),
            parked: rows.parked,
        })
    }
}
