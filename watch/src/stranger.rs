//! Genuine signatures by somebody who never signed before.

use alloc::{vec, vec::Vec};

use crate::{
    float::ln,
    sketch::hash,
    source::Network,
    state::persist,
    suspect::{Suspect, Suspects, TWICE},
    time::Time,
};

/// Values of one kind that are known at most.
const KNOWN: usize = 512;
/// Seconds before which nothing is judged: a week.
const LEARNING_SECONDS: u64 = 7 * 86_400;
/// Seconds since a value was seen first in which it is new, however seldom it came: six
/// hours. Whoever is patient is no stranger; what a thief does at once is told.
const PROBATION_SECONDS: u64 = 6 * 3_600;
/// Where the sum of surprises alarms, in natural units of information.
const THRESHOLD: f64 = 30.0;
/// Where the sum stops.
const CAP: f64 = 1.3 * THRESHOLD;
/// Share of the sum that a tick leaves: half of it is gone in ten minutes.
const FADE: f64 = 0.9885;

/// Deliveries that say the same of themselves of which each is judged, in one tick.
const JUDGED: u32 = 8;

/// Kinds of what a delivery says about who signed it.
const NETWORK: usize = 0;
const VERSION: usize = 1;
const KIND: usize = 2;
const ACCOUNT: usize = 3;
const NAMES: [&str; 4] = ["network", "API version", "type", "account"];

/// Detector of a signing secret in other hands.
///
/// Of each delivery with a valid signature: is its network, API version, type or
/// account one that was never seen before the last six hours? A delivery counts when
/// its network is new, or two others are, with the sum of −ln of how often such a new
/// value comes (Shannon's self-information). The sum halves in ten minutes and alarms
/// at 30: four deliveries from a network never seen, two where the account and the
/// version are new too. Nothing alarms in the first week, nor while networks, versions,
/// types and accounts stay those that were seen. At most 512 values of each kind, the
/// longest unseen go first: 50 KB; and 14 KB of suspects.
#[derive(Debug, Clone, PartialEq)]
pub struct Stranger {
    kinds: Vec<Known>,
    began: Time,
    sum: f64,
    deliveries: f64,
    from: Option<Network>,
    news: [f64; 4],
    suspects: Suspects,
}

persist!(Stranger {
    kinds,
    began,
    sum,
    deliveries,
    from,
    news,
    suspects,
});

/// What a delivery with a valid signature says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// Where it came from.
    pub network: Network,
    /// Its `api_version`, if it names one.
    pub api_version: Option<&'a str>,
    /// Its event type.
    pub type_name: &'a str,
    /// The connected account, if it is of one.
    pub account: Option<&'a str>,
}

/// Deliveries of a stranger.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspicion {
    /// Deliveries that were surprising, lately.
    pub deliveries: f64,
    /// The network of the last of them.
    pub from: Option<Network>,
    /// Kinds that most of them had a new value of.
    pub news: Vec<&'static str>,
    /// Sum of surprises over its threshold.
    pub strength: f64,
}

/// Values of one kind.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    values: Vec<Value>,
    seen: f64,
    new: f64,
}

persist!(Known { values, seen, new });

#[derive(Debug, Clone, PartialEq)]
struct Value {
    hash: u64,
    first: Time,
    last: Time,
}

persist!(Value { hash, first, last });

impl Known {
    /// Returns the surprise of a value; 0 if it is known.
    fn surprise(&mut self, value: u64, now: Time) -> f64 {
        self.seen += 1.0;
        let found = self.values.binary_search_by_key(&value, |known| known.hash);
        match found {
            Ok(at) => {
                let Some(known) = self.values.get_mut(at) else {
                    return 0.0;
                };
                known.last = known.last.max(now);
                if now.seconds_since(known.first) >= PROBATION_SECONDS {
                    return 0.0;
                }
            }
            Err(at) => {
                self.new += 1.0;
                let newcomer = Value {
                    hash: value,
                    first: now,
                    last: now,
                };
                self.values.insert(at, newcomer);
                self.forget();
            }
        }
        ln((self.seen + 100.0) / (self.new + 1.0))
    }

    /// Tells whether a value is surely new: not one that had to be forgotten.
    fn is_new(&self, value: u64, now: Time) -> bool {
        let is_whole = self.values.len() < KNOWN;
        let found = self.values.binary_search_by_key(&value, |known| known.hash);
        let known = found.ok().and_then(|at| self.values.get(at));
        is_whole && known.is_none_or(|known| now.seconds_since(known.first) < PROBATION_SECONDS)
    }

    fn forget(&mut self) {
        if self.values.len() <= KNOWN {
            return;
        }
        let ages = self.values.iter().enumerate();
        if let Some((oldest, _)) = ages.min_by_key(|(_, value)| value.last) {
            self.values.remove(oldest);
        }
    }
}

impl Stranger {
    /// Starts without knowledge, at a time.
    pub fn new(now: Time) -> Self {
        let nothing = Known {
            values: Vec::new(),
            seen: 0.0,
            new: 0.0,
        };
        Self {
            kinds: vec![nothing; NAMES.len()],
            began: now,
            sum: 0.0,
            deliveries: 0.0,
            from: None,
            news: [0.0; 4],
            suspects: Suspects::default(),
        }
    }

