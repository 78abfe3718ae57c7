//! What the gate's watch puts here and asks for: its state and its verdicts.
//!
//! Nothing of it is signed, so only the gate may: it shows its token, and a
//! header that it takes from every client. Source of the refusals' form: RFC 9457.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use hookgate_core::{
    reply::{self, Code},
    time::Timestamp,
};
use hookgate_watch::{
    parts::{Head, MAX_PART_BYTES, MAX_PARTS},
    state::StateError,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::json;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tracing::{info, warn};

use super::answer::Refusal;
use crate::{
    clock,
    gate_token::GateTokens,
    gate_watch::{GateName, MAX_VERDICT_BYTES, Store, StoreError, Verdict, VerdictError},
    log::Incapable,
    metrics::Metrics,
};

/// Comes from the gate alone: it takes every `x-hookgate-*` from its clients.
const FROM_THE_GATE: &str = "x-hookgate-watch";

/// Parts that are in memory at once.
const AT_ONCE: usize = 32;

/// How long others' parts are waited for.
const TURN_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Says who may use it.
#[derive(Debug)]
pub(super) struct Door {
    tokens: Option<GateTokens>,
    is_local: bool,
}

/// Is where it is kept.
#[derive(Debug)]
pub(super) struct Kept {
    store: Result<Arc<Store>, Incapable>,
    metrics: Metrics,
    places: Semaphore,
}

#[derive(Debug)]
struct Served {
    door: Door,
    kept: Kept,
}

/// Says why something isn't kept or told.
#[derive(Debug)]
enum Refused {
    /// As an event would be.
    Event(Refusal),
    /// It doesn't come from a gate.
    Stranger,
    /// The query names no gate.
    Gate,
    /// The query names half a part, or none that there can be.
    Part,
    /// The query names no time.
    Since,
    /// The bytes are no part of a watch.
    State(StateError),
    /// The last part came, and others aren't there.
    Incomplete,
    /// The bytes are no verdict.
    Verdict(VerdictError),
    /// Beside this log nothing is kept.
    Incapable(Incapable),
    /// Nothing was saved under the name.
    Unknown,
    /// Others are saving.
    Busy,
}

impl Door {
    /// Asks for a token of the gate's; without any lets in who is on this machine.
    pub(super) const fn new(tokens: Option<GateTokens>, listen: IpAddr) -> Self {
        Self {
            tokens,
            is_local: listen.is_loopback(),
        }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let is_shown = match &self.tokens {
            Some(tokens) => tokens.admit(headers),
            None => self.is_local,
        };
        if !is_shown {
            return Err(Refusal::GateTokenInvalid.into());
        }
        if headers.contains_key(FROM_THE_GATE) {
            Ok(())
        } else {
            Err(Refused::Stranger)
        }
    }
}

impl Kept {
    /// Keeps it in a store, if the log can have one.
    pub(super) fn new(store: Result<Arc<Store>, Incapable>, metrics: Metrics) -> Self {
        metrics.watched();
        Self {
            store,
            metrics,
            places: Semaphore::new(AT_ONCE),
        }
    }

    fn store(&self) -> Result<&Store, Refused> {
        self.store
            .as_deref()
            .map_err(|limit| Refused::Incapable(*limit))
    }

    async fn place(&self) -> Result<SemaphorePermit<'_>, Refused> {
        match timeout(TURN_TIMEOUT, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Refused::Busy),
        }
    }
}

/// Returns the routes.
pub(super) fn routes(door: Door, kept: Kept) -> Router {
    let others = || async { Refused::from(Refusal::Gate(Code::MethodNotAllowed)) };
    Router::new()
        .route("/v1/watch/state", get(state).put(save).fallback(others))
        .route("/v1/watch/verdicts", post(tell).get(told).fallback(others))
        .with_state(Arc::new(Served { door, kept }))
}

/// Answers `GET /v1/watch/state?gate=NAME`, and `&save=HEX&part=NUMBER` behind it.
async fn state(State(served): State<Arc<Served>>, request: Request) -> Result<Response, Refused> {
    let (head, _) = request.into_parts();
    let (store, gate) = served.begin(&head)?;
    let part = part(&head.uri)?;
    let _place = served.kept.place().await?;
    let state = store.part(&gate, part).await?.ok_or(Refused::Unknown)?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], state).into_response())
}

/// Answers `PUT /v1/watch/state?gate=NAME`.
async fn save(State(served): State<Arc<Served>>, request: Request) -> Result<StatusCode, Refused> {
    let (head, body) = request.into_parts();
    let (store, gate) = served.begin(&head)?;
    let _place = served.kept.place().await?;
    let part = read(body, MAX_PART_BYTES).await?;
    let head = Head::of(&part).map_err(Refused::State)?;
    if store.save(&gate, head, part, clock::now()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refused::Incomplete)
    }
}

