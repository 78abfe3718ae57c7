//! What is parked, a page at a time.

use std::{fmt, str::FromStr};

use hookgate_core::time::Timestamp;
use tokio::runtime::Handle;

use super::{Board, Desk, ReviewError, Selection};
use crate::{
    deliver::schedule::Parked,
    log::{Capability, Kept, LogAddress},
};

/// Holds a page.
#[derive(Debug, Default)]
pub(crate) struct QueuePage {
    /// What is parked.
    pub(crate) parked: Vec<Parked>,
    /// Where the next page begins; `None`: this is the last one.
    pub(crate) next: Option<Cursor>,
}

/// Says where a page goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// Beside a file: behind what was tried then.
    Tried(Tried),
    /// Beside a stream: behind the stay in review of this number. What is parked
    /// later has a higher one, and what is decided takes no other's place.
    Stay(u64),
}

/// Is a place in the order in which events were tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tried {
    /// When.
    pub(super) at: Timestamp,
    /// The event's place in the log.
    pub(super) sequence: u64,
    /// Where.
    pub(super) destination: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tried(tried) => {
                let at = tried.at.unix_millis();
                write!(f, "{at}.{}.{}", tried.sequence, tried.destination)
            }
            Self::Stay(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next()?.parse().ok();
        let first = number().ok_or(())?;
        let Some(sequence) = number() else {
            // A number and nothing else.
            return text.parse().map(Self::Stay).map_err(|_| ());
        };
        Ok(Self::Tried(Tried {
            at: Timestamp::from_unix_millis(first),
            sequence,
            destination: parts.next().ok_or(())?.to_owned(),
        }))
    }
}

/// Returns what is parked and chosen behind a place, at most `most`: beside a file
/// the one first that was tried longest ago, beside a stream the one that was
/// parked longest ago. The work for a page has a bound, however much is parked, so
/// that a page may hold fewer, and have a next one. Blocks.
///
/// # Errors
/// [`ReviewError`], among others [`ReviewError::Cursor`].
pub(crate) fn queue(
    log: &Kept,
    runtime: &Handle,
    selection: &Selection,
    after: Option<&Cursor>,
    most: usize,
) -> Result<QueuePage, ReviewError> {
    match (log.address(), after) {
        (LogAddress::Sqlite(path), None) => match Board::open(path)? {
            Some(board) => board.queue(selection, None, most),
            None => Ok(QueuePage::default()),
        },
        (LogAddress::Sqlite(path), Some(Cursor::Tried(after))) => match Board::open(path)? {
            Some(board) => board.queue(selection, Some(after), most),
            None => Ok(QueuePage::default()),
        },
        (LogAddress::Nats(_), None) => stays(log, runtime, selection, 0, most),
        (LogAddress::Nats(_), Some(Cursor::Stay(after))) => {
            stays(log, runtime, selection, *after, most)
        }
        (LogAddress::Sqlite(_) | LogAddress::Nats(_), Some(_)) => Err(ReviewError::Cursor),
        (other, _) => Err(other.lacks(Capability::Review).into()),
    }
}

fn stays(
    log: &Kept,
    runtime: &Handle,
    selection: &Selection,
    after: u64,
    most: usize,
) -> Result<QueuePage, ReviewError> {
    match Desk::kept(log, runtime) {
        // Nothing was delivered yet.
        Err(ReviewError::NotServed) => Ok(QueuePage::default()),
        desk => desk?.stays(selection, after, most),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Tried};
    use hookgate_core::time::Timestamp;

    #[test]
    fn reads_the_cursor_that_it_writes_and_nothing_else() {
        let tried = Tried {
            at: Timestamp::from_unix_millis(1_760_000_001_250),
            sequence: 12,
            destination: "orders-eu".to_owned(),
        };
        for (cursor, text) in [
            (Cursor::Tried(tried), "1760000001250.12.orders-eu"),
            (Cursor::Stay(7), "7"),
        ] {
            assert_eq!(cursor.to_string(), text);
            assert_eq!(text.parse(), Ok(cursor));
        }
        for text in ["", "x", "-1", "1.", "1.2", "1.x.orders", "1 "] {
            assert_eq!(text.parse::<Cursor>(), Err(()), "{text}");
        }
    }
}
