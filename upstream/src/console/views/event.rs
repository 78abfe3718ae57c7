//! What the page of an event shows.

use std::{path::Path, sync::Arc};

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
    deliver::engine::Watched,
    log::{Capability, Entry, Kept, LogAddress},
    review::{Board, Desk, Life, Record, ReviewError},
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
    let shown = Arc::clone(&console);
    // A payload may take long to write, too.
    let show = move |runtime: &Handle| {
        let events = read(runtime, &log, &id, source.as_ref(), shown.watched())?;
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
    log: &Kept,
    id: &str,
    source: Option<&Source>,
    watched: &[Watched],
) -> Result<Vec<Event>, Problem> {
    let found = wait(runtime, async {
        log.reader().await?.event(id, source).await
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
        match log.address() {
            LogAddress::Sqlite(path) => life_in_a_file(path, log, &mut event)?,
            LogAddress::Nats(_) => life_on_a_stream(runtime, log, &mut event, watched)?,
            other => {
                let limit = other.require(Capability::Deliveries).err();
                event.limit = limit.map_or_else(String::new, |limit| limit.to_string());
            }
        }
        events.push(event);
    }
    Ok(events)
}

/// Adds what a file beside the log tells of one event.
fn life_in_a_file(path: &Path, log: &Kept, event: &mut Event) -> Result<(), Problem> {
    let Some(board) = Board::open(path)? else {
        return Ok(());
    };
    let (id, sequence) = (&event.entry.attributes.id, event.entry.sequence);
    event.lives = board.lives(sequence)?;
    event.records = Desk::open(log.address())?.about(id)?;
    event.records.retain(|record| record.sequence == sequence);
    Ok(())
}

/// Adds what streams beside the log tell of one event.
fn life_on_a_stream(
    runtime: &Handle,
    log: &Kept,
    event: &mut Event,
    watched: &[Watched],
) -> Result<(), Problem> {
    let desk = match Desk::kept(log, runtime) {
        // Nothing was delivered yet.
        Err(ReviewError::NotServed) => return Ok(()),
        desk => desk?,
    };
    let entry = &event.entry;
    event.records = desk.about(&entry.attributes.id)?;
    let sequence = entry.sequence;
    event.records.retain(|record| record.sequence == sequence);
    let destinations = watched.iter().map(|it| {
        let wants = !entry.redacted && it.wants(&entry.attributes);
        (it.name().to_owned(), wants)
    });
    let destinations: Vec<_> = destinations.collect();
    event.lives = desk.lives(entry, &event.records, &destinations)?;
    Ok(())
}
