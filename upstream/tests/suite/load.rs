//! Many senders at once, who remember what they were promised.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::Value;

use crate::{
    delivery::{Connection, Delivery},
    harness::Server,
};

/// The events that were answered 200, and the sequence where the answer had one.
/// Each was sent once.
pub(crate) type Promises = BTreeMap<String, Option<u64>>;

/// Senders at work, each with its own connection and events until it breaks.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    senders: Vec<thread::JoinHandle<()>>,
    promises: Arc<Mutex<Promises>>,
}

impl Load {
    /// Starts senders; `name` keeps their events apart from those of others.
    pub(crate) fn start(server: &Server, name: &str, senders: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let promises = Arc::new(Mutex::new(Promises::new()));
        let senders = (0..senders)
            .map(|sender| {
                let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
                let promises = Arc::clone(&promises);
                let (address, name) = (server.address, name.to_owned());
                thread::spawn(move || {
                    let Ok(mut connection) = Connection::open(address) else {
                        return;
                    };
                    for number in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let id = format!("evt_{name}_{sender}_{number}");
                        let Ok(answer) = connection.send(&Delivery::new(&id)) else {
                            return;
                        };
                        if let (200, "stored", sequence) = answer.outcome() {
                            promises.lock().unwrap().insert(id, sequence);
                        }
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self {
            stop,
            answered,
            senders,
            promises,
        }
    }

    /// How many answers have come so far.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits for the senders; returns what they were promised.
    pub(crate) fn finish(self) -> Promises {
        self.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.join().unwrap();
        }
        self.promises.lock().unwrap().clone()
    }
}

/// Checks that the log holds every promise under its sequence, and each once.
pub(crate) fn assert_kept(promises: &Promises, events: &[Value]) {
    let mut stored = BTreeMap::new();
    for event in events {
        let id = event["id"].as_str().unwrap().to_owned();
        let sequence = event["sequence"].as_u64().unwrap();
        assert_eq!(stored.insert(id, sequence), None, "stored twice: {event}");
    }
    for (id, sequence) in promises {
        let kept = stored.get(id).copied();
        assert!(kept.is_some(), "lost: {id}");
        assert!(sequence.is_none() || *sequence == kept, "elsewhere: {id}");
    }
}
