//! Saving and restoring what was learnt.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};

/// What a saved state begins with.
const MAGIC: [u8; 4] = *b"HGWT";
/// The form of what follows; another one is refused.
const VERSION: u16 = 3;
/// Where the checksum begins, behind magic and version; and where it ends.
const CHECKSUM: usize = 4 + 2;
const HEAD: usize = CHECKSUM + 8;

/// Says why saved bytes are not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// They begin with something else.
    #[error("not a saved state of the watch: it begins with other bytes")]
    Magic,
    /// Another version wrote them.
    #[error("a saved state of version {found}, where this version reads {VERSION}")]
    Version {
        /// The version that they name.
        found: u16,
    },
    /// They are not what was written.
    #[error("a saved state that is damaged: its checksum doesn't match")]
    Checksum,
    /// They end before the state does, or go on behind it.
    #[error("a saved state of the wrong length: expected {expected} at byte {at}")]
    Length {
        /// What should be there.
        expected: &'static str,
        /// Where, counted from the first byte.
        at: usize,
    },
    /// A value is none that the watch ever writes.
    #[error("a saved state with a value at byte {at} that is no {expected}")]
    Value {
        /// What should be there.
        expected: &'static str,
        /// Where, counted from the first byte.
        at: usize,
    },
}

impl StateError {
    /// Tells whether the bytes are something else, and no state that was damaged.
    pub(crate) const fn is_foreign(&self) -> bool {
        match self {
            Self::Magic => true,
            Self::Length { at, .. } => *at < HEAD,
            Self::Version { .. } | Self::Checksum | Self::Value { .. } => false,
        }
    }
}

/// What can be part of a state.
pub(crate) trait Persist: Sized {
    /// Appends itself.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads itself.
    ///
    /// # Errors
    /// [`StateError::Length`], [`StateError::Value`].
    fn read(input: &mut Input<'_>) -> Result<Self, StateError>;
}

/// Makes a structure part of a state, field by field; refused as no `$expected` where
/// `is_sound` finds what it never writes.
macro_rules! persist {
    ($name:ident { $($field:ident),+ $(,)? } as $expected:literal) => {
        impl $crate::state::Persist for $name {
            fn write(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::state::Persist::write(&self.$field, out);)+
            }
            fn read(
                input: &mut $crate::state::Input<'_>,
            ) -> Result<Self, $crate::state::StateError> {
                let read = Self { $($field: $crate::state::Persist::read(input)?),+ };
                if read.is_sound() {
                    Ok(read)
                } else {
                    Err(input.wrong_value($expected))
                }
            }
        }
    };
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::state::Persist for $name {
            fn write(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::state::Persist::write(&self.$field, out);)+
            }
            fn read(
                input: &mut $crate::state::Input<'_>,
            ) -> Result<Self, $crate::state::StateError> {
                Ok(Self { $($field: $crate::state::Persist::read(input)?),+ })
            }
        }
    };
}
pub(crate) use persist;

/// Returns the bytes of a state: see [`seal`].
pub(crate) fn save(value: &impl Persist) -> Vec<u8> {
    seal(0, |out| value.write(out))
}

/// Returns what `write` appends behind magic, version and checksum (FNV-1a, 64 bits,
/// against accidents and not against forgers). Little-endian. With room for so many
/// bytes from the start: a module's memory never shrinks, and bytes that grow are there
/// twice while they do.
pub(crate) fn seal(room: usize, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + room);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend([0; HEAD - CHECKSUM]);
    write(&mut out);
    if let Some((head, body)) = out.split_at_mut_checked(HEAD)
        && let Some(place) = head.get_mut(CHECKSUM..)
    {
        place.copy_from_slice(&checksum(body).to_le_bytes());
    }
    out
}

