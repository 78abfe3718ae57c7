//! One delivery, taken as far as what has happened to it.
//!
//! The real code is run from the beginning on what it was answered so far; at
//! the first call that has no answer yet the run stops, and the call is what it
//! wants next. So the code is neither changed nor copied to be stopped between
//! any two calls. Equal histories are run once.

use std::{collections::HashMap, rc::Rc};

use hookgate_core::{
    config::Config,
    delivery::{Arrival, Delivery, Entropy, Origin, Step},
    gate::Gate,
    outcome::Outcome,
    request::RequestHead,
    secret::SigningSecret,
    shared::{Address, SharedStore, StoreError, Version},
    signature,
    time::Timestamp,
};

const SECRET: &[u8] = b"whsec_model";
const GATE: &str = r#"{
    "endpoints": [{"name": "a", "path": "/a", "secrets": [{"name": "only", "env": "S"}]}],
    "dedup": {"max_entries": 1, "lease_seconds": 30, "retention_seconds": 3600},
    "upstream_timeout_seconds": 10
}"#;

/// When the model's clock is at 0.
const START: u64 = 1_760_000_000;

/// A bucket as a delivery saw it.
pub(crate) type Bytes = Rc<[u8]>;

/// Is what happens to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Happened {
    /// It came, for this event, with this token, at this time.
    Began { event: u8, token: u8, at: i32 },
    /// It read the bucket; `None` if that was never written.
    Loaded(Option<Bytes>),
    /// The store failed to read.
    NotLoaded,
    /// It wrote the bucket.
    Stored,
    /// Somebody else wrote first.
    LostARace,
    /// The store failed to write.
    NotStored,
    /// It was settled in this way, at this time.
    Settled(Settled, i32),
}

/// Is how a forwarded delivery comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Settled {
    /// The upstream confirmed.
    Confirmed,
    /// The upstream refused.
    Refused,
    /// The host answered in the upstream's place: nobody knows.
    TimedOut,
    /// The host made a success of its own, as it does of what calls itself gRPC.
    HostSucceeds,
    /// The sender went away: nobody knows.
    Gone,
}

impl Settled {
    pub(crate) const ALL: [Self; 5] = [
        Self::Confirmed,
        Self::Refused,
        Self::TimedOut,
        Self::HostSucceeds,
        Self::Gone,
    ];
}

/// Is what a delivery wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    Load,
    Store {
        bytes: Bytes,
        creates: bool,
    },
    /// It is forwarded and waits for an answer.
    Answer,
    Nothing(Outcome),
}

/// Names a history in [`Runs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Run(u32);

/// Every history that was met, and what each led to.
pub(crate) struct Runs {
    gate: Gate,
    histories: Vec<(Vec<Happened>, Next)>,
    known: HashMap<(Option<Run>, Happened), Run>,
}

