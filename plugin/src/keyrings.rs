//! Where keyrings come from: filter state with each request, HTTP on a tick.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use hookgate_core::{
    config::{HttpSource, KeyringSource},
    gate::{Gate, Refresh},
    keyring::MAX_KEYRING_BYTES,
    metric,
    request::RequestHead,
    time::Timestamp,
};
use log::{info, warn};
use proxy_wasm::hostcalls;
use zeroize::Zeroizing;

use crate::counters;

/// How soon a source that failed is asked again.
const RETRY: Duration = Duration::from_secs(1);

thread_local! {
    /// The last good answers, by keyring and place: a new configuration begins
    /// with the secrets of the one before, if it asks at the same place.
    static ANSWERS: RefCell<HashMap<Place, Zeroizing<Vec<u8>>>> = RefCell::default();
}

/// Names a keyring and where it comes from.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    keyring: String,
    cluster: String,
    authority: String,
    path: String,
}

/// Keeps a gate's keyrings up to date.
pub(crate) struct Keyrings {
    gate: Rc<Gate>,
    sources: Vec<Source>,
}

struct Source {
    name: String,
    http: Option<HttpSource>,
    is_failing: Cell<bool>,
    due: Cell<Timestamp>,
    /// Token of the call under way.
    call: Cell<Option<u32>>,
}

impl Source {
    fn place(&self) -> Option<Place> {
        let http = self.http.as_ref()?;
        Some(Place {
            keyring: self.name.clone(),
            cluster: http.cluster.clone(),
            authority: http.authority.clone(),
            path: http.path.clone(),
        })
    }

    /// A time further ahead than it was ever set comes from a clock that has
    /// stepped back.
    fn is_due(&self, now: Timestamp, refresh: Duration) -> bool {
        let due = self.due.get();
        due <= now || due > after(now, refresh.max(RETRY))
    }
}

impl Keyrings {
    pub(crate) fn new(gate: Rc<Gate>) -> Self {
        let source = |keyring: &hookgate_core::config::Keyring| Source {
            name: keyring.name.clone(),
            http: match &keyring.source {
                KeyringSource::FilterState(_) => None,
                KeyringSource::Http(http) => Some(http.clone()),
            },
            is_failing: Cell::new(false),
            due: Cell::new(Timestamp::from_unix_seconds(0)),
            call: Cell::new(None),
        };
        let keyrings = Self {
            sources: gate.keyrings().map(source).collect(),
            gate,
        };
        ANSWERS.with_borrow(|answers| {
            for (index, source) in keyrings.sources.iter().enumerate() {
                if let Some(answer) = source.place().and_then(|place| answers.get(&place)) {
                    keyrings.take(index, answer);
                }
            }
        });
        keyrings
    }

    /// Reads the keyring that a request's endpoint uses, if it is in filter
    /// state. Costs a copy of its text; it is parsed only when it changes.
    pub(crate) fn read(&self, head: RequestHead<'_>) {
        let Some((index, key)) = self.gate.keyring_of(head) else {
            return;
        };
        match hostcalls::get_property(vec!["filter_state", key]) {
            Ok(Some(text)) => _ = self.take(index, &Zeroizing::new(text)),
            _ => self.fail(index, "there is no such filter state object"),
        }
    }

    /// Asks the sources that are due. `is_serving` as in [`Self::answered`].
    pub(crate) fn poll(&self, now: Timestamp, is_serving: bool) {
        for (index, source) in self.sources.iter().enumerate() {
            if let Some(http) = &source.http
                && source.call.get().is_none()
                && source.is_due(now, http.refresh)
            {
                source.due.set(after(now, http.refresh));
                match ask(http) {
                    Ok(token) => source.call.set(Some(token)),
                    Err(_) => self.unanswered(index, now, is_serving),
                }
            }
        }
    }

