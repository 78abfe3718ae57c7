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
use tokio::time::{Instant, timeout};

use super::{Appender, answer::Refusal, claim::Claim, subject::Subject};
use crate::{
    clock,
    gate_token::GateTokens,
    log::{Appended, Record, Sha256Sum},
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
    /// Who may bring events; `None`: whoever reaches the port.
    pub(crate) gate_tokens: Option<GateTokens>,
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
    appender: Arc<Appender>,
    acceptance: Acceptance,
}

/// Answers `POST /v1/events`.
pub(super) async fn receive(
    State(intake): State<Arc<Intake>>,
    request: Request,
) -> Result<Appended, Refusal> {
    let (head, body) = request.into_parts();
    let subject = Subject::of(&head.headers);
    let answer = intake.take(subject, &head.headers, body).await;
    subject.answered(&answer);
    answer
}

impl Intake {
    /// Makes an intake of a log.
    pub(crate) const fn new(appender: Arc<Appender>, acceptance: Acceptance) -> Self {
        Self {
            appender,
            acceptance,
        }
    }

    /// Tells whether an event could be confirmed now.
    pub(super) async fn is_ready(&self) -> bool {
        self.appender.is_ready().await
    }

    async fn take(
        &self,
        subject: Subject<'_>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Appended, Refusal> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        match self.verify(subject, headers, body).await {
            Ok(record) => Ok(self.appender.append(record, deadline).await?),
            Err(refusal) => {
                let endpoint = headers
                    .get("ce-endpoint")
                    .and_then(|name| name.to_str().ok());
                self.appender.metrics().refused(endpoint);
                Err(refusal)
            }
        }
    }

    /// Checks an event against its signature, and its headers against both.
    async fn verify(
        &self,
        subject: Subject<'_>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Record, Refusal> {
        let tokens = self.acceptance.gate_tokens.as_ref();
        if !tokens.is_none_or(|tokens| tokens.admit(headers)) {
            return Err(Refusal::GateTokenInvalid);
        }
        let doubt = |error| {
            subject.doubted(error);
            Refusal::AttributesInvalid
        };
        let claim = Claim::read(headers).map_err(doubt)?;
        let trial = self.trial(&claim, headers)?;
        let limit = self.acceptance.max_body_bytes;
        let limit = trial.max_body_bytes().map_or(limit, |own| own.min(limit));
        let payload = self.payload(body, limit).await?;
        let proven = trial.decide(&payload)?;
        let attributes = claim
            .confirm(proven, Sha256Sum::of(&payload))
            .map_err(doubt)?;
        Ok(Record {
            attributes,
            payload,
        })
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
