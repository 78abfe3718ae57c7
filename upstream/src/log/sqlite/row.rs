//! One event as a row.

use hookgate_core::{identity::Source, time::Timestamp, trace::TraceParent};
use rusqlite::{Row, Statement};

use crate::{
    evidence::{Chain, Link},
    log::{Attributes, Damage, Entry, HeldFor, Origin, Record, Sha256Sum},
};

/// Does nothing for an identity that is already there, or was and is remembered.
pub(super) const INSERT: &str = "
    INSERT INTO event (sequence, source, id, type, account, livemode, time, endpoint, secret_name,
        unsigned, signed_at, received_at, stored_at, traceparent, signature, sha256, payload, origin, held_for)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19
    WHERE NOT EXISTS (SELECT 1 FROM remembered WHERE id = ?3 AND source = ?2)
    ON CONFLICT (id, source) DO NOTHING";

/// Finds the sequence of an identity, also of one that is only remembered.
pub(super) const FIRST_COPY: &str = "
    SELECT sequence FROM event WHERE id = ?1 AND source = ?2
    UNION ALL SELECT sequence FROM remembered WHERE id = ?1 AND source = ?2";

/// Adds a link of the chain.
pub(super) const INSERT_LINK: &str = "INSERT INTO link (sequence, hash) VALUES (?1, ?2)";

/// What [`entry`] reads, of `event`.
pub(super) const COLUMNS: &str = "event.sequence, source, id, type, account, livemode, time, \
    endpoint, secret_name, unsigned, signed_at, received_at, stored_at, traceparent, signature, \
    sha256, length(payload), origin, held_for, \
    EXISTS (SELECT 1 FROM redaction WHERE redaction.sequence = event.sequence) AS redacted, \
    (SELECT hash FROM link WHERE link.sequence = event.sequence - 1) AS link_before, \
    (SELECT hash FROM link WHERE link.sequence = event.sequence) AS link";

/// Runs [`INSERT`]; returns the number of rows, 0 or 1.
pub(super) fn insert(
    statement: &mut Statement<'_>,
    sequence: u64,
    stored_at: Timestamp,
    record: &Record,
) -> rusqlite::Result<usize> {
    let attributes = &record.attributes;
    statement.execute(rusqlite::params![
        integer(sequence),
        attributes.source.as_str(),
        attributes.id,
        attributes.type_name,
        attributes.account,
        attributes.livemode,
        attributes.time.map(millis),
        attributes.endpoint,
        attributes.secret_name,
        attributes.unsigned_attributes,
        attributes.signed_at.map(millis),
        millis(attributes.received_at),
        millis(stored_at),
        attributes.traceparent.as_ref().map(TraceParent::as_str),
        attributes.signature,
        attributes.sha256.0,
        record.payload.as_ref(),
        code(attributes.origin),
        attributes.held_for.map(|HeldFor::SecretSuspect| SUSPECT),
    ])
}

/// Reads the [`COLUMNS`] of a row, and checks them by the links of the chain on
/// both sides.
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<Result<Entry, Damage>> {
    let entry = match unchecked(row)? {
        Ok(entry) => entry,
        damage => return Ok(damage),
    };
    let sequence = entry.sequence;
    let (before, link) = (hash(row, "link_before")?, hash(row, "link")?);
    let (Some(before), Some(link)) = (before, link) else {
        return Ok(Err(Damage::Unlinked { sequence }));
    };
    let mut chain = Chain::resume(Link {
        sequence: sequence.saturating_sub(1),
        hash: before,
    });
    Ok(if chain.extend(&entry.digest()).hash == link {
        Ok(entry)
    } else {
        Err(Damage::Attributes { sequence })
    })
}

fn hash(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Sha256Sum>> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    Ok(bytes
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .map(Sha256Sum))
}

