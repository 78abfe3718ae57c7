//! Whole deliveries in any order, beside a model that knows what is genuine.
//!
//! The model verifies by itself, keeps its own list of who holds and who has stored
//! which event, and says for each verb what the gate may answer: as a rule one answer.

mod gate;
mod model;
mod request;
mod sent;
mod store;

use hookgate_core::delivery::{Entropy, Origin};
use hookgate_core::time::Timestamp;

use crate::input::Input;
use model::Model;
use request::Request;
use sent::Sent;
pub(crate) use store::Store;

/// When the first delivery comes, in Unix seconds.
const START: u64 = 1_800_000_000;

/// Most deliveries that are open at once.
const MOST_OPEN: usize = 6;

/// Most calls of one run.
const MOST_CALLS: usize = 400;

/// Drives deliveries as `bytes` say, and compares each answer with the model's.
///
/// # Panics
/// If they differ.
pub fn check(bytes: &[u8]) -> Vec<&'static str> {
    let mut input = Input::new(bytes);
    let mut model = Model::new(gate::Setup::of(input.byte()));
    let mut store = Store::default();
    let mut open: Vec<Sent> = Vec::new();
    let mut met = Vec::new();
    let mut now = Timestamp::from_unix_millis(START * 1_000);
    for call in 0..MOST_CALLS {
        if input.is_empty() {
            break;
        }
        let verb = input.below(12);
        store.steps = 0;
        let sent = match verb {
            0..=2 if open.len() < MOST_OPEN => {
                let request = Request::of(&mut input, now);
                open.push(Sent::new(&mut model, &mut store, request, now));
                open.len() - 1
            }
            _ if open.is_empty() => continue,
            _ => input.below(open.len()),
        };
        let delivery = &mut open[sent];
        match verb {
            0..=2 => {}
            3 => delivery.body(&mut model, &mut store, input.below(64), now),
            4..=6 => {
                delivery.body(&mut model, &mut store, usize::MAX, now);
                let entropy = entropy(&mut input, call);
                delivery.end(&mut model, &mut store, entropy, now);
            }
            7 => delivery.end(&mut model, &mut store, entropy(&mut input, call), now),
            8 | 9 => {
                let status = input.one_of(&[200, 204, 503, 500, 429, 302, 404, 0]);
                let origin = input.one_of(&[Origin::Upstream, Origin::Upstream, Origin::Host]);
                delivery.answered(&mut model, &mut store, status, origin, now);
            }
            10 => {
                if input.once_in(4) {
                    delivery.fail();
                }
                let mut delivery = open.remove(sent);
                delivery.closed(&mut model, &mut store, now);
                met.extend(delivery.met());
            }
            _ => match input.below(4) {
                0 => store.fails = !store.fails,
                1 => store.conflicts = u32::from(input.byte()),
                unit => {
                    let unit = [0, 0, 100, 10_000][unit];
                    let by = unit * u64::from(input.byte());
                    now = Timestamp::from_unix_millis(now.unix_millis() + by);
                }
            },
        }
        // Lost races and reads, of a few tables: never more with what was sent.
        assert!(store.steps <= 2_000, "{} steps", store.steps);
    }
    for mut delivery in open {
        delivery.closed(&mut model, &mut store, now);
        met.extend(delivery.met());
    }
    met
}

/// Returns bits that no other call has, and now and then none.
fn entropy(input: &mut Input<'_>, call: usize) -> Option<Entropy> {
    let mut bits = [input.byte(); 32];
    bits[..8].copy_from_slice(&(call as u64).to_be_bytes());
    (bits[31] != 0xff).then_some(Entropy(bits))
}
