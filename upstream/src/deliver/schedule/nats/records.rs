//! What is written down, as messages without a payload.

use std::time::Duration;

use async_nats::{HeaderMap, header, jetstream::Message};
use hookgate_core::time::Timestamp;

use super::answer;
use crate::{
    clock,
    deliver::{
        job::{Attempt, Outcome, ParkReason},
        schedule::Parked,
    },
    evidence::LogId,
    review::PastAttempt,
};

/// Events that wait for their time.
pub(super) const SCHEDULED: &str = "hookgate.scheduled";

/// Events whose time has come.
pub(super) const RETRY: &str = "hookgate.retry";

/// Events that wait for a person.
pub(super) const REVIEW: &str = "hookgate.review";

/// Attempts that were made.
pub(super) const ATTEMPT: &str = "hookgate.attempt";

/// Up to where decisions were carried out, beside what comes again.
pub(super) const CARRIED: &str = "hookgate.retry.carried";

/// Up to where what people asked for was parked, beside what is.
pub(super) const REQUESTED: &str = "hookgate.review.requested";

/// What people go by when they decide.
pub(super) const RULES: &str = "hookgate.review.rules";

const SEQUENCE: &str = "hookgate-sequence";
const ATTEMPTS: &str = "hookgate-attempts";
const SPENT: &str = "hookgate-spent";
const DECISION: &str = "hookgate-decision";
const FIRST_AT: &str = "hookgate-first-at";
const REASON: &str = "hookgate-reason";
const AT: &str = "hookgate-at";
const VIA: &str = "hookgate-via";
const OUTCOME: &str = "hookgate-outcome";
const LATENCY: &str = "hookgate-latency-ms";
const STATUS: &str = "hookgate-status";
const ANSWER: &str = "hookgate-answer";

/// Holds what a retry knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retried {
    pub(super) sequence: u64,
    /// Attempts that were made.
    pub(super) attempts: u32,
    /// Those of them from before a person let it go.
    pub(super) spent: u32,
    pub(super) first_at: Timestamp,
    /// The number of the record by which a person let it go.
    pub(super) decision: Option<u64>,
}

/// Names what concerns one event at one destination.
pub(super) fn subject(prefix: &str, destination: &str, sequence: u64) -> String {
    format!("{prefix}.{destination}.{sequence}")
}

/// Schedules an event. The server publishes it under [`RETRY`] when it is time.
pub(super) fn retry(destination: &str, retried: &Retried, at: Timestamp) -> (String, HeaderMap) {
    let mut headers = again(retried);
    headers.insert(header::NATS_SCHEDULE, format!("@at {at}"));
    let target = subject(RETRY, destination, retried.sequence);
    headers.insert(header::NATS_SCHEDULE_TARGET, target);
    (subject(SCHEDULED, destination, retried.sequence), headers)
}

/// Reads for when [`retry`] scheduled an event.
pub(super) fn scheduled_for(headers: &HeaderMap) -> Option<Timestamp> {
    let schedule = headers.get(header::NATS_SCHEDULE)?.as_str();
    Timestamp::parse_rfc3339(schedule.strip_prefix("@at ")?)
}

/// Makes an event due at once.
pub(super) fn due(destination: &str, retried: &Retried) -> (String, HeaderMap) {
    (
        subject(RETRY, destination, retried.sequence),
        again(retried),
    )
}

fn again(retried: &Retried) -> HeaderMap {
    let mut headers = about(retried.sequence, retried.attempts);
    headers.insert(FIRST_AT, retried.first_at.unix_millis().to_string());
    headers.insert(SPENT, retried.spent.to_string());
    if let Some(decision) = retried.decision {
        headers.insert(DECISION, decision.to_string());
    }
    headers
}

/// Reads what [`retry`] or [`due`] wrote.
pub(super) fn retried(message: &Message) -> Option<Retried> {
    let headers = message.headers.as_ref()?;
    Some(Retried {
        sequence: number(headers, SEQUENCE)?,
        attempts: attempts(headers)?,
        // Earlier versions wrote none.
        spent: number(headers, SPENT).map_or(Some(0), |it| it.try_into().ok())?,
        first_at: Timestamp::from_unix_millis(number(headers, FIRST_AT)?),
        decision: number(headers, DECISION),
    })
}

