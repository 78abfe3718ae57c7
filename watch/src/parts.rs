//! A watch in parts, so that neither a gate nor who keeps its state for it ever holds
//! more than one of them beside the watch itself.
//!
//! The first part is all but the series of types and accounts. Each of these is a part,
//! in the order of their names, and the last part says that it is. Every part names its
//! save, a number that no other has, and its place in it: parts of two saves never
//! become one watch. A watch that ticks between two parts is saved as if what was saved
//! before had missed a tick.

use alloc::{boxed::Box, string::String, vec::Vec};

use crate::{
    series::{SERIES, Series, Table},
    state::{self, Input, Persist as _, StateError},
    time::Time,
    watch::Watch,
};

/// Largest part, in bytes.
pub const MAX_PART_BYTES: usize = 192 * 1_024;
/// Parts of a save at most: the first, one for each series, the last.
pub const MAX_PARTS: u32 = 2 + 2 * SERIES as u32;

/// Bytes that a series takes at most, and all the rest.
const SERIES_BYTES: usize = 38_000;
const REST_BYTES: usize = 154_000;

/// What a part is of.
const OF_ALL: u8 = 0;
const OF_A_TYPE: u8 = 1;
const OF_AN_ACCOUNT: u8 = 2;
const OF_THE_END: u8 = 3;

/// Says which part of which save it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The save.
    pub save: u64,
    /// Its place, from 0; less than [`MAX_PARTS`].
    pub number: u32,
    /// Whether it is the last.
    pub is_last: bool,
}

impl Head {
    /// Reads it of a part, and checks that this is whole: for whoever keeps it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn of(part: &[u8]) -> Result<Self, StateError> {
        Self::read(&mut Input::open(part)?).map(|(head, _)| head)
    }

    fn read(input: &mut Input<'_>) -> Result<(Self, u8), StateError> {
        let (save, number, kind) = (u64::read(input)?, u32::read(input)?, u8::read(input)?);
        let is_known = match kind {
            OF_ALL => number == 0,
            OF_A_TYPE | OF_AN_ACCOUNT | OF_THE_END => number > 0,
            _ => false,
        };
        if !is_known || number >= MAX_PARTS {
            return Err(input.wrong_value("part of a watch"));
        }
        let is_last = kind == OF_THE_END;
        let head = Self {
            save,
            number,
            is_last,
        };
        Ok((head, kind))
    }
}

/// Saves a watch, part after part.
#[derive(Debug, Clone)]
pub struct Saving {
    save: u64,
    number: u32,
    /// Series of the kind that is next, so far.
    taken: usize,
    next: Next,
}

/// What comes next: series behind the name of the last one, so that those that come and
/// go meanwhile move no other.
#[derive(Debug, Clone)]
enum Next {
    All,
    Type(Option<String>),
    Account(Option<String>),
    Nothing,
}

impl Saving {
    /// Begins a save of this number.
    pub const fn begin(save: u64) -> Self {
        Self {
            save,
            number: 0,
            taken: 0,
            next: Next::All,
        }
    }

    /// Returns the next part; `None` after the last.
    pub fn next_part(&mut self, watch: &Watch) -> Option<Vec<u8>> {
        let (part, next) = match &self.next {
            Next::All => {
                let room = SERIES_BYTES + REST_BYTES;
                (
                    self.seal(OF_ALL, room, |out| watch.write(out)),
                    Next::Type(None),
                )
            }
            Next::Type(name) => match self.behind(name.as_deref(), &watch.types) {
                Some((name, series)) => (
                    self.seal_series(OF_A_TYPE, name, series),
                    Next::Type(Some(name.into())),
                ),
                None => {
                    self.next = Next::Account(None);
                    self.taken = 0;
                    return self.next_part(watch);
                }
            },
            Next::Account(name) => match self.behind(name.as_deref(), &watch.accounts) {
                Some((name, series)) => (
                    self.seal_series(OF_AN_ACCOUNT, name, series),
                    Next::Account(Some(name.into())),
                ),
                None => (self.seal(OF_THE_END, 0, |_| {}), Next::Nothing),
            },
            Next::Nothing => return None,
        };
        if matches!(self.next, Next::Type(_) | Next::Account(_)) {
            self.taken += 1;
        }
        self.next = next;
        self.number += 1;
        Some(part)
    }

    /// Returns the next series of a kind. One that took another's place between two parts
    /// may be one too many: it has learnt nothing yet.
    fn behind<'a>(&self, name: Option<&str>, table: &'a Table) -> Option<(&'a str, &'a Series)> {
        table.behind(name).filter(|_| self.taken < SERIES)
    }

    fn seal_series(&self, kind: u8, name: &str, series: &Series) -> Vec<u8> {
        self.seal(kind, SERIES_BYTES, |out| {
            state::write_text(name, out);
            series.write(out);
        })
    }

    fn seal(&self, kind: u8, room: usize, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        state::seal(room, |out| {
            self.save.write(out);
            self.number.write(out);
            kind.write(out);
            write(out);
        })
    }
}

/// Names a part that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Of which save; `None`: the first part of the newest.
    pub save: Option<u64>,
    /// Its place.
    pub number: u32,
}

/// Restores a watch, part after part.
#[derive(Debug, Clone, PartialEq)]
pub struct Restoring {
    wanted: Wanted,
    watch: Box<Watch>,
}

impl Default for Restoring {
    fn default() -> Self {
        Self::new()
    }
}

impl Restoring {
    /// Begins with nothing.
    pub fn new() -> Self {
        Self {
            wanted: Wanted {
                save: None,
                number: 0,
            },
            watch: Box::new(Watch::new(Time::default())),
        }
    }

    /// Returns the part that it waits for.
    pub const fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// Takes that part; returns the watch when it was the last.
    ///
    /// # Errors
    /// [`StateError`]: damaged, or another part.
    pub fn take(&mut self, part: &[u8]) -> Result<Option<Watch>, StateError> {
        let mut input = Input::open(part)?;
        let (head, kind) = Head::read(&mut input)?;
        let is_of_this = self.wanted.save.is_none_or(|save| save == head.save);
        if !is_of_this || head.number != self.wanted.number {
            return Err(input.wrong_value("next part of this save"));
        }
        match kind {
            OF_ALL => *self.watch = Watch::read(&mut input)?,
            OF_A_TYPE | OF_AN_ACCOUNT => {
                let (name, series) = (String::read(&mut input)?, Series::read(&mut input)?);
                let table = if kind == OF_A_TYPE {
                    &mut self.watch.types
                } else {
                    &mut self.watch.accounts
                };
                if !table.put(name, series) {
                    return Err(input.wrong_value("series that there is a place for"));
                }
            }
            _ => {}
        }
        input.end()?;
        if head.is_last {
            let nothing = Watch::new(Time::default());
            return Ok(Some(core::mem::replace(&mut *self.watch, nothing)));
        }
        self.wanted = Wanted {
            save: Some(head.save),
            number: head.number + 1,
        };
        Ok(None)
    }
}

/// Returns all parts of a save of this number, for whoever has the room.
pub fn all(save: u64, watch: &Watch) -> Vec<Vec<u8>> {
    let mut saving = Saving::begin(save);
    core::iter::from_fn(|| saving.next_part(watch)).collect()
}
