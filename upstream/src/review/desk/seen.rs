//! What a page asks of the desk: the trail a page at a time, and looks at
//! payloads, which go on record as decisions do.

use std::{num::NonZeroU64, time::Duration};

use hookgate_core::time::Timestamp;
use tokio::runtime::Handle;

use super::{Desk, FileDesk, ReviewError, stream::Recent};
use crate::{
    clock,
    evidence::{Chain, Link, LogId},
    log::{Capability, Entry, Kept, LogAddress},
    review::{
        Failure, LatestFailure, Life, QueuePage, Retry, Selection,
        audit::{self, Action, Record, Row, TrailError},
        operator::{Batch, Operator},
        outcome::Item,
    },
};

/// How long a look that comes again is the same one: a double click.
const TWICE: Duration = Duration::from_secs(60);

/// Holds some of the trail, the newest record first.
#[derive(Debug, Default)]
pub(crate) struct TrailPage {
    /// The records.
    pub(crate) records: Vec<Record>,
    /// Before which number the next page begins; `None`: this is the last one.
    pub(crate) before: Option<u64>,
}

/// Says who looks at an event's payload, and under which name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) entry: &'a Entry,
    pub(super) operator: &'a Operator,
    pub(super) batch: &'a Batch,
}

impl Desk {
    /// Opens the schedule beside a log. Beside a file it is made where nothing was
    /// delivered yet: a look is on record on every log that has a trail.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn open_to_look(log: &Kept, runtime: &Handle) -> Result<Self, ReviewError> {
        match log.address() {
            LogAddress::Sqlite(path) => {
                let desk = FileDesk::open_to_look(path)?;
                Ok(Self::File(Box::new(desk)))
            }
            LogAddress::Nats(_) => Self::kept(log, runtime),
            other => Err(other.lacks(Capability::Review).into()),
        }
    }

    /// Returns what is to be decided about by its places.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn items(&self, places: &[(String, u64)]) -> Result<Vec<Item>, ReviewError> {
        match self {
            Self::File(desk) => desk.items(places),
            Self::Stream(desk, blocking) => blocking.on(desk.items(places)),
        }
    }

    /// Writes down that somebody looks at an event's payload; a double click once.
    ///
    /// # Errors
    /// [`ReviewError`]: nothing is on record, and nothing may be shown.
    pub(crate) fn look(
        &mut self,
        entry: &Entry,
        operator: &Operator,
        batch: &Batch,
    ) -> Result<(), ReviewError> {
        let look = Look {
            entry,
            operator,
            batch,
        };
        match self {
            Self::File(desk) => desk.look(look),
            Self::Stream(desk, blocking) => blocking.on(desk.note(look)),
        }
    }

    /// Returns an event's life beside a stream, at each of these destinations that
    /// has to do with it and where it is parked otherwise; beside a file a
    /// [`Board`](crate::review::Board) tells it. `records` are those about the
    /// event; each destination comes with whether its filter chooses the event.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn lives(
        &self,
        event: &Entry,
        records: &[Record],
        destinations: &[(String, bool)],
    ) -> Result<Vec<Life>, ReviewError> {
        match self {
            Self::File(_) => Ok(Vec::new()),
            Self::Stream(desk, blocking) => blocking.on(desk.lives(event, records, destinations)),
        }
    }

    /// Returns the last thousand attempts beside a stream; beside a file a
    /// [`Board`](crate::review::Board) says what failed, here and below.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn recent(&self) -> Result<Recent, ReviewError> {
        match self {
            Self::File(_) => Ok(Recent::default()),
            Self::Stream(desk, blocking) => blocking.on(desk.recent()),
        }
    }

    /// Returns the newest of these attempts that failed at a destination.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn failures(
        &self,
        recent: &Recent,
        destination: &str,
    ) -> Result<Vec<Failure>, ReviewError> {
        match self {
            Self::File(_) => Ok(Vec::new()),
            Self::Stream(desk, blocking) => blocking.on(desk.failures(recent, destination)),
        }
    }

    /// Returns the newest attempt that failed at each destination: among these, and
    /// of what was parked last.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn latest_failures(
        &self,
        recent: &Recent,
        destinations: &[String],
    ) -> Result<Vec<LatestFailure>, ReviewError> {
        match self {
            Self::File(_) => Ok(Vec::new()),
            Self::Stream(desk, blocking) => blocking.on(desk.latest_failures(recent, destinations)),
        }
    }

    /// Returns what waits for another attempt at a destination, the one first that
    /// is due first: ten at most; `None` if too many wait to tell.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn retries(&self, destination: &str) -> Result<Option<Vec<Retry>>, ReviewError> {
        match self {
            Self::File(_) => Ok(None),
            Self::Stream(desk, blocking) => blocking.on(desk.retries(destination)),
        }
    }

    /// Returns a page of what is parked beside a stream; beside a file a
    /// [`Board`](crate::review::Board) has it. See [`queue`](mod@crate::review::queue).
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review) fn stays(
        &self,
        selection: &Selection,
        after: u64,
        most: usize,
    ) -> Result<QueuePage, ReviewError> {
        match self {
            Self::File(_) => Ok(QueuePage::default()),
            Self::Stream(desk, blocking) => blocking.on(desk.stays(selection, after, most)),
        }
    }

    /// Returns what people decided about the events of an ID, and who looked at
    /// them, the first one first.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn about(&self, id: &str) -> Result<Vec<Record>, ReviewError> {
        match self {
            Self::File(desk) => desk.about(id),
            Self::Stream(desk, blocking) => blocking.on(desk.about(id)),
        }
    }

    /// Returns the newest records before a number (`None`: before the end), each
    /// held against the links on both sides.
    ///
    /// # Errors
    /// [`ReviewError`], among others [`ReviewError::Trail`].
    pub(crate) fn page(
        &self,
        before: Option<NonZeroU64>,
        most: usize,
    ) -> Result<TrailPage, ReviewError> {
        let before = before.map_or(u64::MAX, NonZeroU64::get);
        // One more, whose link the last one goes on from.
        let rows = most.saturating_add(1);
        let rows = match self {
            Self::File(desk) => desk.rows_before(before, rows)?,
            Self::Stream(desk, blocking) => blocking.on(desk.rows_before(before, rows))?,
        };
        Ok(TrailPage::verified(rows, most)?)
    }
}