/// Reads the columns of an event, whatever the chain says.
pub(super) fn unchecked(row: &Row<'_>) -> rusqlite::Result<Result<Entry, Damage>> {
    let sequence = row.get::<_, i64>("sequence")?.unsigned_abs();
    match fields(row) {
        // Text that is no text any more, a number out of its range.
        Err(
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..),
        ) => Ok(Err(Damage::Field {
            sequence,
            field: "a column",
        })),
        read => read,
    }
}

fn fields(row: &Row<'_>) -> rusqlite::Result<Result<Entry, Damage>> {
    let sequence = row.get::<_, i64>("sequence")?.unsigned_abs();
    let damage = |field| Damage::Field { sequence, field };
    let source: String = row.get("source")?;
    let traceparent: Option<String> = row.get("traceparent")?;
    let sha256: Vec<u8> = row.get("sha256")?;
    let Some(origin) = origin(row.get("origin")?) else {
        return Ok(Err(damage("origin")));
    };
    let held_for = held_for(row.get("held_for")?, origin);
    let Some(held_for) = held_for else {
        return Ok(Err(damage("held_for")));
    };
    let (Ok(source), Ok(sha256)) = (Source::new(&source), <[u8; 32]>::try_from(sha256)) else {
        return Ok(Err(damage("source or sha256")));
    };
    Ok(Ok(Entry {
        sequence,
        stored_at: timestamp(row.get("stored_at")?),
        size: row.get::<_, i64>("length(payload)")?.unsigned_abs(),
        redacted: row.get("redacted")?,
        attributes: Attributes {
            source,
            id: row.get("id")?,
            type_name: row.get("type")?,
            account: row.get("account")?,
            livemode: row.get("livemode")?,
            time: row.get::<_, Option<i64>>("time")?.map(timestamp),
            origin,
            held_for,
            endpoint: row.get("endpoint")?,
            secret_name: row.get("secret_name")?,
            unsigned_attributes: row.get("unsigned")?,
            signed_at: row.get::<_, Option<i64>>("signed_at")?.map(timestamp),
            received_at: timestamp(row.get("received_at")?),
            traceparent: traceparent.and_then(|text| TraceParent::parse(text.as_bytes())),
            signature: row.get("signature")?,
            sha256: Sha256Sum(sha256),
        },
    }))
}

/// Writes an origin. What was delivered is NULL, as in every row that is older
/// than the column.
const fn code(origin: Origin) -> Option<i64> {
    match origin {
        Origin::Delivery => None,
        Origin::Reconciliation => Some(1),
        Origin::StoredOnly => Some(2),
    }
}

fn origin(found: Option<i64>) -> Option<Origin> {
    let all = [Origin::Delivery, Origin::Reconciliation, Origin::StoredOnly];
    all.into_iter().find(|origin| code(*origin) == found)
}

/// For what an event is held; what is not held is NULL, as in every row that is older
/// than the column.
const SUSPECT: i64 = 1;

/// Reads for what an event is held, which only one that was delivered is.
const fn held_for(found: Option<i64>, origin: Origin) -> Option<Option<HeldFor>> {
    match (found, origin) {
        (None, _) => Some(None),
        (Some(SUSPECT), Origin::Delivery) => Some(Some(HeldFor::SecretSuspect)),
        (Some(_), _) => None,
    }
}

/// Writes a number as SQLite has them.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes a time.
pub(super) fn millis(time: Timestamp) -> i64 {
    integer(time.unix_millis())
}

/// Reads a time.
pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::{HeldFor, Origin, held_for};

    /// The digest of what was fetched says nothing of it.
    #[test]
    fn only_what_was_delivered_is_held() {
        let suspect = Some(Some(HeldFor::SecretSuspect));
        assert_eq!(held_for(Some(1), Origin::Delivery), suspect);
        assert_eq!(held_for(Some(2), Origin::Delivery), None);
        for origin in [Origin::Reconciliation, Origin::StoredOnly] {
            assert_eq!(held_for(Some(1), origin), None);
            assert_eq!(held_for(None, origin), Some(None));
        }
    }
}