    /// Takes the answer to a call. `is_serving` says whether this VM has
    /// requests at all: the one of Envoy's main thread has none, and whether its
    /// calls fail says nothing about the others'.
    pub(crate) fn answered(
        &self,
        token: u32,
        answer: Option<Zeroizing<Vec<u8>>>,
        is_serving: bool,
        now: Timestamp,
    ) {
        let mut sources = self.sources.iter().enumerate();
        let Some((index, source)) = sources.find(|(_, source)| source.call.get() == Some(token))
        else {
            return;
        };
        source.call.set(None);
        match answer {
            Some(answer) => {
                if self.take(index, &answer) == Refresh::Loaded
                    && let Some(place) = source.place()
                {
                    ANSWERS.with_borrow_mut(|answers| answers.insert(place, answer));
                }
            }
            None => self.unanswered(index, now, is_serving),
        }
    }

    fn unanswered(&self, index: usize, now: Timestamp, is_serving: bool) {
        if let Some(source) = self.sources.get(index) {
            source.due.set(after(now, RETRY));
        }
        if is_serving {
            self.fail(index, "its source doesn't answer 200");
        }
    }

    /// Tells whether this worker uses what was loaded last by any of them: a
    /// file is read with requests only, and a worker without any has an old one.
    pub(crate) fn is_current(&self, index: usize) -> bool {
        let own = self.gate.keyring_in_use(index);
        let last = self.sources.get(index).map(latest_key);
        let last = last.and_then(|key| hostcalls::get_shared_data(&key).ok()?.0);
        own.is_some_and(|own| last.as_deref() == Some(own.as_slice()))
    }

    fn take(&self, index: usize, text: &[u8]) -> Refresh {
        let refresh = self.gate.refresh(index, text);
        if let Some(source) = self.sources.get(index) {
            source.is_failing.set(false);
            match &refresh {
                Refresh::Unchanged => {}
                Refresh::Loaded => {
                    if let Some(own) = self.gate.keyring_in_use(index) {
                        // Without it nobody says how many secrets there are.
                        _ = hostcalls::set_shared_data(&latest_key(source), Some(&own), None);
                    }
                    info!("keyring {}: loaded", source.name);
                    count(source, "loaded");
                }
                Refresh::Refused(error) => {
                    warn!(
                        "keyring {}: refused, the secrets before stay in use: {error}",
                        source.name
                    );
                    count(source, "refused");
                }
            }
        }
        refresh
    }

    /// Counts and logs a source that fails, once until it is well again, or
    /// for each poll.
    fn fail(&self, index: usize, problem: &str) {
        let Some(source) = self.sources.get(index) else {
            return;
        };
        let was_failing = source.is_failing.replace(true);
        if source.http.is_some() || !was_failing {
            count(source, "failed");
        }
        if !was_failing {
            warn!(
                "keyring {}: {problem}; the secrets before stay in use",
                source.name
            );
        }
    }
}

/// Returns the key of what was loaded last by any worker.
fn latest_key(source: &Source) -> String {
    format!("hookgate1.keyring.{}", source.name)
}

fn count(source: &Source, result: &str) {
    counters::add_by_name(&metric::KEYRING, &[&source.name, result]);
}

fn ask(http: &HttpSource) -> Result<u32, proxy_wasm::types::Status> {
    let headers = vec![
        (":method", "GET"),
        (":path", http.path.as_str()),
        (":authority", http.authority.as_str()),
        ("accept", "application/json"),
        // What Vault and its agents ask of their clients.
        ("x-vault-request", "true"),
    ];
    hostcalls::dispatch_http_call(&http.cluster, headers, None, Vec::new(), http.timeout)
}

/// Returns most bytes of an answer that are worth reading: one more than a
/// keyring can have, so that too long is seen as such.
pub(crate) fn worth_reading(bytes: usize) -> usize {
    bytes.min(MAX_KEYRING_BYTES + 1)
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_unix_millis(now.unix_millis().saturating_add(millis))
}
