//! Deciding about what is parked: first what would become of it, then, by a
//! second form that names each event, the decision.

use std::sync::Arc;

use axum::{
    extract::{Request as HttpRequest, State},
    response::Response,
};
use tokio::runtime::Handle;

use super::{
    Console,
    access::{Person, Refusal},
    answer::{self, Problem},
    entry,
    form::{ACTION_BYTES, Fields},
    page::{self, Counted},
    views::selection,
};
use crate::{
    log::Kept,
    review::{self, Batch, Decision, Desk, Item, Operator, Outcome, Request, Run, Selection},
};

/// Most events of one decision of the console: one transaction.
const MOST: usize = 1_000;

/// Pages of the queue that are looked through for a filter.
const MOST_PAGES: usize = 400;

/// Holds what a form asks for.
#[derive(Debug)]
pub(super) struct Asked {
    /// What.
    pub(super) decision: Decision,
    /// Who, and why.
    pub(super) operator: Operator,
    /// Its name.
    pub(super) batch: Batch,
}

/// Says what a decision comes to.
#[derive(Debug)]
pub(super) struct Decided {
    /// What was asked for.
    pub(super) asked: Asked,
    /// Each event, and what becomes of it.
    pub(super) outcomes: Vec<(Item, Outcome)>,
    /// Whether the filter chooses more than these.
    pub(super) has_more: bool,
}

/// Shows what a decision would do, and asks for it.
pub(super) async fn preview(
    State(console): State<Arc<Console>>,
    request: HttpRequest,
) -> Result<Response, Problem> {
    let caller = entry::caller(&request)?;
    let (person, fields) = acting(request).await?;
    let asked = asked(&person, &fields, Batch::random())?;
    let chosen = Chosen::of(&fields)?;
    let log = console.log.clone();
    let decided = (console.pool)
        .run(move |runtime| decide_about(&log, runtime, asked, &chosen, Run::Dry))
        .await??;
    let counted = Counted::of(&decided.outcomes);
    Ok(answer::found(page::preview(&caller, &decided, &counted)))
}

/// Decides.
pub(super) async fn decide(
    State(console): State<Arc<Console>>,
    request: HttpRequest,
) -> Result<Response, Problem> {
    let caller = entry::caller(&request)?;
    let (person, fields) = acting(request).await?;
    let batch = fields.parsed("batch", |text| text.parse().ok());
    let batch = batch
        .map_err(malformed)?
        .ok_or_else(|| malformed("batch"))?;
    let asked = asked(&person, &fields, batch)?;
    // What the page before has named, and nothing that came since.
    let places = fields.parsed("items", places).map_err(malformed)?;
    let chosen = Chosen::Places(places.ok_or_else(|| malformed("items"))?);
    let log = console.log.clone();
    let decided = (console.pool)
        .run(move |runtime| decide_about(&log, runtime, asked, &chosen, Run::Real))
        .await??;
    let counted = Counted::of(&decided.outcomes);
    Ok(answer::found(page::decided(&caller, &decided, &counted)))
}

/// Lets an operator through whose form is ours. Nobody else's form is read.
///
/// # Errors
/// [`Problem`].
pub(super) async fn acting(request: HttpRequest) -> Result<(Person, Fields), Problem> {
    let caller = entry::caller(&request)?;
    if !caller.operates() {
        let refusal = caller.person().map_or(Refusal::Unknown, |_| Refusal::Role);
        return Err(refusal.into());
    }
    let fields = Fields::of_body(request.into_body(), ACTION_BYTES).await?;
    let person = caller.may_act(fields.get("form"))?.clone();
    Ok((person, fields))
}

/// Reads who decides and why: the name is never of the form.
///
/// # Errors
/// [`Problem::Malformed`].
pub(super) fn operator(person: &Person, fields: &Fields) -> Result<Operator, Problem> {
    let reason = fields.get("reason").unwrap_or_default();
    Operator::new(&person.name, reason).map_err(|error| {
        Problem::Malformed(format!("Nothing was done: {error}. The trail keeps it."))
    })
}

fn asked(person: &Person, fields: &Fields, batch: Batch) -> Result<Asked, Problem> {
    let decision = match fields.get("decision") {
        Some("approve") => Decision::Approve {
            to: fields.get("to").map(str::to_owned),
        },
        Some("discard") => Decision::Discard,
        _ => return Err(malformed("decision")),
    };
    Ok(Asked {
        decision,
        operator: operator(person, fields)?,
        batch,
    })
}

/// Says that a form isn't one of ours.
pub(super) fn malformed(field: &'static str) -> Problem {
    let text = format!("Nothing was done: the field `{field}` is missing or not of its form.");
    Problem::Malformed(text)
}

/// Says which events a form is about.
#[derive(Debug)]
enum Chosen {
    /// These.
    Places(Vec<(String, u64)>),
    /// Those of a filter.
    Filter(Selection),
}

impl Chosen {
    fn of(fields: &Fields) -> Result<Self, Problem> {
        if let Some(places) = fields.parsed("items", places).map_err(malformed)? {
            return Ok(Self::Places(places));
        }
        let selection = selection(fields)?;
        if selection.is_all() && fields.get("all").is_none() {
            let text = "Nothing was done: choose events by a filter, or say that it is about \
                        every parked event.";
            return Err(Problem::Malformed(text.to_owned()));
        }
        Ok(Self::Filter(selection))
    }
}

fn decide_about(
    log: &Kept,
    runtime: &Handle,
    asked: Asked,
    chosen: &Chosen,
    run: Run,
) -> Result<Decided, Problem> {
    let mut desk = Desk::kept(log, runtime)?;
    let (items, has_more) = match chosen {
        Chosen::Places(places) => (desk.items(places)?, false),
        Chosen::Filter(selection) => filtered(log, runtime, selection)?,
    };
    let request = Request {
        decision: &asked.decision,
        operator: &asked.operator,
        batch: &asked.batch,
        run,
    };
    let outcomes = desk.decide(&items, request)?;
    Ok(Decided {
        asked,
        outcomes: items.into_iter().zip(outcomes).collect(),
        has_more,
    })
}

fn filtered(
    log: &Kept,
    runtime: &Handle,
    selection: &Selection,
) -> Result<(Vec<Item>, bool), Problem> {
    let mut items = Vec::new();
    let mut after = None;
    for _ in 0..MOST_PAGES {
        let room = MOST - items.len();
        let page = review::queue(log, runtime, selection, after.as_ref(), room)?;
        items.extend(page.parked.iter().map(Item::from));
        after = page.next;
        if after.is_none() || items.len() >= MOST {
            break;
        }
    }
    Ok((items, after.is_some()))
}

/// Reads `destination:sequence,…`.
fn places(text: &str) -> Option<Vec<(String, u64)>> {
    let place = |text: &str| {
        let (destination, sequence) = text.rsplit_once(':')?;
        Some((destination.to_owned(), sequence.parse().ok()?))
    };
    let places: Vec<_> = text.split(',').map(place).collect::<Option<_>>()?;
    (places.len() <= MOST).then_some(places)
}

/// Writes what [`places`] reads: those of which something would become.
pub(super) fn written(outcomes: &[(Item, Outcome)]) -> String {
    let open = outcomes
        .iter()
        .filter(|(_, it)| !matches!(it, Outcome::Refused(_)));
    let places = open.map(|(item, _)| format!("{}:{}", item.destination, item.sequence));
    places.collect::<Vec<_>>().join(",")
}
