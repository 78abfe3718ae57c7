//! A log whose links come at the end of ranges; every event with its link is in
//! the tests of `verify-log`.

use hookgate_core::{identity::Source, time::Timestamp};

use super::{Audit, AuditError, Verdict};
use crate::{
    evidence::{Chain, Finding, Head, Kind, Link, LogId, Redaction},
    log::{Attributes, Damage, Entry, Sha256Sum},
};

const LOG: LogId = LogId::new([7; 16]);

fn entry(sequence: u64) -> Entry {
    Entry {
        sequence,
        stored_at: Timestamp::from_unix_seconds(sequence),
        size: 2,
        redacted: false,
        attributes: Attributes::sample(&format!("evt_{sequence}"), Timestamp::from_unix_seconds(1)),
    }
}

/// The link of each sequence of an untouched log, from 0.
fn links(last: u64) -> Vec<Link> {
    let mut chain = Chain::start(LOG, Kind::Events);
    let first = chain.newest();
    let rest = (1..=last).map(|sequence| chain.extend(&entry(sequence).digest()));
    std::iter::once(first).chain(rest).collect()
}

fn head(events: Link) -> Head {
    Head {
        log: LOG,
        events,
        redactions: Chain::start(LOG, Kind::Redactions).newest(),
        at: Timestamp::from_unix_seconds(0),
    }
}

/// Verifies ten events with a link after the third and after the sixth.
fn verify(head: Option<Head>, change: impl Fn(&mut Entry)) -> Verdict {
    let links = links(6);
    let mut audit = Audit::start(LOG, None, head).unwrap();
    for sequence in 1..=10 {
        let mut entry = entry(sequence);
        change(&mut entry);
        audit.event(sequence, Ok((&entry, b"{}")));
        if sequence == 3 || sequence == 6 {
            audit.link(links[usize::try_from(sequence).unwrap()]);
        }
    }
    audit.finish()
}

fn with_type(sequence: u64) -> impl Fn(&mut Entry) {
    move |entry| {
        if entry.sequence == sequence {
            entry.attributes.type_name = "x".to_owned();
        }
    }
}

#[test]
fn counts_what_is_not_sealed_yet() {
    let verdict = verify(None, |_| ());
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!((verdict.events, verdict.unsealed), (10, 4));
    assert_eq!(verdict.newest, links(6)[6]);
}

#[test]
fn names_the_range_in_which_an_event_is_another() {
    let verdict = verify(None, with_type(5));
    assert_eq!(verdict.findings, [Finding::Range { first: 4, last: 6 }]);
    assert!(!verdict.is_sound());
}

#[test]
fn compares_a_head_wherever_it_was_taken() {
    let links = links(9);
    for sequence in [0, 2, 3, 6, 8] {
        let verdict = verify(Some(head(links[sequence])), |_| ());
        assert!(verdict.is_sound(), "{:?}", verdict.findings);
    }
    // Not sealed, and still proven by a head.
    let verdict = verify(Some(head(links[8])), with_type(7));
    assert_eq!(verdict.findings, [Finding::Rewritten { sequence: 8 }]);
}

#[test]
fn goes_on_after_a_gap() {
    let links = links(6);
    let mut audit = Audit::start(LOG, None, None).unwrap();
    for sequence in [1, 2, 3, 6] {
        audit.event(sequence, Ok((&entry(sequence), b"{}")));
    }
    audit.link(links[6]);
    let verdict = audit.finish();
    assert_eq!(verdict.findings, [Finding::Missing { first: 4, last: 5 }]);
    assert_eq!(verdict.unsealed, 0);
}

#[test]
fn accepts_that_a_redacted_event_is_gone_whole() {
    let links = links(6);
    let redaction = Redaction {
        number: 1,
        sequence: 4,
        source: Source::new("stripe").unwrap(),
        id: "evt_4".to_owned(),
        digest: entry(4).digest(),
        sha256: Sha256Sum::of(b"{}"),
        reason: "r".to_owned(),
        by: None,
        at: Timestamp::from_unix_seconds(9),
        after: links[6],
    };
    let link = Chain::start(LOG, Kind::Redactions).extend(&redaction.digest_of_record());
    let mut audit = Audit::start(LOG, None, None).unwrap();
    audit.redaction(redaction, link.hash);
    for sequence in [1, 2, 3, 5, 6] {
        audit.event(sequence, Ok((&entry(sequence), b"{}")));
    }
    audit.link(links[6]);
    let verdict = audit.finish();
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!(verdict.redactions.len(), 1);
}

