//! Who is told verdicts: one at a time, and again after a failure.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use hookgate_watch::alert::MEDIA_TYPE;
use log::warn;

use super::{Answered, FROM_THE_GATE, call, count};

/// How often a verdict is sent, and how long after a failure again.
const ATTEMPTS: u32 = 3;
const RETRY_MILLIS: u64 = 2_000;

/// Verdicts that wait to be told, to one receiver.
const MAX_WAITING: usize = 64;

/// Is told verdicts.
pub(super) struct Receiver {
    target: Target,
    waiting: RefCell<VecDeque<Waiting>>,
    call: Cell<Option<u32>>,
}

struct Waiting {
    event: String,
    attempts: u32,
    due_millis: u64,
}

pub(super) struct Target {
    pub(super) cluster: String,
    pub(super) authority: String,
    pub(super) path: String,
}

impl Receiver {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            waiting: RefCell::default(),
            call: Cell::new(None),
        }
    }

    /// Tells whether a call of its own is answered.
    pub(super) fn asked(&self, token: u32) -> bool {
        self.call.get() == Some(token)
    }

    pub(super) fn take(&self, event: String) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= MAX_WAITING {
            waiting.pop_front();
            count("alert_failed");
        }
        waiting.push_back(Waiting {
            event,
            attempts: 0,
            due_millis: 0,
        });
    }

    /// Sends the oldest that is due, if none is under way.
    pub(super) fn send(&self, now_millis: u64) {
        if self.call.get().is_some() {
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        let Some(first) = waiting.front_mut().filter(|it| it.due_millis <= now_millis) else {
            return;
        };
        first.attempts += 1;
        let target = &self.target;
        let headers = [
            (":method", "POST"),
            (":path", target.path.as_str()),
            (":authority", target.authority.as_str()),
            ("content-type", MEDIA_TYPE),
            FROM_THE_GATE,
        ];
        match call(&target.cluster, &headers, Some(first.event.as_bytes())) {
            Ok(token) => self.call.set(Some(token)),
            Err(_) => failed(&mut waiting, now_millis),
        }
    }

    pub(super) fn answered(&self, answer: &Answered, now_millis: u64) {
        self.call.set(None);
        let mut waiting = self.waiting.borrow_mut();
        if answer.is_success() {
            waiting.pop_front();
            count("alerted");
        } else {
            failed(&mut waiting, now_millis);
        }
    }
}

/// Lets the first wait for its next attempt, or gives it up.
fn failed(waiting: &mut VecDeque<Waiting>, now_millis: u64) {
    if let Some(first) = waiting.front_mut() {
        if first.attempts < ATTEMPTS {
            first.due_millis = now_millis.saturating_add(RETRY_MILLIS);
            return;
        }
        waiting.pop_front();
        count("alert_failed");
        warn!("watch: a verdict could not be told, three times");
    }
}