impl TrailPage {
    /// Takes rows, the newest first, and one more than are shown if there is one.
    fn verified(mut rows: Vec<Row>, most: usize) -> Result<Self, TrailError> {
        let oldest = (rows.len() > most).then(|| rows.pop()).flatten();
        let mut page = Self::default();
        let mut links = rows.iter().skip(1).chain(oldest.as_ref());
        for row in &rows {
            let number = row.number;
            let changed = TrailError::Changed { number };
            let Some((record, hash)) = &row.written else {
                return Err(changed);
            };
            let mut chain = match links.next() {
                Some(earlier) if earlier.number.saturating_add(1) == number => {
                    let Some((_, hash)) = &earlier.written else {
                        let number = earlier.number;
                        return Err(TrailError::Changed { number });
                    };
                    Chain::resume(Link {
                        sequence: earlier.number,
                        hash: *hash,
                    })
                }
                None if number == 1 => audit::start(record.log),
                _ => {
                    let number = number.saturating_sub(1);
                    return Err(TrailError::Missing { number });
                }
            };
            if chain.extend(&record.digest()).hash != *hash {
                return Err(changed);
            }
            page.records.push(record.clone());
        }
        page.before = oldest.and(page.records.last().map(|record| record.number));
        Ok(page)
    }
}

impl Look<'_> {
    /// Tells whether a record is this very look's, sent twice. The name of the look
    /// comes from a browser: what is asked for later, by others or for another
    /// reason is another look.
    pub(super) fn is(&self, record: &Record, now: Timestamp) -> bool {
        record.action == Action::Looked
            && record.batch == self.batch.as_str()
            && self.operator.is(&record.name)
            && self.operator.reason() == record.reason
            && now.distance(record.at) < TWICE
    }

    /// Returns its record, as the next one of a trail, and its link. Where another
    /// has its name it gets one of its own.
    pub(super) fn record(
        &self,
        log: LogId,
        newest: Option<Link>,
        is_taken: bool,
    ) -> (Record, Link) {
        let batch = if is_taken {
            Batch::random()
        } else {
            self.batch.clone()
        };
        let mut chain = newest.map_or_else(|| audit::start(log), Chain::resume);
        let attributes = &self.entry.attributes;
        let record = Record {
            number: chain.newest().sequence.saturating_add(1),
            log,
            at: clock::now(),
            batch: batch.as_str().to_owned(),
            action: Action::Looked,
            name: self.operator.name().to_owned(),
            reason: self.operator.reason().to_owned(),
            destination: String::new(),
            target: None,
            sequence: self.entry.sequence,
            source: attributes.source.to_string(),
            id: attributes.id.clone(),
            parking: None,
        };
        let link = chain.extend(&record.digest());
        (record, link)
    }
}
