//! What is unusual about deliveries: carries counts to [`hookgate_watch`], and what
//! it wants done to the host.
//!
//! Requests only count, in the memory of their VM. On its tick a VM does what its
//! [`Worker`] asks for. Calls go out from ticks and from answers to others, and each
//! kind one at a time.

mod receiver;
mod seen;

use std::{
    cell::{Cell, RefCell},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    rc::Rc,
    time::Duration,
};

use hookgate_core::{
    config::{self, Watch},
    metric,
    policy::IpRange,
    protection::{Action, Protection, Suspect},
    time::Timestamp,
};
use hookgate_watch::{
    alert::Alert,
    orders::Protect,
    parts::{MAX_PART_BYTES, Wanted},
    source::Network,
    verdict::{Cause, Verdict},
    worker::{Act, Board, Place, Saved, Settings, Worker},
};
use log::{info, warn};
use proxy_wasm::{hostcalls, types::Status};

use self::receiver::{Receiver, Target};
pub(crate) use self::seen::Seen;
use crate::{counters, host, vm};

/// A version that no present key has: "create if absent".
const NEVER_A_VERSION: u32 = u32::MAX;

/// Code by which the upstream itself says that nothing was saved. Whoever stands before
/// it may answer 404 too, and knows nothing.
const UNKNOWN: &[u8] = b"\"state_unknown\"";

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Says that the gate itself asks: it takes every `x-hookgate-*` from its clients.
const FROM_THE_GATE: (&str, &str) = ("x-hookgate-watch", "1");

thread_local! {
    /// A module's statics are its VM's: a new configuration goes on with what was
    /// learnt under the one before.
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    /// The calls that the worker waits for. One configuration may ask and the next one
    /// begin before an answer comes to the first, which lives for as long as its streams.
    static RESTORING: Cell<Option<u32>> = const { Cell::new(None) };
    static SAVING: Cell<Option<u32>> = const { Cell::new(None) };
    /// Counts configurations. The one before ticks on while its connections drain, and
    /// would tell, ask and save where nobody looks any more.
    static CONFIGURED: Cell<u64> = const { Cell::new(0) };
}

/// Watches the deliveries of one configuration.
pub(crate) struct Watching {
    /// Its number among the VM's configurations.
    number: u64,
    config: Watch,
    receivers: Vec<Receiver>,
    /// Whether it was said that the upstream doesn't say what was saved.
    is_unknown: Cell<bool>,
}

impl Watching {
    /// Begins, or goes on with what this VM has; defines the statistics.
    pub(crate) fn start(config: Watch) -> Result<Rc<Self>, Status> {
        for cause in Cause::ALL {
            counters::define(&metric::ANOMALY, &[cause.name()])?;
            counters::define(&metric::VERDICTS, &[cause.name()])?;
        }
        for action in Action::ALL {
            counters::define(&metric::PROTECTED, &[action.as_str()])?;
        }
        let settings = Settings {
            tick_millis: u64::try_from(config.tick.as_millis()).unwrap_or(u64::MAX),
            workers: vm::NUMBERS,
            keeper: config.upstream.as_ref().map(|it| keeper(&config, it)),
            protect: Protect {
                forged_signatures: config.protect.forged_signatures,
                cascade: config.protect.cascade,
                secret_suspect: config.protect.secret_suspect,
            },
        };
        WORKER.with_borrow_mut(|worker| match worker {
            Some(worker) => {
                RESTORING.set(None);
                SAVING.set(None);
                worker.set(settings);
            }
            None => *worker = host::token().map(|token| Worker::new(settings, token)),
        });
        let upstream = config.upstream.as_ref().map(|it| Target {
            cluster: it.cluster.clone(),
            authority: it.authority.clone(),
            path: "/v1/watch/verdicts".to_owned(),
        });
        let alert = config.alert.as_ref().map(|it| Target {
            cluster: it.cluster.clone(),
            authority: it.authority.clone(),
            path: it.path.clone(),
        });
        let receivers = upstream.into_iter().chain(alert).map(Receiver::new);
        CONFIGURED.set(CONFIGURED.get() + 1);
        Ok(Rc::new(Self {
            number: CONFIGURED.get(),
            receivers: receivers.collect(),
            config,
            is_unknown: Cell::new(false),
        }))
    }

    /// How often [`Self::tick`] has to be called.
    pub(crate) fn period(&self) -> Duration {
        self.config.tick / 8
    }

