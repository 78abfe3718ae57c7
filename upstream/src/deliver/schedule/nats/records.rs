//! What is written down, as messages without a payload.

use async_nats::{HeaderMap, header, jetstream::Message};
use hookgate_core::time::Timestamp;

use crate::deliver::{
    job::{Attempt, ParkReason},
    schedule::Parked,
};

/// Events that wait for their time.
pub(super) const SCHEDULED: &str = "hookgate.scheduled";

/// Events whose time has come.
pub(super) const RETRY: &str = "hookgate.retry";

/// Events that wait for a person.
pub(super) const REVIEW: &str = "hookgate.review";

/// Attempts that were made.
pub(super) const ATTEMPT: &str = "hookgate.attempt";

const SEQUENCE: &str = "hookgate-sequence";
const ATTEMPTS: &str = "hookgate-attempts";
const FIRST_AT: &str = "hookgate-first-at";
const REASON: &str = "hookgate-reason";
const AT: &str = "hookgate-at";
const STATUS: &str = "hookgate-status";
const ANSWER: &str = "hookgate-answer";

/// Holds what a retry knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retried {
    pub(super) sequence: u64,
    pub(super) attempts: u32,
    pub(super) first_at: Timestamp,
}

/// Names what concerns one event at one destination.
pub(super) fn subject(prefix: &str, destination: &str, sequence: u64) -> String {
    format!("{prefix}.{destination}.{sequence}")
}

/// Schedules an event. The server publishes it under [`RETRY`] when it is time.
pub(super) fn retry(
    destination: &str,
    sequence: u64,
    attempts: u32,
    first_at: Timestamp,
    at: Timestamp,
) -> (String, HeaderMap) {
    let mut headers = about(sequence, attempts);
    headers.insert(FIRST_AT, first_at.unix_millis().to_string());
    headers.insert(header::NATS_SCHEDULE, format!("@at {at}"));
    let target = subject(RETRY, destination, sequence);
    headers.insert(header::NATS_SCHEDULE_TARGET, target);
    (subject(SCHEDULED, destination, sequence), headers)
}

/// Reads what [`retry`] wrote.
pub(super) fn retried(message: &Message) -> Option<Retried> {
    let headers = message.headers.as_ref()?;
    let number = |name| headers.get(name)?.as_str().parse::<u64>().ok();
    Some(Retried {
        sequence: number(SEQUENCE)?,
        attempts: u32::try_from(number(ATTEMPTS)?).ok()?,
        first_at: Timestamp::from_unix_millis(number(FIRST_AT)?),
    })
}

/// Writes an event down for a person.
pub(super) fn parked(
    destination: &str,
    sequence: u64,
    attempts: &[Attempt],
    reason: ParkReason,
) -> (String, HeaderMap) {
    let last = attempts.last();
    let mut headers = about(sequence, last.map_or(0, |last| last.number));
    headers.insert(REASON, reason.as_str());
    if let Some(last) = last {
        describe(&mut headers, last);
    }
    (subject(REVIEW, destination, sequence), headers)
}

/// Reads what [`parked`] wrote; the event is looked up by the caller.
pub(super) fn read_parked(subject: &str, sequence: u64, headers: &HeaderMap) -> Parked {
    let text = |name: &str| headers.get(name).map(|value| value.as_str());
    let number = |name: &str| text(name)?.parse::<u64>().ok();
    let destination = subject.rsplit('.').nth(1).unwrap_or_default();
    Parked {
        destination: destination.to_owned(),
        entry: None,
        sequence,
        reason: text(REASON).unwrap_or_default().to_owned(),
        attempts: number(ATTEMPTS)
            .and_then(|it| u32::try_from(it).ok())
            .unwrap_or_default(),
        last_at: Timestamp::from_unix_millis(number(AT).unwrap_or_default()),
        status: number(STATUS).and_then(|it| u16::try_from(it).ok()),
        answer: text(ANSWER).unwrap_or_default().to_owned(),
    }
}

/// Writes an attempt down.
pub(super) fn attempt(destination: &str, sequence: u64, attempt: &Attempt) -> (String, HeaderMap) {
    let mut headers = about(sequence, attempt.number);
    describe(&mut headers, attempt);
    (subject(ATTEMPT, destination, sequence), headers)
}

fn about(sequence: u64, attempts: u32) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(SEQUENCE, sequence.to_string());
    headers.insert(ATTEMPTS, attempts.to_string());
    headers
}

fn describe(headers: &mut HeaderMap, attempt: &Attempt) {
    headers.insert(AT, attempt.at.unix_millis().to_string());
    headers.insert("hookgate-via", attempt.via.as_str());
    headers.insert("hookgate-outcome", attempt.outcome.as_str());
    headers.insert(
        "hookgate-latency-ms",
        attempt.latency.as_millis().to_string(),
    );
    if let Some(status) = attempt.status {
        headers.insert(STATUS, status.to_string());
    }
    // A header takes one line of text.
    let answer = String::from_utf8_lossy(&attempt.answer);
    headers.insert(ANSWER, answer.escape_debug().to_string());
}
