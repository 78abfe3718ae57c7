//! One forwarded event: read, verified again, compared, appended.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    http::HeaderMap,
};
use bytes::Bytes;
use hookgate_core::{reply::Code, request::RequestHead};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, warn};

use super::{answer::Refusal, claim::Claim};
use crate::{
    clock,
    log::{Appended, Log, Record, Sha256Sum},
    verification::{Trial, Verification},
};

/// How far the gate's clock at arrival may lie from ours. Signatures are judged
/// by the gate's arrival time, so that an event may wait for us; without a bound
/// a captured request with its own arrival time would be valid for ever.
const MAX_RECEIVED_AT_DISTANCE: Duration = Duration::from_secs(60 * 60);

/// How long an event may take from its head to our answer, whatever it waits for:
/// below the gate's upstream timeout (10 s), so that the sender hears of it from us.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(9);

/// Sets what is accepted.
#[derive(Debug)]
pub(crate) struct Acceptance {
    /// Whose signatures count.
    pub(crate) verification: Verification,
    /// Largest payload of any endpoint.
    pub(crate) max_body_bytes: usize,
    /// How long a payload may take to arrive; never longer than the whole request.
    pub(crate) body_timeout: Duration,
}

/// Takes events in.
#[derive(Debug)]
pub(crate) struct Intake {
    log: Log,
    acceptance: Acceptance,
}

/// Answers `POST /v1/events`.
pub(super) async fn receive(
    State(intake): State<Arc<Intake>>,
    request: Request,
) -> Result<Appended, Refusal> {
    let (head, body) = request.into_parts();
    let claim = Claim::read(&head.headers).map_err(|error| {
        warn!(%error, "refused an event");
        Refusal::AttributesInvalid
    })?;
    let source = claim.source.clone();
    let (id, trace_id) = (claim.id().to_owned(), claim.trace_id().to_owned());
    let result = intake.take(&head.headers, claim, body).await;
    match &result {
        Ok(appended) => debug!(event_id = id, %source, trace_id, ?appended, "took an event"),
        // The log says what is the matter with it, once for many events.
        Err(Refusal::QueueFull | Refusal::Gate(Code::Unavailable)) => {
            debug!(event_id = id, %source, trace_id, "could not take an event");
        }
        Err(refusal) => warn!(
            // Not verified, so not to be trusted to be short or printable.
            event_id = %id.chars().take(64).collect::<String>().escape_default(),
            %source,
            trace_id,
            code = refusal.as_str(),
            "refused an event"
        ),
    }
    result
}

impl Intake {
    /// Makes an intake of a log.
    pub(crate) const fn new(log: Log, acceptance: Acceptance) -> Self {
        Self { log, acceptance }
    }

    /// Tells whether an event could be confirmed now.
    pub(super) async fn is_ready(&self) -> bool {
        self.log.is_ready().await
    }

    async fn take(
        &self,
        headers: &HeaderMap,
        claim: Claim,
        body: Body,
    ) -> Result<Appended, Refusal> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        let trial = self.trial(&claim, headers)?;
        let limit = self.acceptance.max_body_bytes;
        let limit = trial.max_body_bytes().map_or(limit, |own| own.min(limit));
        let payload = self.payload(body, limit).await?;
        let proven = trial.decide(&payload)?;
        let attributes = claim
            .confirm(proven, Sha256Sum::of(&payload))
            .map_err(|error| {
                warn!(%error, "headers and payload of an event differ");
                Refusal::AttributesInvalid
            })?;
        let record = Record {
            attributes,
            payload,
        };
        match timeout_at(deadline, self.log.append(record)).await {
            Ok(appended) => Ok(appended?),
            // It may be stored yet; the next attempt is answered as a duplicate.
            Err(_) => Err(Code::Unavailable.into()),
        }
    }

    /// Reads the headers by the rules of the claimed endpoint.
    fn trial(&self, claim: &Claim, headers: &HeaderMap) -> Result<Trial, Refusal> {
        let verification = &self.acceptance.verification;
        if verification.is_strict()
            && clock::now().distance(claim.received_at) > MAX_RECEIVED_AT_DISTANCE
        {
            return Err(Code::TimestampOutOfTolerance.into());
        }
        let head: Vec<(String, Vec<u8>)> = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        Ok(verification.begin(claim.sender(), RequestHead(&head))?)
    }

    async fn payload(&self, body: Body, limit: usize) -> Result<Bytes, Refusal> {
        // Announced to be too large: refused before it is sent.
        if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > limit) {
            return Err(Code::PayloadTooLarge.into());
        }
        let whole = Limited::new(body, limit).collect();
        match timeout(self.acceptance.body_timeout.min(REQUEST_TIMEOUT), whole).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Code::PayloadTooLarge.into()),
            // The sender is gone or talks nonsense; this answer hardly arrives.
            Ok(Err(_)) | Err(_) => Err(Code::RequestTimeout.into()),
        }
    }
}