/// Reads what [`save`] returned.
///
/// # Errors
/// [`StateError`].
pub(crate) fn restore<T: Persist>(bytes: &[u8]) -> Result<T, StateError> {
    let mut input = Input::open(bytes)?;
    let value = T::read(&mut input)?;
    input.end()?;
    Ok(value)
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Saved bytes, and how far they were read.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    /// Begins to read what [`seal`] returned.
    ///
    /// # Errors
    /// [`StateError::Magic`], [`StateError::Version`], [`StateError::Checksum`],
    /// [`StateError::Length`].
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, StateError> {
        let mut input = Self { bytes, at: 0 };
        if input.take("the magic bytes")? != MAGIC {
            return Err(StateError::Magic);
        }
        let found = u16::from_le_bytes(input.take("a version")?);
        if found != VERSION {
            return Err(StateError::Version { found });
        }
        let expected = u64::from_le_bytes(input.take("a checksum")?);
        if bytes.get(input.at..).map(checksum) != Some(expected) {
            return Err(StateError::Checksum);
        }
        Ok(input)
    }
}

impl Input<'_> {
    /// Says that nothing should follow.
    ///
    /// # Errors
    /// [`StateError::Length`].
    pub(crate) fn end(&self) -> Result<(), StateError> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(self.wrong_length("the end"))
        }
    }

    fn take<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], StateError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.first_chunk::<N>() else {
            return Err(self.wrong_length(expected));
        };
        self.at += N;
        Ok(*taken)
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn wrong_length(&self, expected: &'static str) -> StateError {
        StateError::Length {
            expected,
            at: self.at,
        }
    }

    /// Returns the error for a value at the place that was read last.
    pub(crate) fn wrong_value(&self, expected: &'static str) -> StateError {
        StateError::Value {
            expected,
            at: self.at,
        }
    }

    /// Reads how many items follow, of which each takes at least a byte.
    fn count(&mut self) -> Result<usize, StateError> {
        let count = u32::from_le_bytes(self.take("a count")?);
        match usize::try_from(count) {
            Ok(count) if count <= self.left() => Ok(count),
            _ => Err(self.wrong_value("count of what follows")),
        }
    }
}

macro_rules! persist_integer {
    ($($integer:ty),+) => {$(
        impl Persist for $integer {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
            fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
                input.take(stringify!($integer)).map(Self::from_le_bytes)
            }
        }
    )+};
}
persist_integer!(u8, u16, u32, u64);

impl Persist for f64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let value = Self::from_le_bytes(input.take("f64")?);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(input.wrong_value("finite number"))
        }
    }
}

impl Persist for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        match u8::read(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(input.wrong_value("truth value")),
        }
    }
}

/// Appends what is read as a `String`.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    write_all(text.len(), text.as_bytes(), out);
}

impl Persist for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self, out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let bytes = Vec::read(input)?;
        Self::from_utf8(bytes).map_err(|_| input.wrong_value("text"))
    }
}

impl<T: Persist> Persist for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        Ok(if bool::read(input)? {
            Some(T::read(input)?)
        } else {
            None
        })
    }
}

impl<T: Persist> Persist for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_all(self.len(), self, out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let count = input.count()?;
        // Exact where each takes as much room here as there; never more than came.
        let room = count.min(input.left() / size_of::<T>().max(1));
        let mut values = Self::with_capacity(room);
        for _ in 0..count {
            values.push(T::read(input)?);
        }
        Ok(values)
    }
}

impl<T: Persist> Persist for VecDeque<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_all(self.len(), self, out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        Vec::read(input).map(Self::from)
    }
}

impl<K: Persist + Ord, V: Persist> Persist for BTreeMap<K, V> {
    fn write(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).write(out);
        for (key, value) in self {
            key.write(out);
            value.write(out);
        }
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let count = input.count()?;
        (0..count).map(|_| Persist::read(input)).collect()
    }
}

impl<T: Persist, const N: usize> Persist for [T; N] {
    fn write(&self, out: &mut Vec<u8>) {
        for value in self {
            value.write(out);
        }
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let values: Result<Vec<T>, _> = (0..N).map(|_| T::read(input)).collect();
        values?
            .try_into()
            .map_err(|_| input.wrong_value("list of its length"))
    }
}

impl<A: Persist, B: Persist> Persist for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        Ok((A::read(input)?, B::read(input)?))
    }
}

fn write_all<'a, T: Persist + 'a>(
    count: usize,
    values: impl IntoIterator<Item = &'a T>,
    out: &mut Vec<u8>,
) {
    // What the watch holds is capped far below this.
    u32::try_from(count).unwrap_or(u32::MAX).write(out);
    for value in values {
        value.write(out);
    }
}
