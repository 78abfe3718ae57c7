//! Requests whose headers are held while nothing of their body has come.
//!
//! Without `allow_on_headers_stop_iteration` Envoy shows nothing of a body for
//! as long as the headers are held, and the request would wait for its timeout.
//! A tick finds it by this: Envoy counts bytes of a body that it doesn't show.
//! With the setting it shows what it counts, in one go and on this thread, so
//! whoever sends slowly has nothing counted and is left alone. What an earlier
//! filter keeps for a while is counted and not shown too: hence looks over seconds,
//! and none any more once the body of held headers was shown, which proves the setting.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use hookgate_core::{reply::Code, reply::Reply, request::RequestHead};
use log::error;
use proxy_wasm::hostcalls;

use crate::stream;

/// For how many ticks, which are a quarter of a second, a body has to stay hidden.
const HIDDEN_TICKS: u64 = 10;

/// Holds the requests of one configuration that wait for their body.
#[derive(Default)]
pub(crate) struct Held {
    waiting: RefCell<BTreeMap<u32, Waiting>>,
    ticks: Cell<u64>,
    has_warned: Cell<bool>,
    /// Whether the body of held headers was ever shown.
    is_shown: Cell<bool>,
}

#[derive(Clone)]
struct Waiting {
    head_bytes: u64,
    /// The tick of the next look.
    due: u64,
    /// Ticks until the one after: each is twice as long, so that thousands of
    /// slow senders cost little.
    wait: u64,
    /// The tick that first found a body that isn't shown.
    hidden_since: Option<u64>,
    is_refused: Rc<Cell<bool>>,
}

/// A request's place among those that wait; it leaves by being dropped.
pub(crate) struct Place {
    held: Rc<Held>,
    context: u32,
    is_refused: Rc<Cell<bool>>,
}

impl Place {
    /// Tells whether a tick has answered the request.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.get()
    }

    /// Leaves because Envoy shows what comes behind held headers.
    pub(crate) fn leave(self) {
        self.held.is_shown.set(true);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.held.waiting.borrow_mut().remove(&self.context);
    }
}

impl Held {
    /// Takes a request in whose headers are held, as long as there is a doubt.
    pub(crate) fn enter(self: &Rc<Self>, context: u32, head: RequestHead<'_>) -> Option<Place> {
        if self.is_shown.get() {
            return None;
        }
        let is_refused = Rc::new(Cell::new(false));
        let waiting = Waiting {
            head_bytes: head.0.iter().map(size).sum(),
            due: self.ticks.get() + 1,
            wait: 1,
            hidden_since: None,
            is_refused: Rc::clone(&is_refused),
        };
        self.waiting.borrow_mut().insert(context, waiting);
        Some(Place {
            held: Rc::clone(self),
            context,
            is_refused,
        })
    }

    /// Answers the requests whose body Envoy doesn't show. The effective context
    /// is another one afterwards.
    pub(crate) fn tick(&self) {
        if self.is_shown.get() {
            self.waiting.borrow_mut().clear();
            return;
        }
        let now = self.ticks.get() + 1;
        self.ticks.set(now);
        // The host may come back into this module, so nothing stays borrowed.
        let due: Vec<(u32, Waiting)> = (self.waiting.borrow().iter())
            .filter(|(_, waiting)| waiting.due <= now)
            .map(|(context, waiting)| (*context, waiting.clone()))
            .collect();
        for (context, mut waiting) in due {
            if has_body(context, waiting.head_bytes) {
                let since = *waiting.hidden_since.get_or_insert(now);
                if now - since >= HIDDEN_TICKS {
                    self.refuse(&waiting);
                    self.waiting.borrow_mut().remove(&context);
                    continue;
                }
                waiting.due = now + 1;
            } else {
                waiting.wait = waiting.wait.saturating_mul(2);
                waiting.due = now + waiting.wait;
            }
            self.waiting.borrow_mut().insert(context, waiting);
        }
    }

    /// Answers the request of the effective context.
    fn refuse(&self, waiting: &Waiting) {
        if !self.has_warned.replace(true) {
            error!(
                "Envoy has the body of a request and doesn't show it: \
                 allow_on_headers_stop_iteration is not true in this filter's configuration. \
                 Set it, beside failure_policy: until then every delivery is answered 503"
            );
        }
        waiting.is_refused.set(true);
        stream::reply(&Reply::from(Code::Unavailable));
    }
}

/// Makes a request's context the effective one, and tells whether Envoy has
/// counted anything behind its headers.
fn has_body(context: u32, head_bytes: u64) -> bool {
    if hostcalls::set_effective_context(context).is_err() {
        return false;
    }
    let total = hostcalls::get_property(vec!["request", "total_size"]);
    let total = total.ok().flatten().and_then(|bytes| bytes.try_into().ok());
    total.map_or(0, u64::from_le_bytes) > head_bytes
}

fn size((name, value): &(String, Vec<u8>)) -> u64 {
    u64::try_from(name.len() + value.len()).unwrap_or(u64::MAX)
}
