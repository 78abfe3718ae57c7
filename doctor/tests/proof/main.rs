//! The doctor names the right cause of deliveries that were broken on purpose.
//!
//! Events come from `corpus/events` of `HOOKGATE_CORPUS` (by default `../shared`), or
//! from the project's own fixtures. Each is signed as its sender does and then broken in
//! every way of [`breakage`]. What breaks them shares no code with the doctor.
//!
//! `cargo test -p hookgate-doctor --test proof -- --nocapture` prints the table of
//! docs/doctor.md.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test says what it expects by failing"
)]

mod breakage;
mod events;
mod json;

use std::collections::BTreeSet;

use hookgate_core::{signature::Tolerance, time::Timestamp};
use hookgate_doctor::{Certainty, Diagnosis, Verdict, diagnose};

use breakage::{BREAKAGES, Breakage, Broken};
use events::{Event, Form};

/// Deliveries that each cause is tried on.
const DELIVERIES: usize = 60;

/// Fewest that have to be named rightly, of a hundred.
const PER_CENT: usize = 95;

fn look(broken: &Broken) -> Diagnosis {
    let now = Timestamp::from_unix_seconds(broken.now);
    diagnose(&broken.delivery, &broken.secrets, now, Tolerance::default()).unwrap()
}

/// The codes that an explanation consists of; without one what is said first.
fn named(diagnosis: &Diagnosis) -> BTreeSet<&'static str> {
    let findings = diagnosis.findings.iter();
    if diagnosis.verdict != Verdict::Explained {
        return findings.take(1).map(|it| it.code).collect();
    }
    let proven = findings.filter(|it| it.certainty == Certainty::Proven);
    proven.map(|it| it.code).collect()
}

fn is_right(breakage: &Breakage, diagnosis: &Diagnosis) -> bool {
    let expected: BTreeSet<&str> = breakage.expected.iter().copied().collect();
    let says = diagnosis
        .findings
        .iter()
        .any(|it| it.title.contains(breakage.says));
    named(diagnosis) == expected && says
}

struct Score {
    right: usize,
    /// Of those that are right, by undoing it.
    proven: usize,
    of: usize,
    missed: Vec<String>,
}

fn score(breakage: &Breakage, events: &[Event]) -> Score {
    let mut score = Score {
        right: 0,
        proven: 0,
        of: 0,
        missed: Vec::new(),
    };
    for event in events {
        let Some(broken) = (breakage.break_it)(event) else {
            continue;
        };
        let diagnosis = look(&broken);
        assert_ne!(
            diagnosis.verdict,
            Verdict::Valid,
            "{}: {}",
            breakage.name,
            event.name
        );
        score.of += 1;
        if is_right(breakage, &diagnosis) {
            score.right += 1;
            score.proven += usize::from(diagnosis.verdict == Verdict::Explained);
        } else {
            score
                .missed
                .push(format!("{}: {:?}", event.name, named(&diagnosis)));
        }
        if score.of == DELIVERIES {
            break;
        }
    }
    score
}

#[test]
fn names_the_cause_of_broken_deliveries() {
    let as_sent = events::all(Form::AsStripeSends);
    let as_kept = events::all(Form::AsKept);
    println!("| what was done | named rightly | of files as they are |");
    println!("|---|---|---|");
    let mut wrong = Vec::new();
    for breakage in BREAKAGES {
        let sent = score(breakage, &as_sent);
        print!("| {} | {} of {} |", breakage.name, sent.right, sent.of);
        // Only where JSON was written anew does it matter how it was written before.
        if breakage.expected.contains(&"payload_reserialised") {
            let kept = score(breakage, &as_kept);
            println!(" {} of {}, {} proven |", kept.right, kept.of, kept.proven);
        } else {
            println!(" |");
        }
        assert!(sent.of >= 60, "{}: {} deliveries", breakage.name, sent.of);
        if sent.right * 100 < sent.of * PER_CENT {
            wrong.push(format!("{}: {:?}", breakage.name, sent.missed));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn calls_valid_what_was_not_broken() {
    for form in [Form::AsStripeSends, Form::AsKept] {
        for event in events::all(form).iter().take(DELIVERIES) {
            let diagnosis = look(&breakage::intact(event));
            assert_eq!(diagnosis.verdict, Verdict::Valid, "{}", event.name);
            assert_eq!(diagnosis.secret.as_deref(), Some("own"));
            let lines = diagnosis.signatures.iter().map(|it| it.matches.as_deref());
            assert_eq!(lines.collect::<Vec<_>>(), [Some("own")], "{}", event.name);
        }
    }
}
