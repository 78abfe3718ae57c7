//! `hookgate review approve`, `hookgate review discard` and `hookgate redeliver`:
//! decisions, and what became of each event.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use serde_json::json;

use crate::{
    cli::{ApproveArgs, ArgumentError, ChosenArgs, DecisionArgs, DiscardArgs, RedeliverArgs},
    review::{Batch, Decision, Desk, Item, Outcome, Request, ReviewError, Run},
};

/// Says why not everything was decided.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecideError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// Nothing can be decided.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// Something was refused.
    #[error("refused for {refused} of {all} events, as said of each")]
    Refused {
        /// How many.
        refused: usize,
        /// Of how many.
        all: usize,
    },
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

/// Lets parked events go.
///
/// # Errors
/// [`DecideError`].
pub(crate) fn approve(args: &ApproveArgs) -> Result<(), DecideError> {
    let to = args.to.clone();
    parked(&args.chosen, &Decision::Approve { to })
}

/// Gives parked events up.
///
/// # Errors
/// [`DecideError`].
pub(crate) fn discard(args: &DiscardArgs) -> Result<(), DecideError> {
    parked(&args.chosen, &Decision::Discard)
}

fn parked(args: &ChosenArgs, decision: &Decision) -> Result<(), DecideError> {
    let selection = args.selection()?;
    let mut desk = Desk::open(&args.log.address()?)?;
    let items = desk.chosen(&selection)?;
    carry_out(&mut desk, &items, decision, &args.decision)
}

/// Sends events again.
///
/// # Errors
/// [`DecideError`].
pub(crate) fn redeliver(args: &RedeliverArgs) -> Result<(), DecideError> {
    let selection = args.selection()?;
    let mut desk = Desk::open(&args.log.address()?)?;
    let items = desk.delivered(&args.destination, &selection)?;
    carry_out(&mut desk, &items, &Decision::Redeliver, &args.decision)
}

fn carry_out(
    desk: &mut Desk,
    items: &[Item],
    decision: &Decision,
    args: &DecisionArgs,
) -> Result<(), DecideError> {
    let (operator, batch) = (args.operator()?, args.batch());
    let run = if args.dry_run { Run::Dry } else { Run::Real };
    if run == Run::Real && items.len() > 1 {
        // Before anything happens, so that it is known if this is interrupted.
        writeln!(
            io::stderr(),
            "hookgate: {} events as {batch}: if this is interrupted, run it again with --batch {batch}",
            items.len()
        )?;
    }
    let request = Request {
        decision,
        operator: &operator,
        batch: &batch,
        run,
    };
    let outcomes = desk.decide(items, request)?;
    print(items, &outcomes, &batch, args)?;
    let is_refused = |outcome: &&Outcome| matches!(outcome, Outcome::Refused(_));
    match outcomes.iter().filter(is_refused).count() {
        0 => Ok(()),
        refused => Err(DecideError::Refused {
            refused,
            all: items.len(),
        }),
    }
}

fn print(
    items: &[Item],
    outcomes: &[Outcome],
    batch: &Batch,
    args: &DecisionArgs,
) -> Result<(), io::Error> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut counts = BTreeMap::new();
    for (item, outcome) in items.iter().zip(outcomes) {
        *counts.entry(outcome.as_str()).or_insert(0_usize) += 1;
        let event = item.entry.as_ref().map(|entry| &entry.attributes);
        let (id, type_name) = event.map_or(("(removed)", "-"), |event| {
            (event.id.as_str(), event.type_name.as_str())
        });
        if args.json {
            let line = json!({
                "outcome": outcome.as_str(),
                "why": outcome.to_string(),
                "destination": item.destination,
                "sequence": item.sequence,
                "source": event.map(|event| event.source.as_str()),
                "id": event.map(|event| event.id.as_str()),
                "type": event.map(|event| event.type_name.as_str()),
                "batch": batch.as_str(),
                "dryrun": args.dry_run,
            });
            writeln!(out, "{line}")?;
        } else {
            let (destination, sequence) = (&item.destination, item.sequence);
            writeln!(
                out,
                "{sequence} {id} {type_name} at {destination}: {outcome}"
            )?;
        }
    }
    if !args.json {
        let counts: Vec<String> = counts
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let counts = if counts.is_empty() {
            "nothing matches".to_owned()
        } else {
            counts.join(", ")
        };
        let changed = if args.dry_run {
            "a dry run: nothing was changed"
        } else {
            batch.as_str()
        };
        writeln!(out, "{} events: {counts} ({changed})", items.len())?;
    }
    out.flush()
}