/// Writes an event of a log down for a person. What a crash repeats within
/// minutes is the same stay in review.
pub(super) fn parked(
    log: LogId,
    destination: &str,
    sequence: u64,
    attempts: &[Attempt],
    reason: ParkReason,
) -> (String, HeaderMap) {
    let last = attempts.last();
    let made = last.map_or(0, |last| last.number);
    let mut headers = about(sequence, made);
    headers.insert(REASON, reason.as_str());
    let name = format!("{log}.{destination}.{sequence}.{made}");
    headers.insert(header::NATS_MESSAGE_ID, name);
    match last {
        Some(last) => describe(&mut headers, last),
        // It was never tried: what counts is since when it waits.
        None => headers.insert(AT, clock::now().unix_millis().to_string()),
    }
    (subject(REVIEW, destination, sequence), headers)
}

/// Writes an event down of which a person asked for another delivery; `last` is
/// its last attempt, as [`attempt`] wrote it.
pub(super) fn requested(
    destination: &str,
    sequence: u64,
    at: Timestamp,
    last: Option<&HeaderMap>,
) -> (String, HeaderMap) {
    let made = last.and_then(attempts).unwrap_or_default();
    let mut headers = about(sequence, made);
    headers.insert(REASON, ParkReason::Requested.as_str());
    headers.insert(AT, at.unix_millis().to_string());
    for name in [STATUS, ANSWER] {
        if let Some(value) = last.and_then(|last| last.get(name)) {
            headers.insert(name, value.clone());
        }
    }
    (subject(REVIEW, destination, sequence), headers)
}

/// Reads what [`parked`] wrote; the event is looked up by the caller.
pub(super) fn read_parked(destination: &str, sequence: u64, headers: &HeaderMap) -> Parked {
    Parked {
        destination: destination.to_owned(),
        entry: None,
        sequence,
        reason: text(headers, REASON).unwrap_or_default().to_owned(),
        attempts: attempts(headers).unwrap_or_default(),
        last_at: Timestamp::from_unix_millis(number(headers, AT).unwrap_or_default()),
        status: number(headers, STATUS).and_then(|it| it.try_into().ok()),
        answer: answer::read(text(headers, ANSWER).unwrap_or_default()),
    }
}

/// Reads which event at which destination a subject concerns.
pub(super) fn place(subject: &str) -> Option<(&str, u64)> {
    let (rest, sequence) = subject.rsplit_once('.')?;
    let (_, destination) = rest.rsplit_once('.')?;
    Some((destination, sequence.parse().ok()?))
}

/// Writes an attempt down.
pub(super) fn attempt(destination: &str, sequence: u64, attempt: &Attempt) -> (String, HeaderMap) {
    let mut headers = about(sequence, attempt.number);
    describe(&mut headers, attempt);
    (subject(ATTEMPT, destination, sequence), headers)
}

/// Reads what [`attempt`] wrote.
pub(super) fn read_attempt(headers: &HeaderMap) -> Option<PastAttempt> {
    Some(PastAttempt {
        number: attempts(headers)?,
        at: Timestamp::from_unix_millis(number(headers, AT)?),
        via: text(headers, VIA)?.to_owned(),
        outcome: text(headers, OUTCOME)?.to_owned(),
        status: number(headers, STATUS).and_then(|it| it.try_into().ok()),
        latency: Duration::from_millis(number(headers, LATENCY)?),
        answer: answer::read(text(headers, ANSWER).unwrap_or_default()),
    })
}

/// Tells whether an attempt ended with a confirmation.
pub(super) fn is_delivered(headers: &HeaderMap) -> bool {
    text(headers, OUTCOME) == Some(Outcome::Delivered.as_str())
}

/// Reads how many attempts had been made.
pub(super) fn attempts(headers: &HeaderMap) -> Option<u32> {
    number(headers, ATTEMPTS)?.try_into().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.as_str())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

fn about(sequence: u64, attempts: u32) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(SEQUENCE, sequence.to_string());
    headers.insert(ATTEMPTS, attempts.to_string());
    headers
}

fn describe(headers: &mut HeaderMap, attempt: &Attempt) {
    headers.insert(AT, attempt.at.unix_millis().to_string());
    headers.insert(VIA, attempt.via.as_str());
    headers.insert(OUTCOME, attempt.outcome.as_str());
    headers.insert(LATENCY, attempt.latency.as_millis().to_string());
    if let Some(status) = attempt.status {
        headers.insert(STATUS, status.to_string());
    }
    headers.insert(ANSWER, answer::write(&attempt.answer));
}
