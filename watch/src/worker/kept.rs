//! The state of the holder's watch at whoever keeps it: what is known of it, and which
//! part is under way.

use super::{Act, Saved};
use crate::{
    parts::{Restoring, Saving},
    state::StateError,
    watch::Watch,
};

/// Ticks between two savings: five minutes.
const SAVE_TICKS: u64 = 30;
/// Milliseconds that a part of the saved state may take to come.
const PART_MILLIS: u64 = 6_000;
/// Milliseconds for which the first look waits at most while the saved state comes.
const RESTORE_MILLIS: u64 = 20_000;
/// Ticks until a state that did not come is asked for again.
const RESTORE_TICKS: u64 = 3;

/// What is known of it.
#[derive(Debug)]
pub(super) struct Kept {
    known: Known,
    /// Since when looks wait for it, if they do.
    waits_since: Option<u64>,
    /// The tick in which it was saved last.
    saved: u64,
    /// The save that is under way, and until when its next part may take.
    saving: Option<(Saving, u64)>,
}

#[derive(Debug)]
enum Known {
    /// It comes, and its next part until this time.
    Asked {
        restoring: Restoring,
        until_millis: u64,
    },
    /// It did not come; it is asked for again in this tick.
    Unknown { again: u64 },
    /// All of it: a newer one may take its place.
    Whole,
}

impl Kept {
    /// Begins in a tick, with nothing to ask for.
    pub(super) const fn new(turn: u64) -> Self {
        Self {
            known: Known::Whole,
            waits_since: None,
            saved: turn,
            saving: None,
        }
    }

    /// Asks for it at first: looks wait.
    pub(super) fn begin(&mut self, now_millis: u64) -> Act {
        let act = self.ask(now_millis);
        self.waits_since = Some(now_millis);
        act
    }

    /// Waits for no answer any more; asks again if one was to come, or somebody else
    /// keeps it from now on and may have one.
    pub(super) fn forget(&mut self, is_new: bool, turn: u64) {
        self.saving = None;
        if is_new || matches!(self.known, Known::Asked { .. }) {
            self.known = Known::Unknown { again: turn };
        }
    }

    /// Asks for it again if it did not come.
    pub(super) fn ask_again(&mut self, now_millis: u64, turn: u64) -> Option<Act> {
        // A clock that was set back makes neither wait longer.
        let is_due = match &self.known {
            Known::Asked { until_millis, .. } => !is_before(*until_millis, now_millis),
            Known::Unknown { again } => !(1..=RESTORE_TICKS).contains(&again.saturating_sub(turn)),
            Known::Whole => false,
        };
        is_due.then(|| self.ask(now_millis))
    }

    /// Asks for it, from its first part.
    fn ask(&mut self, now_millis: u64) -> Act {
        let restoring = Restoring::new();
        let wanted = restoring.wanted();
        self.waits_since = None;
        self.known = Known::Asked {
            restoring,
            until_millis: now_millis.saturating_add(PART_MILLIS),
        };
        Act::Restore(wanted)
    }

    /// Tells whether to look later, with all that was saved.
    pub(super) fn waits(&self, now_millis: u64) -> bool {
        let comes = matches!(self.known, Known::Asked { .. });
        let is_soon = |since: u64| {
            let until = since.saturating_add(RESTORE_MILLIS);
            (since..until).contains(&now_millis)
        };
        comes && self.waits_since.is_some_and(is_soon)
    }

    /// Takes what was asked for, of a watch that looked last in a tick; returns what to do
    /// next.
    ///
    /// # Errors
    /// [`StateError`]: the watch stays as it is.
    pub(super) fn restored(
        &mut self,
        watch: &mut Watch,
        looked: u64,
        now_millis: u64,
        saved: Saved<'_>,
    ) -> Result<Option<Act>, StateError> {
        let Known::Asked {
            restoring,
            until_millis,
        } = &mut self.known
        else {
            return Ok(None);
        };
        let again = looked.saturating_add(RESTORE_TICKS);
        let (known, outcome) = match saved {
            Saved::Part(part) => match restoring.take(part) {
                Ok(None) => {
                    *until_millis = now_millis.saturating_add(PART_MILLIS);
                    return Ok(Some(Act::Restore(restoring.wanted())));
                }
                Ok(Some(whole)) => {
                    *watch = whole;
                    (Known::Whole, Ok(Some(Act::Restored)))
                }
                // Nobody keeps what begins otherwise: it is somebody else's answer.
                Err(error) if error.is_foreign() => (Known::Unknown { again }, Ok(None)),
                Err(error) => (Known::Whole, Err(error)),
            },
            // Of a save that there is, a newer one took the place.
            Saved::Nothing if restoring.wanted().save.is_some() => {
                (Known::Unknown { again }, Ok(None))
            }
            Saved::Nothing => (Known::Whole, Ok(Some(Act::BeginsAnew))),
            Saved::Unknown => (Known::Unknown { again }, Ok(None)),
        };
        self.known = known;
        outcome
    }

    /// Tells whether to save: not before it is known what was, nor while parts of another
    /// save are under way.
    pub(super) fn is_due(&self, now_millis: u64, turn: u64) -> bool {
        let saving = self.saving.as_ref();
        let is_saving =
            saving.is_some_and(|(_, until_millis)| is_before(*until_millis, now_millis));
        let is_late = turn.abs_diff(self.saved) >= SAVE_TICKS;
        matches!(self.known, Known::Whole) && is_late && !is_saving
    }

    /// Begins to save under a number.
    pub(super) fn save(
        &mut self,
        watch: &Watch,
        save: u64,
        now_millis: u64,
        turn: u64,
    ) -> Option<Act> {
        self.saved = turn;
        self.saving = Some((Saving::begin(save), 0));
        self.go_on(watch, now_millis)
    }

    /// Goes on after a part was saved, or was not.
    pub(super) fn saved(&mut self, watch: &Watch, now_millis: u64, is_saved: bool) -> Option<Act> {
        if !is_saved {
            self.saving = None;
        }
        self.go_on(watch, now_millis)
    }

    fn go_on(&mut self, watch: &Watch, now_millis: u64) -> Option<Act> {
        let (saving, until_millis) = self.saving.as_mut()?;
        *until_millis = now_millis.saturating_add(PART_MILLIS);
        let part = saving.next_part(watch);
        if part.is_none() {
            self.saving = None;
        }
        Some(part.map_or(Act::Saved, Act::Save))
    }
}

/// Tells whether a part may still come; a clock that was set back makes it wait no longer.
const fn is_before(until_millis: u64, now_millis: u64) -> bool {
    let left = until_millis.saturating_sub(now_millis);
    left > 0 && left <= PART_MILLIS
}