    /// Does what is due; one that another configuration took the place of only tells what
    /// it had to tell.
    pub(crate) fn tick(&self, now: Timestamp, is_serving: bool) {
        let Some(number) = vm::number() else {
            return;
        };
        let now_millis = now.unix_millis();
        if self.number == CONFIGURED.get() {
            let acts =
                with_worker(|worker| worker.tick(now_millis, number, !is_serving, &mut SharedData));
            #[cfg(feature = "trap")]
            if with_worker(|worker| worker.watch().is_some()) == Some(true) {
                crate::trap::on_look();
            }
            for act in acts.unwrap_or_default() {
                self.act(act, now);
            }
        }
        for receiver in &self.receivers {
            receiver.send(now_millis);
        }
    }

    /// Returns what this worker is to do about verdicts, as of the last tick.
    pub(crate) fn protection() -> Protection {
        let protection = with_worker(|worker| {
            let orders = worker.orders();
            let suspects = orders.suspects.iter().map(|suspect| Suspect {
                network: range(suspect.network),
                api_version: suspect.api_version.clone(),
                type_name: suspect.type_name.clone(),
                account: suspect.account.clone(),
            });
            Protection {
                tightened: orders.tightened.iter().copied().map(range).collect(),
                sheds: orders.sheds,
                suspects: suspects.collect(),
            }
        });
        protection.unwrap_or_default()
    }

    /// Takes the answer to a call; tells whether it was one of its own.
    pub(crate) fn answered(&self, token: u32, answer: &Answered) -> bool {
        let now = host::now();
        if RESTORING.get() == Some(token) {
            RESTORING.set(None);
            self.restored(answer, now);
        } else if SAVING.get() == Some(token) {
            SAVING.set(None);
            self.saved(answer.is_success(), now);
        } else {
            let Some(receiver) = self.receivers.iter().find(|it| it.asked(token)) else {
                return false;
            };
            receiver.answered(answer, now.unix_millis());
        }
        true
    }

    /// Returns how many bytes of an answer's body are worth reading.
    pub(crate) fn worth_reading(&self, token: u32, body_bytes: usize) -> usize {
        if RESTORING.get() == Some(token) {
            // One more: what is longer is no part, and is refused as damaged.
            body_bytes.min(MAX_PART_BYTES + 1)
        } else {
            0
        }
    }

    fn act(&self, act: Act, now: Timestamp) {
        match act {
            Act::Taken => {
                count("taken");
                info!("watch: this worker looks from now on");
            }
            Act::Restore(wanted) => self.restore(wanted, now),
            Act::Restored => {
                count("restored");
                info!("watch: restored what was saved");
            }
            Act::BeginsAnew => info!("watch: nothing was saved yet"),
            Act::Save(part) => self.save(&part, now),
            Act::Saved => count("saved"),
            Act::Tell(verdict) => self.tell(&verdict, now),
            Act::Show(scores) => {
                count("ticked");
                for (cause, score) in scores {
                    if let Ok(gauge) = counters::define(&metric::ANOMALY, &[cause.name()]) {
                        _ = hostcalls::record_metric(gauge, score.into());
                    }
                }
            }
            Act::Refused(error) => {
                count("counts_refused");
                warn!("watch: counts of a worker are thrown away: {error}");
            }
            Act::OrdersRefused(error) => {
                count("orders_refused");
                warn!("watch: nothing is done about verdicts: {error}");
            }
        }
    }

    fn restore(&self, wanted: Wanted, now: Timestamp) {
        let asked = self.config.upstream.as_ref().map(|upstream| {
            let part = wanted.save.map(|save| (save, wanted.number));
            let headers = self.state_headers("GET", upstream, part);
            call(&upstream.cluster, &borrowed(&headers), None)
        });
        match asked {
            Some(Ok(token)) => RESTORING.set(Some(token)),
            _ => self.restored(&Answered::default(), now),
        }
    }

    fn restored(&self, answer: &Answered, now: Timestamp) {
        let saved = match answer.status {
            200 => Saved::Part(&answer.body),
            404 if answer.says(UNKNOWN) => Saved::Nothing,
            _ => Saved::Unknown,
        };
        let outcome = with_worker(|worker| worker.restored(now.unix_millis(), saved));
        // Nor does one that has the first part and not the rest, or answers something else.
        let is_unknown = outcome == Some(Ok(None));
        let was_unknown = self.is_unknown.replace(is_unknown);
        match outcome {
            Some(Err(error)) => {
                count("state_refused");
                warn!("watch: what was saved is refused, and learnt anew: {error}");
            }
            Some(Ok(Some(act))) => self.act(act, now),
            None => {}
            Some(Ok(None)) => {
                count("restore_failed");
                if !was_unknown {
                    warn!(
                        "watch: the upstream doesn't say what was saved (status {}); it is asked again and again",
                        answer.status
                    );
                }
            }
        }
    }

