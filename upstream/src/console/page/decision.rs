//! What a decision would do, and what it did.

use maud::{Markup, html};

use super::{At, Kind, badge, form_token, layout, table, time::counted};
use crate::{
    console::{
        access::Caller,
        decision::{Decided, written},
        form::event_address,
    },
    review::{Decision, Item, Outcome},
};

/// Counts what becomes of events.
#[derive(Debug, Default)]
pub(in crate::console) struct Counted {
    open: u64,
    released: u64,
    approved: u64,
    discarded: u64,
    before: u64,
    refused: u64,
}

impl Counted {
    /// Counts outcomes.
    pub(in crate::console) fn of(outcomes: &[(Item, Outcome)]) -> Self {
        let mut counted = Self::default();
        for (_, outcome) in outcomes {
            let count = match outcome {
                Outcome::Released => &mut counted.released,
                Outcome::Approved { .. } => &mut counted.approved,
                Outcome::Discarded => &mut counted.discarded,
                Outcome::Before(_) => &mut counted.before,
                Outcome::Refused(_) => &mut counted.refused,
            };
            *count += 1;
        }
        counted.open = counted.released + counted.approved + counted.discarded;
        counted
    }

    /// Says it in a line.
    fn sentence(&self) -> String {
        let parts = [
            (self.released, "go out again", "goes out again"),
            (
                self.approved,
                "are approved and wait for others",
                "is approved and waits for others",
            ),
            (self.discarded, "are discarded", "is discarded"),
            (self.before, "were decided before", "was decided before"),
            (self.refused, "are refused", "is refused"),
        ];
        let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
        let parts: Vec<String> = parts
            .map(|(count, many, one)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        if parts.is_empty() {
            return "No event is chosen.".to_owned();
        }
        format!("{}.", parts.join(", "))
    }
}

/// What would happen, and the form that makes it happen.
pub(in crate::console) fn preview(
    caller: &Caller,
    decided: &Decided,
    counted_: &Counted,
) -> Markup {
    let asked = &decided.asked;
    let (decision, to) = match &asked.decision {
        Decision::Discard => ("discard", None),
        Decision::Approve { to } => ("approve", to.as_deref()),
        Decision::Redeliver => ("redeliver", None),
    };
    let events = counted(counted_.open, "event");
    let action = match (decision, counted_.approved, to) {
        ("discard", ..) => format!("Discard {events}"),
        (_, 0, Some(to)) => format!("Deliver {events} to {to}"),
        (_, 0, None) => format!("Deliver {events} again"),
        // Others have to as well before those go out.
        (_, _, Some(to)) => format!("Approve {events} for {to}"),
        (_, _, None) => format!("Approve {events}"),
    };
    let content = html! {
        p.lead { strong { "Nothing has been changed yet. " } (counted_.sentence()) }
        @if decided.has_more {
            p.problem { "The filter chooses more events than the " (decided.outcomes.len())
                " of one decision: these are the ones that were parked longest ago. Do it again for the others." }
        }
        dl.facts {
            dt { "By" } dd { (asked.operator.name()) }
            dt { "Reason" } dd { (asked.operator.reason()) }
        }
        @if counted_.open > 0 {
            form method="post" action="/review/decide" {
                (form_token(caller))
                input type="hidden" name="batch" value=(asked.batch.as_str());
                input type="hidden" name="decision" value=(decision);
                @if let Some(to) = to { input type="hidden" name="to" value=(to); }
                input type="hidden" name="reason" value=(asked.operator.reason());
                input type="hidden" name="items" value=(written(&decided.outcomes));
                p { button.main type="submit" { (action) } " " a.button href="/review" { "Cancel" } }
            }
        } @else {
            p { a.button href="/review" { "Back to the queue" } }
        }
        (outcomes(decided, "What would happen"))
    };
    layout("What would happen", At::Review, Some(caller), &content)
}

/// What happened.
pub(in crate::console) fn decided(caller: &Caller, decided: &Decided, counted: &Counted) -> Markup {
    // What was decided before in this batch was done by it.
    let is_done = counted.open + counted.before > 0;
    let content = html! {
        p.lead role="status" {
            strong { @if is_done { "Done. " } @else { "Nothing was done. " } }
            (counted.sentence())
        }
        @if is_done { p { "On record as " code { (decided.asked.batch.as_str()) } " by "
            strong { (decided.asked.operator.name()) } ". "
            a href="/audit" { "Audit trail" } ", " a href="/review" { "review queue" } "." }
        } @else { p { a.button href="/review" { "Back to the queue" } } }
        (outcomes(decided, "What happened"))
    };
    let title = if is_done {
        "Decided"
    } else {
        "Nothing was done"
    };
    layout(title, At::Review, Some(caller), &content)
}

fn outcomes(decided: &Decided, caption: &str) -> Markup {
    let body = html! {
        @for (item, outcome) in &decided.outcomes {
            tr {
                th scope="row" { (name(item)) }
                td data-label="Type" { (item.entry.as_ref().map_or("–", |it| &it.attributes.type_name)) }
                td data-label="Destination" { (item.destination) }
                td data-label="Outcome" { (badge(kind(outcome), outcome.as_str())) " " (outcome) }
            }
        }
    };
    html! {
        @if !decided.outcomes.is_empty() {
            div.cards { (table(caption, &["Event", "Type", "Destination", "Outcome"], &body)) }
        }
    }
}

fn name(item: &Item) -> Markup {
    html! {
        @match &item.entry {
            Some(entry) => a href=(event_address(&entry.attributes.id, entry.attributes.source.as_str())) { (entry.attributes.id) },
            None => { "event " (item.sequence) }
        }
    }
}

const fn kind(outcome: &Outcome) -> Kind {
    match outcome {
        Outcome::Released => Kind::Good,
        Outcome::Approved { .. } | Outcome::Before(_) => Kind::Warning,
        Outcome::Discarded => Kind::Plain,
        Outcome::Refused(_) => Kind::Bad,
    }
}
