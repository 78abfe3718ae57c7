//! A store that takes its time, for a core that doesn't wait.
//!
//! What a store answers to a verb of a delivery is written down. Asked for more
//! than stands there, the journal notes what is asked and fails; the host gets
//! it, writes it down, and has the verb done again from its beginning, by a
//! clone of the delivery: it comes to the same question with the same answers,
//! because nothing but what it is given decides. Done to the end without a
//! question, it counts.

use hookgate_core::shared::{Address, SharedStore, StoreError, Version};

use crate::answer::Next;

/// Holds what the store has answered to one verb, and what is asked of it.
#[derive(Default)]
pub(crate) struct Journal {
    entries: Vec<Entry>,
    position: usize,
    asked: Option<Asked>,
}

enum Entry {
    Loaded(Result<(Vec<u8>, Version), StoreError>),
    Stored(Result<(), StoreError>),
}

/// Is what the host has to do with the store.
pub(crate) struct Asked {
    pub(crate) next: Next,
    /// The bytes to write.
    pub(crate) value: Vec<u8>,
}

impl Journal {
    /// Writes down a bucket's bytes, with the number of their version.
    pub(crate) fn loaded(&mut self, bytes: Vec<u8>, version: Option<u32>) {
        let version = version.map_or(Version::Absent, Version::Is);
        self.entries.push(Entry::Loaded(Ok((bytes, version))));
    }

    /// Writes down whether a bucket still had its version and is written.
    pub(crate) fn stored(&mut self, written: bool) {
        let result = written.then_some(()).ok_or(StoreError::Conflict);
        self.entries.push(Entry::Stored(result));
    }

    /// Writes down that the store failed in what was asked of it.
    pub(crate) fn failed(&mut self, asked: &Next) {
        self.entries.push(match asked {
            Next::Store { .. } => Entry::Stored(Err(StoreError::Failed)),
            _ => Entry::Loaded(Err(StoreError::Failed)),
        });
    }

    /// Goes back to the beginning.
    pub(crate) const fn rewind(&mut self) {
        self.position = 0;
    }

    /// Takes the question that came up, if one did.
    pub(crate) const fn take_asked(&mut self) -> Option<Asked> {
        self.asked.take()
    }

    fn next(&mut self) -> Option<&Entry> {
        let entry = self.entries.get(self.position)?;
        self.position += 1;
        Some(entry)
    }

    fn ask<T>(&mut self, next: Next, value: &[u8]) -> Result<T, StoreError> {
        // What is asked after the first question is asked again once that has
        // its answer.
        if self.asked.is_none() {
            let value = value.to_vec();
            self.asked = Some(Asked { next, value });
        }
        Err(StoreError::Failed)
    }
}

impl SharedStore for Journal {
    fn load(&mut self, at: Address) -> Result<(Vec<u8>, Version), StoreError> {
        match self.next() {
            Some(Entry::Loaded(result)) => result.clone(),
            Some(Entry::Stored(_)) => Err(StoreError::Failed),
            None => self.ask(Next::Load { key: key(at) }, &[]),
        }
    }

    fn store(&mut self, at: Address, bytes: &[u8], version: Version) -> Result<(), StoreError> {
        match self.next() {
            Some(Entry::Stored(result)) => *result,
            Some(Entry::Loaded(_)) => Err(StoreError::Failed),
            None => {
                let version = match version {
                    Version::Absent => -1,
                    Version::Is(number) => number.into(),
                };
                let key = key(at);
                self.ask(Next::Store { key, version }, bytes)
            }
        }
    }
}

/// Names a bucket in the store; the number is that of its format.
fn key(at: Address) -> String {
    format!("hookgate1.{at}")
}