/// A log whose fourth event was redacted: gone, and a tombstone at the seventh
/// place, sealed by the digests that are given.
fn with_tombstone(recorded: &Sha256Sum, sealed_as: &Sha256Sum) -> Verdict {
    let of = entry(4);
    let mut chain = Chain::start(LOG, Kind::Events);
    for sequence in 1..=6 {
        chain.extend(&entry(sequence).digest());
    }
    let at = Timestamp::from_unix_seconds(70);
    chain.extend(&super::super::tombstone(7, at, 4, sealed_as));
    let redaction = Redaction {
        number: 1,
        sequence: 4,
        source: Source::new("stripe").unwrap(),
        id: "evt_4".to_owned(),
        digest: *recorded,
        sha256: Sha256Sum::of(b"{}"),
        reason: "r".to_owned(),
        by: None,
        at: Timestamp::from_unix_seconds(9),
        after: links(6)[6],
    };
    let link = Chain::start(LOG, Kind::Redactions).extend(&redaction.digest_of_record());
    let mut audit = Audit::start(LOG, None, None).unwrap();
    audit.redaction(redaction, link.hash);
    for sequence in [1, 2, 3, 5, 6] {
        audit.event(sequence, Ok((&entry(sequence), b"{}")));
    }
    audit.tombstone(7, at, &of);
    audit.link(chain.newest());
    audit.reaches(7);
    audit.finish()
}

#[test]
fn takes_a_tombstone_of_what_is_on_record_as_a_place_of_its_own() {
    let (own, other) = (entry(4).digest(), entry(5).digest());
    let verdict = with_tombstone(&own, &own);
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!((verdict.events, verdict.newest.sequence), (5, 7));
    let verdict = with_tombstone(&own, &other);
    assert_eq!(verdict.findings, [Finding::Range { first: 1, last: 7 }]);
    let verdict = with_tombstone(&other, &own);
    let tombstone = Finding::Tombstone { sequence: 7 };
    assert!(
        verdict.findings.contains(&tombstone),
        "{:?}",
        verdict.findings
    );
}

#[test]
fn takes_a_gap_as_it_was_sealed_and_a_tombstone_by_any_record_of_it() {
    let (own, unreadable) = (entry(4).digest(), entry(5).digest());
    let at = Timestamp::from_unix_seconds(70);
    let mut chain = Chain::start(LOG, Kind::Events);
    let mut records = Chain::start(LOG, Kind::Redactions);
    let mut audit = Audit::start(LOG, None, None).unwrap();
    // The first before the gap was sealed, the second when its tombstone came.
    for (number, digest, after) in [(1, unreadable, 3), (2, own, 6)] {
        let redaction = Redaction {
            number,
            sequence: 4,
            source: Source::new("stripe").unwrap(),
            id: "evt_4".to_owned(),
            digest,
            sha256: Sha256Sum::of(b"{}"),
            reason: "r".to_owned(),
            by: None,
            at,
            after: links(6)[after],
        };
        let link = records.extend(&redaction.digest_of_record());
        audit.redaction(redaction, link.hash);
    }
    for sequence in 1..=6 {
        if sequence == 4 {
            chain.extend(&unreadable);
        } else {
            chain.extend(&entry(sequence).digest());
            audit.event(sequence, Ok((&entry(sequence), b"{}")));
        }
    }
    chain.extend(&super::super::tombstone(7, at, 4, &own));
    audit.tombstone(7, at, &entry(4));
    audit.link(chain.newest());
    let verdict = audit.finish();
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!(verdict.redactions.len(), 2);
}

#[test]
fn misses_what_is_gone_from_the_end_as_well() {
    let mut audit = Audit::start(LOG, None, None).unwrap();
    for sequence in 1..=2 {
        audit.event(sequence, Ok((&entry(sequence), b"{}")));
    }
    audit.reaches(5);
    let verdict = audit.finish();
    assert_eq!(verdict.findings, [Finding::Missing { first: 3, last: 5 }]);
    assert_eq!(verdict.unsealed, 5);
}

#[test]
fn reports_what_cannot_be_read_once() {
    let links = links(6);
    let mut audit = Audit::start(LOG, None, None).unwrap();
    for sequence in 1..=6 {
        let entry = entry(sequence);
        let field = "ce-id";
        audit.event(
            sequence,
            match sequence {
                2 => Err(Damage::Field { sequence, field }),
                _ => Ok((&entry, b"{}")),
            },
        );
    }
    audit.link(links[6]);
    let field = Finding::Field {
        sequence: 2,
        field: "ce-id",
    };
    assert_eq!(audit.finish().findings, [field]);
}

#[test]
fn compares_with_no_head_of_another_log() {
    let mut other = head(links(1)[1]);
    other.log = LogId::new([8; 16]);
    let error = Audit::start(LOG, None, Some(other)).err();
    assert_eq!(
        error,
        Some(AuditError::OtherLog {
            head: other.log,
            found: LOG
        })
    );
}
