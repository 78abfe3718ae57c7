//! What is told, with the figures that show why.

use alloc::{string::String, vec::Vec};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What a destination always says of such events has not come.
    OverdueCompletion,
    /// What always follows such an event has not.
    OverdueSuccessor,
    /// A type came where it hardly ever does.
    ImprobableTransition,
    /// More of a type than usual lapse.
    Excess,
    /// More of a type than usual are reported as failed.
    FailedExcess,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::OverdueCompletion,
        Self::OverdueSuccessor,
        Self::ImprobableTransition,
        Self::Excess,
        Self::FailedExcess,
    ];

    /// Returns its name in metrics, JSON and pages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OverdueCompletion => "overdue_completion",
            Self::OverdueSuccessor => "overdue_successor",
            Self::ImprobableTransition => "improbable_transition",
            Self::Excess => "excess",
            Self::FailedExcess => "failed_excess",
        }
    }
}

/// Something that should be otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// What is wrong.
    pub kind: Kind,
    /// Type of the event that it is about.
    pub type_name: String,
    /// What was expected of it: a type, a destination whose word is missing, or empty
    /// where any event would have done. Of an improbable transition: the type before.
    pub expected: String,
    /// Place of the event in the log; of an excess that of the newest one.
    pub sequence: u64,
    /// When the event came, in milliseconds since 1970.
    pub since_millis: u64,
    /// When this was found, in milliseconds since 1970.
    pub at_millis: u64,
    /// Seconds after which it is overdue; 0 where nothing is.
    pub limit_seconds: f64,
    /// Cases that were seen before: of an excess those of now.
    pub cases: u32,
    /// Those of them that lapsed; of an improbable transition those that were like it.
    pub like_it: u32,
    /// The share of lapses that is usual, 0 to 1; of an improbable transition 0.
    pub usual: f64,
    /// How likely it was, 0 to 1.
    pub probability: f64,
    /// Places of earlier events: those that lapsed too, or else some that didn't.
    pub similar: Vec<u64>,
}

/// What is found.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// Something should be otherwise.
    Flag(Flag),
    /// What was told of an event came after all.
    Late {
        /// Of which event.
        sequence: u64,
        /// Which flag of it.
        kind: Kind,
        /// What had been expected, as in [`Flag::expected`].
        expected: String,
    },
}
