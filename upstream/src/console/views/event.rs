//! What the page of an event shows.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use bytes::Bytes;
use hookgate_core::identity::Source;
use tokio::runtime::Handle;

use super::names;
use crate::{
    clock,
    console::{
        Console,
        access::Caller,
        answer::{self, Problem},
        form::Fields,
        page,
        pool::wait,
    },
    log::{Capability, Entry, LogAddress, Reader},
    review::{Board, Desk, Life, Record, ReviewError, Waits},
};

/// Holds an event's life.
#[derive(Debug)]
pub(in crate::console) struct Event {
    /// The event.
    pub(in crate::console) entry: Entry,
    /// Its payload.
    pub(in crate::console) payload: Bytes,
    /// Its life at each destination.
    pub(in crate::console) lives: Vec<Life>,
    /// What people decided about it, and who looked at it.
    pub(in crate::console) records: Vec<Record>,
    /// Why less of it is known on this log; empty otherwise.
    pub(in crate::console) limit: String,
}

/// Shows one event's life.
pub(in crate::console) async fn event(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Problem> {
    let fields = Fields::of_text(uri.query().unwrap_or_default().as_bytes());
    let id = fields.get("id").unwrap_or_default().to_owned();
    let source = fields.parsed("source", |text| Source::new(text).ok());
    let source = source.map_err(|_| {
        Problem::Malformed("`source`: expected 1 to 64 of a-z, 0-9 and -".to_owned())
    })?;
    let log = console.log.clone();
    let (names, approvals) = (names(&console), console.approvals);
    // A payload may take long to write, too.
    let show = move |runtime: &Handle| {
        let events = read(runtime, &log, &id, source.as_ref())?;
        if events.is_empty() {
            let page = page::no_event(&caller, &id);
            return Ok(answer::page(StatusCode::NOT_FOUND, page));
        }
        let page = page::event(&caller, &events, &names, approvals, clock::now());
        Ok::<_, Problem>(answer::found(page))
    };
    console.pool.run(show).await?
}

fn read(
    runtime: &Handle,
    log: &LogAddress,
    id: &str,
    source: Option<&Source>,
) -> Result<Vec<Event>, Problem> {
    let found = wait(runtime, async {
        Reader::open(log).await?.event(id, source).await
    })??;
    let mut events = Vec::new();
    for (entry, payload) in found {
        let mut event = Event {
            entry,
            payload,
            lives: Vec::new(),
            records: Vec::new(),
            limit: String::new(),
        };
        match log {
            LogAddress::Sqlite(path) => {
                if let Some(board) = Board::open(path)? {
                    event.lives = board.lives(event.entry.sequence)?;
                    let sequence = event.entry.sequence;
                    event.records = Desk::open(log)?.about(id)?;
                    event.records.retain(|record| record.sequence == sequence);
                }
            }
            LogAddress::Nats(_) => decided_on_a_stream(log, &mut event)?,
            other => {
                let limit = other.require(Capability::Deliveries).err();
                event.limit = limit.map_or_else(String::new, |limit| limit.to_string());
            }
        }
        events.push(event);
    }
    Ok(events)
}

/// Adds what a stream tells of one event: where it is parked, and what people
/// decided.
fn decided_on_a_stream(log: &LogAddress, event: &mut Event) -> Result<(), Problem> {
    "On this log attempts are shown where an event is parked.".clone_into(&mut event.limit);
    let desk = match Desk::open(log) {
        // Nothing was delivered yet.
        Err(ReviewError::NotServed) => return Ok(()),
        desk => desk?,
    };
    let attributes = &event.entry.attributes;
    let cases = desk.cases(&attributes.id, Some(&attributes.source))?;
    let parked = cases.into_iter().map(|case| Life {
        destination: case.parked.destination,
        waits: Waits::ForPerson {
            reason: case.parked.reason,
        },
        attempts: case.attempts,
        is_ahead: false,
    });
    event.lives = parked.collect();
    event.records = desk.about(&attributes.id)?;
    let sequence = event.entry.sequence;
    event.records.retain(|record| record.sequence == sequence);
    Ok(())
}
