//! Review: what automation could not deliver waits for a person, who decides
//! with the facts in view.
//!
//! Whoever shows it (the command line, a page) asks a [`Desk`]. Beside a file a
//! decision is a transaction: the row of the schedule that makes an event due, or
//! takes it away, and the [`Record`] of who wanted it, when and why, are written
//! together or not at all. Beside a stream it is the record in the [`Ledger`],
//! which the servers that deliver carry out once. What holds:
//!
//! - an approval makes at most one delivery job at its destination: of two
//!   people, or two clicks, one finds the event parked and the other is told who
//!   was first;
//! - the same [`Batch`] decides about an event once, however often it is asked
//!   for: so a bulk that was interrupted is finished by asking again;
//! - the trail only grows, and its links are a [chain](crate::evidence::Chain).
//!
//! A destination gets what is let go again under the same `webhook-id`, as after
//! any other attempt.

mod audit;
mod board;
mod case;
mod desk;
mod ledger;
mod operator;
mod outcome;
mod queue;
mod selection;

pub(crate) use self::{
    audit::{Action, Record, TrailError},
    board::{Board, Failure, LatestFailure, Life, Retry, Waits},
    case::{Case, PastAttempt},
    desk::{Decision, Desk, Request, ReviewError, Run, TrailPage},
    ledger::{Ledger, LedgerError, written},
    operator::{Batch, Operator, OperatorError},
    outcome::{Item, Outcome},
    queue::{Cursor, QueuePage, queue},
    selection::Selection,
};