    fn save(&self, part: &[u8], now: Timestamp) {
        let saving = self.config.upstream.as_ref().map(|upstream| {
            let headers = self.state_headers("PUT", upstream, None);
            call(&upstream.cluster, &borrowed(&headers), Some(part))
        });
        match saving {
            Some(Ok(token)) => SAVING.set(Some(token)),
            _ => self.saved(false, now),
        }
    }

    fn saved(&self, is_saved: bool, now: Timestamp) {
        if !is_saved {
            count("save_failed");
        }
        let next = with_worker(|worker| worker.saved(now.unix_millis(), is_saved));
        if let Some(act) = next.flatten() {
            self.act(act, now);
        }
    }

    fn state_headers(
        &self,
        method: &'static str,
        upstream: &config::WatchUpstream,
        part: Option<(u64, u32)>,
    ) -> Vec<(&'static str, String)> {
        let mut path = format!("/v1/watch/state?gate={}", self.config.gate);
        if let Some((save, number)) = part {
            path += &format!("&save={save:016x}&part={number}");
        }
        vec![
            (":method", method.to_owned()),
            (":path", path),
            (":authority", upstream.authority.clone()),
            (FROM_THE_GATE.0, FROM_THE_GATE.1.to_owned()),
        ]
    }

    /// Tells a verdict to the log, the statistics and whoever wants to be told.
    fn tell(&self, verdict: &Verdict, now: Timestamp) {
        let began = with_worker(|worker| worker.millis_of(verdict.at));
        let alert = Alert {
            verdict,
            gate: &self.config.gate,
            began: Timestamp::from_unix_millis(began.unwrap_or_default()),
            at: now,
        };
        counters::add_by_name(&metric::VERDICTS, &[verdict.cause.name()]);
        warn!("{alert}");
        for receiver in &self.receivers {
            receiver.take(alert.cloud_event());
        }
    }
}

/// Is the answer to a call; status 0 if there was none.
#[derive(Default)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    fn says(&self, text: &[u8]) -> bool {
        self.body.windows(text.len()).any(|it| it == text)
    }
}

/// Numbers who keeps the state, so that another one is asked before anything is saved.
fn keeper(config: &Watch, upstream: &config::WatchUpstream) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&config.gate, &upstream.cluster, &upstream.authority).hash(&mut hasher);
    hasher.finish()
}

fn range(network: Network) -> IpRange {
    let (address, prefix) = network.range();
    IpRange::new(address, prefix)
}

fn with_worker<T>(run: impl FnOnce(&mut Worker) -> T) -> Option<T> {
    WORKER.with_borrow_mut(|worker| worker.as_mut().map(run))
}

fn count(result: &str) {
    counters::add_by_name(&metric::WATCH, &[result]);
}

fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    let pairs = headers.iter();
    pairs.map(|(name, value)| (*name, value.as_str())).collect()
}

fn call(cluster: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Result<u32, Status> {
    hostcalls::dispatch_http_call(cluster, headers.to_vec(), body, Vec::new(), TIMEOUT)
}

/// Is what all workers read and write, in Envoy's shared data.
struct SharedData;

fn key(place: Place) -> String {
    match place {
        Place::Lease => "hookgate1.watch.lease".to_owned(),
        Place::Orders => "hookgate1.watch.orders".to_owned(),
        Place::Counts(number) => format!("hookgate1.watch.counts.{number}"),
    }
}

impl Board for SharedData {
    fn load(&mut self, place: Place) -> Option<(Vec<u8>, u32)> {
        let (bytes, version) = hostcalls::get_shared_data(&key(place)).ok()?;
        Some((bytes.unwrap_or_default(), version?))
    }

    fn store(&mut self, place: Place, bytes: &[u8], version: Option<u32>) -> bool {
        let version = version.unwrap_or(NEVER_A_VERSION);
        hostcalls::set_shared_data(&key(place), Some(bytes), Some(version)).is_ok()
    }
}
