//! Tries the usual suspects, the simplest explanation first, within a bound.

use alloc::vec::Vec;

use hookgate_core::{
    request::RequestHead,
    scheme::{Scheme, Signed},
    secret::SigningSecret,
    time::Timestamp,
};

use crate::{
    cause::{Cause, Rewriting},
    head::{self, Candidate, Head},
    input::{Delivery, Secret},
    key::{self, Key},
    payload::{Step, look, rewritings, undo},
};

/// Most bytes that are hashed or written for one delivery: a second in a browser.
const MAX_BYTES: usize = 96 * 1_048_576;

/// What a try costs beside its payload, in bytes: the blocks of an HMAC.
const OVERHEAD_BYTES: usize = 256;

/// Holds what was signed, and what leads from there to what was given.
pub(crate) struct Match {
    pub(crate) causes: Vec<Cause>,
    pub(crate) scheme: Scheme,
    pub(crate) head: Head,
    pub(crate) payload: Vec<u8>,
    pub(crate) signed_at: Option<Timestamp>,
    /// Which of the given secrets.
    pub(crate) secret: usize,
    pub(crate) signer: SigningSecret,
}

/// Holds what came of a search.
pub(crate) struct Outcome {
    pub(crate) found: Option<Match>,
    /// Pairs of a payload and a key that were tried.
    pub(crate) tries: u64,
    /// Everything was tried that there is.
    pub(crate) complete: bool,
}

/// Headers that can be read, and the keys of their scheme.
struct Door {
    given: Candidate,
    signed: Signed,
    keys: Vec<Key>,
}

struct Search {
    doors: Vec<Door>,
    spent: usize,
    tries: u64,
    found: Option<Match>,
}

/// Searches for what was signed.
pub(crate) fn search(scheme: &Scheme, delivery: &Delivery, secrets: &[Secret]) -> Outcome {
    let doors = head::candidates(scheme, &delivery.head);
    let mut search = Search {
        doors: doors
            .into_iter()
            .filter_map(|it| door(it, secrets))
            .collect(),
        spent: 0,
        tries: 0,
        found: None,
    };
    search.run(scheme, delivery, secrets);
    Outcome {
        complete: search.found.is_some() || search.spent < MAX_BYTES,
        tries: search.tries,
        found: search.found,
    }
}

fn door(given: Candidate, secrets: &[Secret]) -> Option<Door> {
    Some(Door {
        signed: given.scheme.read(RequestHead(&given.head)).ok()?,
        keys: key::keys(&given.scheme, secrets),
        given,
    })
}

impl Search {
    fn run(&mut self, scheme: &Scheme, delivery: &Delivery, secrets: &[Secret]) {
        let payload = delivery.payload.as_slice();
        let any = usize::MAX;
        if self.doors.iter().all(|door| door.keys.is_empty()) {
            self.other_times(scheme, delivery, secrets);
            return;
        }
        if self.attempt(&[], payload, any) {
            return;
        }
        let steps = self.undo(payload);
        for (step, bytes) in &steps {
            if self.attempt(&[Cause::Payload(*step)], bytes, any) {
                return;
            }
        }
        if self.rewrite(&[], payload, 1) || self.other_times(scheme, delivery, secrets) {
            return;
        }
        for (step, bytes) in &steps {
            for (earlier, bytes) in self.undo(bytes) {
                let causes = [Cause::Payload(*step), Cause::Payload(earlier)];
                if self.attempt(&causes, &bytes, 1) {
                    return;
                }
            }
        }
        for (step, bytes) in &steps {
            let causes = [Cause::Payload(*step)];
            // White space doesn't matter to who writes JSON anew.
            let matters = !matches!(
                step,
                Step::SpaceAdded
                    | Step::NewlineLost
                    | Step::CrlfMade
                    | Step::CrlfLost
                    | Step::BomLost
            );
            if matters && self.rewrite(&causes, bytes, 0) {
                return;
            }
        }
    }

    /// Undoes single steps, within what may be spent.
    fn undo(&mut self, payload: &[u8]) -> Vec<(Step, Vec<u8>)> {
        if self.spent >= MAX_BYTES {
            return Vec::new();
        }
        let steps = undo(payload);
        let bytes = steps.iter().map(|(_, bytes)| bytes.len());
        self.spent += bytes.sum::<usize>();
        steps
    }

    /// Tries every form of a JSON payload; true once there is nothing more to do.
    fn rewrite(&mut self, causes: &[Cause], payload: &[u8], key_changes: usize) -> bool {
        let given = look(payload);
        let mut ended = false;
        rewritings(payload, |written| {
            let rewriting = Rewriting {
                given,
                signed: look(&written.bytes),
                reordered: written.reordered,
                relisted: written.relisted,
                escaped: written.escaped,
            };
            self.spent += written.bytes.len();
            let causes = [causes, &[Cause::Reserialised(rewriting)]].concat();
            ended = self.attempt(&causes, &written.bytes, key_changes);
            ended
        });
        ended
    }

    /// Tries other times in the headers, with unaltered payload and secrets.
    fn other_times(&mut self, scheme: &Scheme, delivery: &Delivery, secrets: &[Secret]) -> bool {
        let created = head::created(&delivery.payload);
        let unreadable = head::with_unreadable_time(scheme, &delivery.head);
        let given = self.doors.iter().map(|door| &door.given).chain(&unreadable);
        let others: Vec<Candidate> = given
            .flat_map(|given| head::with_other_times(given, created))
            .collect();
        let first = self.doors.len();
        for other in others {
            self.doors.truncate(first);
            self.doors.extend(door(other, secrets));
            let ended = self.attempt_from(first, &[], &delivery.payload, 0);
            if ended {
                return true;
            }
        }
        self.doors.truncate(first);
        false
    }

    fn attempt(&mut self, causes: &[Cause], payload: &[u8], key_changes: usize) -> bool {
        self.attempt_from(0, causes, payload, key_changes)
    }

    /// Tries a payload at the doors from `first` on, with the keys that have at most so
    /// many changes; true once there is nothing more to do: found, or out of budget.
    fn attempt_from(
        &mut self,
        first: usize,
        causes: &[Cause],
        payload: &[u8],
        key_changes: usize,
    ) -> bool {
        for door in self.doors.iter().skip(first) {
            // The first of them has the fewest changes.
            for key in &door.keys {
                if key.changes.len() > key_changes {
                    continue;
                }
                self.spent += payload.len() + OVERHEAD_BYTES;
                if self.spent >= MAX_BYTES {
                    return true;
                }
                self.tries += 1;
                let mut verifier = door.signed.verifier([&key.signer].into_iter());
                verifier.update(payload);
                if verifier.finish().is_err() {
                    continue;
                }
                let head = door.given.changes.iter().copied().map(Cause::Head);
                let secret = key.changes.iter().copied().map(Cause::Secret);
                self.found = Some(Match {
                    causes: head.chain(secret).chain(causes.iter().copied()).collect(),
                    scheme: door.given.scheme.clone(),
                    head: door.given.head.clone(),
                    payload: payload.to_vec(),
                    signed_at: door.signed.signed_at(),
                    secret: key.secret,
                    signer: key.signer.clone(),
                });
                return true;
            }
        }
        false
    }
}