/// Answers `POST /v1/watch/verdicts`.
async fn tell(State(served): State<Arc<Served>>, request: Request) -> Result<StatusCode, Refused> {
    let (head, body) = request.into_parts();
    served.door.admit(&head.headers)?;
    let store = served.kept.store()?;
    let verdict = read(body, MAX_VERDICT_BYTES).await?;
    let verdict = Verdict::parse(&verdict).map_err(Refused::Verdict)?;
    let (gate, kind) = (verdict.gate.as_str().to_owned(), verdict.kind.clone());
    if store.add(verdict).await? {
        served.kept.metrics.told(&kind);
        info!(gate, kind, "a gate's watch told a verdict");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Answers `GET /v1/watch/verdicts?since=TIME`.
async fn told(State(served): State<Arc<Served>>, request: Request) -> Result<Response, Refused> {
    let (head, _) = request.into_parts();
    served.door.admit(&head.headers)?;
    let store = served.kept.store()?;
    let since = value(&head.uri, "since").and_then(Timestamp::parse_rfc3339);
    let verdicts = store.since(since.ok_or(Refused::Since)?).await?;
    let verdicts: Vec<String> = verdicts.iter().map(Verdict::json).collect();
    let batch = format!("[{}]", verdicts.join(","));
    let media_type = "application/cloudevents-batch+json";
    Ok(([(CONTENT_TYPE, media_type)], batch).into_response())
}

impl Served {
    fn begin(&self, head: &Parts) -> Result<(&Store, GateName), Refused> {
        self.door.admit(&head.headers)?;
        let store = self.kept.store()?;
        let gate = value(&head.uri, "gate").and_then(GateName::new);
        Ok((store, gate.ok_or(Refused::Gate)?))
    }
}

/// Returns the value of a query's field.
fn value<'a>(uri: &'a Uri, field: &str) -> Option<&'a str> {
    let mut fields = uri.query()?.split('&');
    fields.find_map(|one| one.strip_prefix(field)?.strip_prefix('='))
}

/// Returns the save and the number of the part that a query names; `None` if it names
/// neither.
fn part(uri: &Uri) -> Result<Option<(u64, u32)>, Refused> {
    match (value(uri, "save"), value(uri, "part")) {
        (None, None) => Ok(None),
        (Some(save), Some(number)) => {
            let number = number.parse().ok().filter(|number| *number < MAX_PARTS);
            let save = u64::from_str_radix(save, 16).ok();
            save.zip(number).map(Some).ok_or(Refused::Part)
        }
        _ => Err(Refused::Part),
    }
}

async fn read(body: Body, most: usize) -> Result<Bytes, Refused> {
    let refused = |code: Code| Refused::from(Refusal::Gate(code));
    match timeout(BODY_TIMEOUT, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(refused(Code::PayloadTooLarge)),
        Ok(Err(_)) | Err(_) => Err(refused(Code::RequestTimeout)),
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Event(refusal)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        warn!(%error, "what a gate's watch keeps can't be written or read");
        Self::Event(Refusal::Gate(Code::Unavailable))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code, title, detail) = match self {
            Self::Event(refusal) => return refusal.into_response(),
            Self::Stranger => (
                StatusCode::FORBIDDEN,
                "not_the_gate",
                "Not the gate",
                format!("Only a gate's watch may ask here: it says so in `{FROM_THE_GATE}`."),
            ),
            Self::Gate => (
                StatusCode::BAD_REQUEST,
                "gate_name_invalid",
                "Gate name invalid",
                "Expected `?gate=NAME`, a name of 1 to 64 of a-z, 0-9 and -.".to_owned(),
            ),
            Self::Part => (
                StatusCode::BAD_REQUEST,
                "state_part_invalid",
                "Part invalid",
                format!(
                    "Expected `&save=HEX&part=NUMBER`, 16 digits and less than {MAX_PARTS}, or neither."
                ),
            ),
            Self::Incomplete => (
                StatusCode::CONFLICT,
                "state_incomplete",
                "State incomplete",
                "Parts before this one are not there, or another save came first. Save all of it again.".to_owned(),
            ),
            Self::Since => (
                StatusCode::BAD_REQUEST,
                "since_invalid",
                "Time invalid",
                "Expected `?since=TIME` as in `2026-01-31T12:00:00Z`.".to_owned(),
            ),
            Self::State(error) => (
                StatusCode::BAD_REQUEST,
                "state_invalid",
                "State invalid",
                error.to_string(),
            ),
            Self::Verdict(error) => (
                StatusCode::BAD_REQUEST,
                "verdict_invalid",
                "Verdict invalid",
                error.to_string(),
            ),
            Self::Incapable(limit) => (
                StatusCode::NOT_IMPLEMENTED,
                "watch_not_kept",
                "Watch not kept",
                limit.to_string(),
            ),
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                "state_unknown",
                "State unknown",
                "No state was saved under this name, or not this part of it.".to_owned(),
            ),
            Self::Busy => (
                StatusCode::TOO_MANY_REQUESTS,
                "busy",
                "Busy",
                "Other gates are saving or restoring. Try again later.".to_owned(),
            ),
        };
        let body =
            json!({"title": title, "status": status.as_u16(), "code": code, "detail": detail});
        (
            status,
            [(CONTENT_TYPE, reply::CONTENT_TYPE)],
            body.to_string(),
        )
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{HeaderMap, HeaderValue};

    use super::{Door, FROM_THE_GATE};

    #[test]
    fn without_a_token_only_this_machine_is_heard() {
        let mut headers = HeaderMap::new();
        headers.insert(FROM_THE_GATE, HeaderValue::from_static("1"));
        for (listen, is_heard) in [("127.0.0.1", true), ("::1", true), ("0.0.0.0", false)] {
            let listen: IpAddr = listen.parse().unwrap();
            let admitted = Door::new(None, listen).admit(&headers);
            assert_eq!(admitted.is_ok(), is_heard, "{listen}");
        }
    }
}
