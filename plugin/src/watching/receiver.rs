//! Who is told verdicts.

use std::cell::{Cell, RefCell};

use hookgate_watch::{
    alert::MEDIA_TYPE,
    outbox::{Outbox, Sent},
};
use log::warn;

use super::{Answered, FROM_THE_GATE, call, count};

/// Is told verdicts.
pub(super) struct Receiver {
    target: Target,
    outbox: RefCell<Outbox>,
    call: Cell<Option<u32>>,
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
            outbox: RefCell::default(),
            call: Cell::new(None),
        }
    }

    /// Tells whether a call of its own is answered.
    pub(super) fn asked(&self, token: u32) -> bool {
        self.call.get() == Some(token)
    }

    pub(super) fn take(&self, event: String) {
        if !self.outbox.borrow_mut().take(event) {
            count("alert_failed");
        }
    }

    /// Sends what is due.
    pub(super) fn send(&self, now_millis: u64) {
        let mut outbox = self.outbox.borrow_mut();
        let Some(event) = outbox.next(now_millis) else {
            return;
        };
        let target = &self.target;
        let headers = [
            (":method", "POST"),
            (":path", target.path.as_str()),
            (":authority", target.authority.as_str()),
            ("content-type", MEDIA_TYPE),
            FROM_THE_GATE,
        ];
        match call(&target.cluster, &headers, Some(event.as_bytes())) {
            Ok(token) => self.call.set(Some(token)),
            Err(_) => said(outbox.ended(false, now_millis)),
        }
    }

    pub(super) fn answered(&self, answer: &Answered, now_millis: u64) {
        self.call.set(None);
        let mut outbox = self.outbox.borrow_mut();
        said(outbox.ended(answer.is_success(), now_millis));
    }
}

fn said(sent: Sent) {
    match sent {
        Sent::Told => count("alerted"),
        Sent::Again => {}
        Sent::GivenUp => {
            count("alert_failed");
            warn!("watch: a verdict could not be told, three times");
        }
    }
}
