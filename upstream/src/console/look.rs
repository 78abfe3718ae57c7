//! A payload as it is: for who operates, with a reason, and on record.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use hookgate_core::identity::Source;
use tokio::runtime::Handle;

use super::{
    Console,
    answer::{self, Problem},
    decision::{acting, malformed, operator},
    entry, page,
    pool::wait,
};
use crate::{
    log::{Entry, Kept},
    review::{Batch, Desk, Operator},
};

/// Shows a payload whole, once that is on record.
pub(super) async fn look(
    State(console): State<Arc<Console>>,
    request: Request,
) -> Result<Response, Problem> {
    let caller = entry::caller(&request)?;
    let (person, fields) = acting(request).await?;
    let operator = operator(&person, &fields)?;
    let id = fields.get("id").ok_or_else(|| malformed("id"))?.to_owned();
    let source = fields.parsed("source", |text| Source::new(text).ok());
    let source = source
        .map_err(malformed)?
        .ok_or_else(|| malformed("source"))?;
    let batch = fields.parsed("batch", |text| text.parse().ok());
    let batch = batch
        .map_err(malformed)?
        .ok_or_else(|| malformed("batch"))?;
    let log = console.log.clone();
    let show = move |runtime: &Handle| {
        let (entry, payload) = look_at(runtime, &log, &id, &source, &operator, &batch)?;
        Ok::<_, Problem>(page::payload(&caller, &entry, &payload))
    };
    let page = console.pool.run(show).await??;
    Ok(answer::found(page))
}

fn look_at(
    runtime: &Handle,
    log: &Kept,
    id: &str,
    source: &Source,
    operator: &Operator,
    batch: &Batch,
) -> Result<(Entry, Bytes), Problem> {
    // Before anything is read: a log that can't keep the record shows nothing.
    let mut desk = Desk::open_to_look(log, runtime)?;
    let found = wait(runtime, async {
        log.reader().await?.event(id, Some(source)).await
    })??
    .into_iter()
    .next();
    let (entry, payload) = found.ok_or_else(|| {
        Problem::Missing("The log has no event of this ID and source.".to_owned())
    })?;
    (entry.verify(&payload)).map_err(|damage| Problem::Failed(damage.to_string()))?;
    desk.look(&entry, operator, batch)?;
    Ok((entry, payload))
}
