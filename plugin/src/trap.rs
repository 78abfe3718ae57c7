//! A trap on demand, for tests of what a trap costs. Never in a shipped module.

use std::{cell::Cell, hint::black_box};

use hookgate_core::request::RequestHead;
use proxy_wasm::hostcalls;

/// Asks for a trap, at the place that its value names: whoever sends it ends the
/// VM.
const HEADER: &str = "x-hookgate-test-trap";

/// What is asked for at once until there is no more.
const PIECE_BYTES: usize = 16 * 1_048_576;

/// Asks for a trap of the VM that looks for anomalies.
const WATCH: &str = "hookgate1.test.trap";

thread_local! {
    /// Whether the next tick ends the VM.
    static ON_TICK: Cell<bool> = const { Cell::new(false) };
}

/// Where a VM can be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// While headers are judged.
    Headers,
    /// There too, by asking for memory until there is none.
    Memory,
    /// While a part of the body is hashed.
    Body,
    /// When the upstream has answered.
    Answer,
    /// When the stream is logged.
    Log,
}

/// Reads where a request asks for a trap; ends the VM if that is at once.
pub(crate) fn asked(RequestHead(headers): RequestHead<'_>) -> Option<Place> {
    let (_, value) = headers.iter().find(|(name, _)| name == HEADER)?;
    let place = match value.as_slice() {
        b"memory" => Place::Memory,
        b"body" => Place::Body,
        b"answer" => Place::Answer,
        b"log" => Place::Log,
        b"watch" => {
            // Whichever VM looks sees it, also one that has no requests.
            _ = hostcalls::set_shared_data(WATCH, Some(b"1"), None);
            return None;
        }
        b"tick" => {
            ON_TICK.set(true);
            return None;
        }
        _ => Place::Headers,
    };
    if place == Place::Memory {
        exhaust();
    }
    at(Some(place), Place::Headers);
    Some(place)
}

/// Ends the VM if this is where it was asked for.
pub(crate) fn at(asked: Option<Place>, here: Place) {
    if asked == Some(here) {
        // Also leaves the name in the module, where a test looks for it.
        log::error!("{HEADER} asks for a trap");
        std::process::abort();
    }
}

/// Ends the VM if a request has asked for that.
pub(crate) fn on_tick() {
    at(ON_TICK.get().then_some(Place::Headers), Place::Headers);
}

/// Ends the VM if a request has asked for the one that looks for anomalies.
pub(crate) fn on_look() {
    if let Ok((Some(asked), _)) = hostcalls::get_shared_data(WATCH)
        && !asked.is_empty()
    {
        _ = hostcalls::set_shared_data(WATCH, Some(b""), None);
        at(Some(Place::Headers), Place::Headers);
    }
}

/// Takes all memory that the host gives, until the allocator ends the VM.
fn exhaust() {
    log::error!("{HEADER} asks for all memory");
    let mut pieces = Vec::new();
    loop {
        pieces.push(black_box(Vec::<u8>::with_capacity(PIECE_BYTES)));
    }
}