impl Runs {
    pub(crate) fn new() -> Self {
        let config = Config::from_json(GATE.as_bytes()).unwrap();
        Self {
            gate: Gate::load(config, |_| Some(SECRET.into())).unwrap(),
            histories: Vec::new(),
            known: HashMap::new(),
        }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn next(&self, run: Run) -> &Next {
        &self.histories[run.0 as usize].1
    }

    fn history(&self, run: Run) -> &[Happened] {
        &self.histories[run.0 as usize].0
    }

    /// Returns the shortest history of a delivery that is forwarded as this one.
    pub(crate) fn forwarded(&mut self, run: Run) -> Run {
        let began = self.history(run)[0].clone();
        let run = self.after(None, began);
        let run = self.after(Some(run), Happened::Loaded(None));
        self.after(Some(run), Happened::Stored)
    }

    /// Returns when a delivery began.
    pub(crate) fn began(&self, run: Run) -> i32 {
        match self.history(run).first() {
            Some(Happened::Began { at, .. }) => *at,
            other => panic!("{other:?}"),
        }
    }

    /// Returns how and when a delivery was settled, if it was.
    pub(crate) fn settled(&self, run: Run) -> Option<(Settled, i32)> {
        self.history(run)
            .iter()
            .find_map(|happened| match happened {
                Happened::Settled(settled, at) => Some((*settled, *at)),
                _ => None,
            })
    }

    /// Takes a delivery one step on.
    pub(crate) fn after(&mut self, run: Option<Run>, happened: Happened) -> Run {
        let step = (run, happened);
        if let Some(known) = self.known.get(&step) {
            return *known;
        }
        let mut history = run.map_or_else(Vec::new, |run| self.history(run).to_vec());
        history.push(step.1.clone());
        let next = play(&self.gate, &history);
        let run = Run(u32::try_from(self.histories.len()).unwrap());
        self.histories.push((history, next));
        self.known.insert(step, run);
        run
    }
}

pub(crate) fn time(at: i32) -> Timestamp {
    Timestamp::from_unix_seconds(START.checked_add_signed(at.into()).unwrap())
}

fn play(gate: &Gate, history: &[Happened]) -> Next {
    let Some((Happened::Began { event, token, at }, rest)) = history.split_first() else {
        panic!("a delivery begins with its beginning: {history:?}");
    };
    let payload = format!(r#"{{"id": "evt_n{event}", "object": "event", "type": "a.b"}}"#);
    let secret = SigningSecret::new("only", SECRET).unwrap();
    let headers = [
        (":method", "POST".to_owned()),
        (":path", "/a".to_owned()),
        (
            "stripe-signature",
            signature::sign(&secret, time(0), payload.as_bytes()),
        ),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes()));
    let arrival = Arrival {
        head: RequestHead(&headers),
        source: None,
        now: time(*at),
    };
    let mut store = Recorded {
        answers: rest.iter(),
        wants: None,
        version: Version::Absent,
    };
    let mut delivery = Delivery::default();
    let mut step = delivery.headers(gate, arrival, &mut store);
    if step == Step::Hold {
        step = delivery.body(payload.as_bytes(), time(*at), &mut store);
    }
    assert_eq!(step, Step::Hold, "the model's delivery is genuine");
    let entropy = Some(Entropy([*token; 32]));
    delivery.end(payload.as_bytes(), time(*at), entropy, &mut store);
    if store.wants.is_none() && delivery.is_forwarded() {
        match store.settlement() {
            None => return Next::Answer,
            Some((settled, at)) => {
                let answer = match settled {
                    Settled::Confirmed => Some((200, Origin::Upstream)),
                    Settled::Refused => Some((503, Origin::Upstream)),
                    Settled::TimedOut => Some((504, Origin::Host)),
                    Settled::HostSucceeds => Some((200, Origin::Host)),
                    Settled::Gone => None,
                };
                if let Some((status, origin)) = answer {
                    delivery.answered(status, origin, time(at), &mut store);
                } else {
                    delivery.closed(time(at), &mut store);
                }
            }
        }
    }
    match (store.wants, delivery.outcome()) {
        (Some(next), _) => next,
        (None, Some(outcome)) => Next::Nothing(outcome),
        (None, None) => panic!("neither waits nor ended: {history:?}"),
    }
}

/// A store that answers from a history, and notes the first call beyond it.
struct Recorded<'a> {
    answers: std::slice::Iter<'a, Happened>,
    wants: Option<Next>,
    /// What the last read saw; a delivery writes over nothing else.
    version: Version,
}

impl Recorded<'_> {
    fn settlement(&mut self) -> Option<(Settled, i32)> {
        match self.answers.next()? {
            Happened::Settled(settled, at) => Some((*settled, *at)),
            other => panic!("a forwarded delivery only waits: {other:?}"),
        }
    }

    /// Stops the run: whatever it does with the failure is never looked at.
    fn stop(&mut self, wants: Next) -> StoreError {
        self.wants.get_or_insert(wants);
        StoreError::Failed
    }
}

impl SharedStore for Recorded<'_> {
    fn load(&mut self, _: Address) -> Result<(Vec<u8>, Version), StoreError> {
        match self.answers.next() {
            None => Err(self.stop(Next::Load)),
            Some(Happened::NotLoaded) => Err(StoreError::Failed),
            Some(Happened::Loaded(bytes)) => {
                let present = self.answers.len() as u32;
                self.version = bytes
                    .as_ref()
                    .map_or(Version::Absent, |_| Version::Is(present));
                Ok((bytes.as_deref().unwrap_or_default().into(), self.version))
            }
            Some(other) => panic!("not an answer to a read: {other:?}"),
        }
    }

    fn store(&mut self, _: Address, bytes: &[u8], version: Version) -> Result<(), StoreError> {
        assert_eq!(version, self.version, "writes over what it has not read");
        match self.answers.next() {
            None => Err(self.stop(Next::Store {
                bytes: bytes.into(),
                creates: version == Version::Absent,
            })),
            Some(Happened::Stored) => Ok(()),
            Some(Happened::LostARace) => Err(StoreError::Conflict),
            Some(Happened::NotStored) => Err(StoreError::Failed),
            Some(other) => panic!("not an answer to a write: {other:?}"),
        }
    }
}
