//! A record as a message.

use async_nats::HeaderMap;
use hookgate_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    evidence::Link,
    log::{Sha256Sum, nats::Outgoing},
    review::audit::{Action, Record, Row},
};

const SUBJECT: &str = "hookgate.audit";

/// Stands for the destination of what is about none.
const NOWHERE: &str = "_";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    number: u64,
    log: String,
    at: String,
    batch: String,
    action: String,
    name: String,
    reason: String,
    destination: String,
    target: Option<String>,
    sequence: u64,
    source: String,
    id: String,
    parking: Option<u64>,
    hash: String,
}

/// Writes a record with its link.
pub(super) fn write(record: &Record, link: Link) -> Outgoing {
    let file = File {
        number: record.number,
        log: record.log.to_string(),
        at: record.at.to_string(),
        batch: record.batch.clone(),
        action: record.action.as_str().to_owned(),
        name: record.name.clone(),
        reason: record.reason.clone(),
        destination: record.destination.clone(),
        target: record.target.clone(),
        sequence: record.sequence,
        source: record.source.clone(),
        id: record.id.clone(),
        parking: record.parking,
        hash: link.hash.to_string(),
    };
    Outgoing {
        subject: subject(record),
        headers: HeaderMap::new(),
        // A struct of texts and numbers always serializes.
        payload: serde_json::to_vec(&file).unwrap_or_default().into(),
    }
}

/// Reads what stands at a place of the stream.
pub(super) fn read(place: u64, subject: &str, json: &[u8]) -> Row {
    let written = parse(json).filter(|(record, _)| self::subject(record) == subject);
    // What was put in another's place says by itself which it was.
    let number = written.as_ref().map_or(place, |(record, _)| record.number);
    Row { number, written }
}

/// Names the subjects of what is about an event, at any destination.
pub(super) fn subjects(sequence: u64) -> String {
    format!("{SUBJECT}.*.{sequence}")
}

fn subject(record: &Record) -> String {
    subject_at(&record.destination, record.sequence)
}

/// Names the subject of what is about an event at a destination.
pub(super) fn subject_at(destination: &str, sequence: u64) -> String {
    let destination = match destination {
        "" => NOWHERE,
        name => name,
    };
    format!("{SUBJECT}.{destination}.{sequence}")
}

fn parse(json: &[u8]) -> Option<(Record, Sha256Sum)> {
    let file: File = serde_json::from_slice(json).ok()?;
    let hash = file.hash.parse().ok()?;
    let record = Record {
        number: file.number,
        log: file.log.parse().ok()?,
        at: Timestamp::parse_rfc3339(&file.at)?,
        batch: file.batch,
        action: Action::read(&file.action)?,
        name: file.name,
        reason: file.reason,
        destination: file.destination,
        target: file.target,
        sequence: file.sequence,
        source: file.source,
        id: file.id,
        parking: file.parking,
    };
    Some((record, hash))
}

#[cfg(test)]
mod tests {
    use hookgate_core::time::Timestamp;

    use super::{read, write};
    use crate::{
        evidence::{Link, LogId},
        log::Sha256Sum,
        review::audit::{Action, Record},
    };

    #[test]
    fn reads_the_record_that_it_writes_and_nothing_else() {
        let record = Record {
            number: 7,
            log: LogId::new([7; 16]),
            at: Timestamp::from_unix_millis(1_760_000_001_250),
            batch: "batch_1".to_owned(),
            action: Action::Released,
            name: "ada".to_owned(),
            reason: "mended \u{1f600}".to_owned(),
            destination: "orders".to_owned(),
            target: None,
            sequence: 12,
            source: "stripe".to_owned(),
            id: "evt_1".to_owned(),
            parking: Some(3),
        };
        let hash = Sha256Sum([9; 32]);
        let link = Link { sequence: 7, hash };
        let message = write(&record, link);
        assert_eq!(message.subject, "hookgate.audit.orders.12");
        let row = read(7, &message.subject, &message.payload);
        assert_eq!((row.number, row.written), (7, Some((record, hash))));
        assert_eq!(
            read(7, "hookgate.audit.orders.13", &message.payload).written,
            None
        );
        let nothing = read(7, &message.subject, b"{}");
        assert_eq!((nothing.number, nothing.written), (7, None));
    }
}
