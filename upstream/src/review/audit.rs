//! The audit trail: who decided what about which event, when and why.

use hookgate_core::time::Timestamp;

use crate::{
    evidence::{Chain, Kind, Link, LogId, Writer},
    log::Sha256Sum,
};

const DOMAIN: &str = "hookgate decision 1";

/// The domain of a record that names the parking.
const PARKING_DOMAIN: &str = "hookgate decision 2";

/// Says what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A person approved; another one has to.
    Approved,
    /// A person approved, and with that the event was due at the target.
    Released,
    /// A person decided that it isn't delivered.
    Discarded,
    /// A person looked at the event's payload as it is. Of no destination.
    Looked,
}

impl Action {
    /// Returns its name in JSON and in the trail.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Released => "released",
            Self::Discarded => "discarded",
            Self::Looked => "looked",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let all = [
            Self::Approved,
            Self::Released,
            Self::Discarded,
            Self::Looked,
        ];
        all.into_iter().find(|action| action.as_str() == text)
    }
}

/// Holds one decision about one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its place in the trail, from 1 without gaps.
    pub(crate) number: u64,
    /// Of which log the event is.
    pub(crate) log: LogId,
    /// When.
    pub(crate) at: Timestamp,
    /// The decision that it is part of.
    pub(crate) batch: String,
    /// What.
    pub(crate) action: Action,
    /// Who, as they call themselves.
    pub(crate) name: String,
    /// Why.
    pub(crate) reason: String,
    /// Where the event was to go.
    pub(crate) destination: String,
    /// Where it goes now; `None` if nowhere.
    pub(crate) target: Option<String>,
    /// The event's place in the log.
    pub(crate) sequence: u64,
    /// The event's source; empty if the log didn't have it any more.
    pub(crate) source: String,
    /// The event's ID; empty if the log didn't have it any more.
    pub(crate) id: String,
    /// Which of the event's stays in review it ends or approves of, where the
    /// schedule numbers them; `None` elsewhere, and for what wasn't parked.
    pub(crate) parking: Option<u64>,
}

impl Record {
    /// Tells whether its event waits for nobody any more.
    pub(crate) const fn is_final(&self) -> bool {
        match self.action {
            Action::Approved | Action::Looked => false,
            Action::Released | Action::Discarded => true,
        }
    }

    /// Digests it. The encoding never changes: a field more means another domain.
    pub(crate) fn digest(&self) -> Sha256Sum {
        let domain = self.parking.map_or(DOMAIN, |_| PARKING_DOMAIN);
        let mut writer = Writer::new(domain);
        writer.number(self.number);
        writer.bytes(self.log.as_bytes());
        writer.time(self.at);
        writer.text(&self.batch);
        writer.text(self.action.as_str());
        writer.text(&self.name);
        writer.text(&self.reason);
        writer.text(&self.destination);
        writer.optional(self.target.as_deref(), Writer::text);
        writer.number(self.sequence);
        writer.text(&self.source);
        writer.text(&self.id);
        if let Some(parking) = self.parking {
            writer.number(parking);
        }
        writer.finish()
    }
}

/// Says that the trail is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TrailError {
    /// A record is missing.
    #[error("the audit trail is damaged: record {number} is missing")]
    Missing {
        /// Which.
        number: u64,
    },
    /// A record is another one.
    #[error("the audit trail is damaged: record {number} is not what was written")]
    Changed {
        /// Which.
        number: u64,
    },
    /// What keeps records from being changed is gone.
    #[error("the audit trail is damaged: what keeps its records from being changed was removed")]
    Unguarded,
    /// More was carried out than is on record.
    #[error(
        "the audit trail is damaged: {carried} decisions were carried out, and it has {found} records: it was cut short or written anew"
    )]
    CutShort {
        /// Records that were carried out.
        carried: u64,
        /// Records that there are.
        found: u64,
    },
    /// A link that was noted isn't there.
    #[error("the audit trail is not that of {0}: it was cut short or written anew")]
    Parted(Link),
}

/// Holds what is stored of a record.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its place in the trail.
    pub(crate) number: u64,
    /// The record and its link's hash; `None` if what is there is no record.
    pub(crate) written: Option<(Record, Sha256Sum)>,
}

/// Holds records with their links, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trail {
    /// In their order.
    pub(crate) records: Vec<(Record, Link)>,
}