    /// Tells whether a network is known to have sent no genuine delivery: within a
    /// week at least, and as long as none had to be forgotten.
    pub fn never_signed(&self, now: Time, network: Network) -> bool {
        let Some(known) = self.kinds.get(NETWORK) else {
            return false;
        };
        let is_learnt = now.seconds_since(self.began) >= LEARNING_SECONDS;
        let is_whole = known.values.len() < KNOWN;
        let key = network.key();
        let found = known.values.binary_search_by_key(&key, |value| value.hash);
        is_learnt && is_whole && found.is_err()
    }

    /// Returns whose deliveries are suspicious, of those in the last half hour: at most
    /// 32, and none that say of themselves only what is known, or may have been.
    pub fn suspects(&self, now: Time) -> Vec<Suspect> {
        let mut suspects: Vec<Suspect> = self.suspects.at(now).cloned().collect();
        suspects.retain(|suspect| self.is_new(now, suspect));
        suspects
    }

    /// Tells whether what a suspect is suspected for is new.
    fn is_new(&self, now: Time, suspect: &Suspect) -> bool {
        let is_new = |kind: usize, value: u64| {
            let known = self.kinds.get(kind);
            known.is_some_and(|known| known.is_new(value, now))
        };
        let named = [VERSION, KIND, ACCOUNT].into_iter().zip(suspect.says());
        let said = named.filter_map(|(kind, text)| Some((kind, hash(text?.as_bytes()))));
        if said.clone().next().is_none() {
            return is_new(NETWORK, suspect.network.key());
        }
        said.filter(|(kind, value)| is_new(*kind, *value)).count() >= TWICE
    }

    /// Suspects who sent a delivery that says these new things of itself.
    fn suspect(&mut self, now: Time, delivery: &Signed<'_>, surprises: [f64; 4]) {
        let mut news = [false; 4];
        for ((is_new, surprise), known) in news.iter_mut().zip(surprises).zip(&self.kinds) {
            *is_new = surprise > 0.0 && known.values.len() < KNOWN;
        }
        let [network, said @ ..] = news;
        if network {
            self.suspects.saw(Suspect::all_of(delivery.network), now);
        } else if let Some(suspect) = Suspect::saying(delivery, said) {
            self.suspects.saw(suspect, now);
        }
    }

    /// Takes a delivery with a valid signature.
    pub fn signed(&mut self, now: Time, delivery: &Signed<'_>) {
        let mut values = [None; 4];
        values[NETWORK] = Some(delivery.network.key());
        values[VERSION] = delivery.api_version.map(|text| hash(text.as_bytes()));
        values[KIND] = Some(hash(delivery.type_name.as_bytes()));
        values[ACCOUNT] = delivery.account.map(|text| hash(text.as_bytes()));
        let mut surprises = [0.0; 4];
        for ((surprise, value), known) in surprises.iter_mut().zip(values).zip(&mut self.kinds) {
            if let Some(value) = value {
                *surprise = known.surprise(value, now);
            }
        }
        let news = surprises.iter().filter(|surprise| **surprise > 0.0).count();
        let judged = now.seconds_since(self.began) >= LEARNING_SECONDS;
        if !judged || (surprises[NETWORK] == 0.0 && news < 2) {
            return;
        }
        self.sum = (self.sum + surprises.iter().sum::<f64>()).min(CAP);
        self.deliveries += 1.0;
        self.from = Some(delivery.network);
        self.suspect(now, delivery, surprises);
        for (count, surprise) in self.news.iter_mut().zip(surprises) {
            *count += f64::from(u8::from(surprise > 0.0));
        }
    }

    /// Takes deliveries that say the same of themselves. What more of them than eight
    /// are is only counted: these have alarmed, or are known.
    pub fn signed_many(&mut self, now: Time, delivery: &Signed<'_>, deliveries: u32) {
        for _ in 0..deliveries.min(JUDGED) {
            self.signed(now, delivery);
        }
        let further = f64::from(deliveries.saturating_sub(JUDGED));
        let is_said = [
            true,
            delivery.api_version.is_some(),
            true,
            delivery.account.is_some(),
        ];
        for (known, is_said) in self.kinds.iter_mut().zip(is_said) {
            known.seen += if is_said { further } else { 0.0 };
        }
    }

    /// Keeps how long ago everything was seen, where the clock is set back.
    pub(crate) fn set_back(&mut self, seconds: u64) {
        self.began = self.began.minus(seconds);
        let kinds = self.kinds.iter_mut();
        for value in kinds.flat_map(|known| &mut known.values) {
            value.first = value.first.minus(seconds);
            value.last = value.last.minus(seconds);
        }
    }

    /// Learns so many seconds longer: it saw nothing of them.
    pub(crate) fn missed(&mut self, seconds: u64) {
        self.began = self.began.plus(seconds);
    }

    /// Ends a tick; returns whom to suspect, if anybody.
    pub fn tick(&mut self) -> Option<Suspicion> {
        let suspicion = (self.sum >= THRESHOLD).then(|| Suspicion {
            deliveries: self.deliveries,
            from: self.from,
            news: NAMES
                .into_iter()
                .zip(self.news)
                .filter(|(_, count)| *count > 0.5 * self.deliveries)
                .map(|(name, _)| name)
                .collect(),
            strength: self.sum / THRESHOLD,
        });
        self.sum *= FADE;
        self.deliveries *= FADE;
        for count in &mut self.news {
            *count *= FADE;
        }
        suspicion
    }
}
