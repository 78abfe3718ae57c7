//! Types and destinations, as numbers.

use alloc::{string::String, string::ToString as _, vec::Vec};

use crate::state::{Input, Persist, StateError, persist};

/// Bytes of a name at most; longer ones are cut.
const BYTES: usize = 128;

/// Stands for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(pub(super) u16);

impl Name {
    /// What comes before an object's first event.
    pub(super) const START: Self = Self(u16::MAX);
}

impl Persist for Name {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        Ok(Self(Persist::read(input)?))
    }
}

/// The first names that came, as many as there is room for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Names {
    names: Vec<String>,
}

persist!(Names { names });

impl Names {
    /// Returns a name's number, a new one if there is room for it.
    pub(super) fn number(&mut self, name: &str, room: usize) -> Option<Name> {
        let name = name.get(..name.floor_char_boundary(BYTES))?;
        let known = self.names.iter().position(|known| known == name);
        let place = match known {
            Some(place) => place,
            None if self.names.len() < room => {
                self.names.push(name.to_string());
                self.names.len() - 1
            }
            None => return None,
        };
        u16::try_from(place).ok().map(Name)
    }

    /// Returns the name of a number.
    pub(super) fn name(&self, Name(place): Name) -> &str {
        let name = self.names.get(usize::from(place));
        name.map_or("the start", String::as_str)
    }
}