impl Trail {
    /// Verifies what is stored, in its order. `noted` is a link from before,
    /// which must be in it.
    ///
    /// A chain has no key: whoever can write the file can write one that fits,
    /// and only a link that was noted elsewhere shows it.
    ///
    /// # Errors
    /// [`TrailError`].
    pub(super) fn verify(
        rows: impl IntoIterator<Item = Row>,
        noted: Option<Link>,
    ) -> Result<Self, TrailError> {
        let mut chain: Option<Chain> = None;
        let mut records = Vec::new();
        let mut expected: u64 = 1;
        for Row { number, written } in rows {
            if number != expected {
                return Err(TrailError::Missing { number: expected });
            }
            let Some((record, hash)) = written else {
                return Err(TrailError::Changed { number });
            };
            let mut before = chain.unwrap_or_else(|| start(record.log));
            let link = before.extend(&record.digest());
            if link.hash != hash {
                return Err(TrailError::Changed { number });
            }
            chain = Some(before);
            records.push((record, link));
            expected = expected.saturating_add(1);
        }
        match noted {
            Some(noted) if !records.iter().any(|(_, link)| *link == noted) => {
                Err(TrailError::Parted(noted))
            }
            _ => Ok(Self { records }),
        }
    }
}

/// Starts the chain of the first record's log. Later records may be of another
/// one, which took its name: the trail goes on, and each says of which it is.
pub(super) fn start(log: LogId) -> Chain {
    Chain::start(log, Kind::Decisions)
}

#[cfg(test)]
mod tests {
    use hookgate_core::time::Timestamp;

    use super::{Action, Record, Row, Trail, TrailError, start};
    use crate::{
        evidence::{Link, LogId},
        log::Sha256Sum,
    };

    const LOG: LogId = LogId::new([7; 16]);

    fn record(number: u64) -> Record {
        Record {
            number,
            log: LOG,
            at: Timestamp::from_unix_millis(1_760_000_001_250),
            batch: "batch_1".to_owned(),
            action: Action::Released,
            name: "ada".to_owned(),
            reason: "mended".to_owned(),
            destination: "orders".to_owned(),
            target: Some("orders".to_owned()),
            sequence: 7,
            source: "stripe".to_owned(),
            id: "evt_1".to_owned(),
            parking: None,
        }
    }

    fn rows(count: u64) -> Vec<Row> {
        let mut chain = start(LOG);
        let of = |number| {
            let record = record(number);
            let link = chain.extend(&record.digest());
            let written = Some((record, link.hash));
            Row { number, written }
        };
        (1..=count).map(of).collect()
    }

    /// Trails hold these for years: another value here is another chain.
    #[test]
    fn stays_what_it_is() {
        assert_eq!(
            record(1).digest().to_string(),
            "572809fb4926955c4ccd1aa94981a8fd8d1561039c8ab336aef237aac04d04eb"
        );
        let parked = Record {
            parking: Some(3),
            ..record(1)
        };
        assert_eq!(
            parked.digest().to_string(),
            "d1417e032adce39e413bbd13034a2b513023ae579d2771d52993d46966289f8b"
        );
    }

    #[test]
    fn finds_each_change_of_each_field() {
        let changes: [fn(&mut Record); 12] = [
            |it| it.at = Timestamp::from_unix_millis(1),
            |it| it.batch.push('x'),
            |it| it.action = Action::Discarded,
            |it| it.name.push('x'),
            |it| it.reason.push('x'),
            |it| it.destination.push('x'),
            |it| it.target = None,
            |it| it.sequence = 8,
            |it| it.source.push('x'),
            |it| it.id.push('x'),
            |it| it.log = LogId::new([8; 16]),
            |it| it.parking = Some(1),
        ];
        assert_eq!(Trail::verify(rows(3), None).unwrap().records.len(), 3);
        for change in changes {
            let mut rows = rows(3);
            change(&mut rows[1].written.as_mut().unwrap().0);
            let error = TrailError::Changed { number: 2 };
            assert_eq!(Trail::verify(rows, None), Err(error));
        }
    }

    #[test]
    fn finds_what_is_missing_and_what_is_no_record() {
        let mut gone = rows(3);
        gone.remove(1);
        let missing = Err(TrailError::Missing { number: 2 });
        assert_eq!(Trail::verify(gone, None), missing);
        let mut nonsense = rows(3);
        nonsense[2].written = None;
        let changed = Err(TrailError::Changed { number: 3 });
        assert_eq!(Trail::verify(nonsense, None), changed);
    }

    #[test]
    fn a_trail_that_was_cut_short_is_found_beside_a_noted_link() {
        let whole = Trail::verify(rows(3), None).unwrap();
        let noted = whole.records[2].1;
        assert_eq!(Trail::verify(rows(3), Some(noted)), Ok(whole));
        let parted = Err(TrailError::Parted(noted));
        assert_eq!(Trail::verify(rows(2), Some(noted)), parted);
        let other = Link {
            sequence: 2,
            hash: Sha256Sum([0; 32]),
        };
        let parted = Err(TrailError::Parted(other));
        assert_eq!(Trail::verify(rows(3), Some(other)), parted);
    }
}
