//! A verdict, in the form in which a gate tells it.
//!
//! Source: CloudEvents 1.0.2, JSON event format, structured mode,
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.

use hookgate_core::time::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{GateName, MAX_VERDICT_BYTES};

/// What the gate calls its verdicts: the `type` of the CloudEvent.
const TYPE: &str = "hookgate.anomaly.v1";

/// Longest ID and longest name of a cause, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// Is what a watch said once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    /// Names it; the same when it is sent again.
    pub(crate) id: String,
    /// Which gate said it.
    pub(crate) gate: GateName,
    /// The cause, by its name in `docs/anomaly.md`.
    pub(crate) kind: String,
    /// How sure, 0 to 1; 0.5 is just over the threshold.
    pub(crate) score: f64,
    /// The type, the account or the network that it is about.
    pub(crate) subject: Option<String>,
    /// Since when, by the gate's clock.
    pub(crate) began: Timestamp,
    /// When it was told, by the gate's clock.
    pub(crate) at: Timestamp,
    /// The figures, in plain words.
    pub(crate) evidence: String,
}

/// Says why bytes are no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VerdictError {
    /// Longer than any verdict.
    #[error("found more than {MAX_VERDICT_BYTES} bytes")]
    Size,
    /// No CloudEvent with these fields.
    #[error(
        "expected a CloudEvent in JSON with `specversion`, `id`, `type`, `time` and `data` of `gate`, `kind`, `score`, `began` and `evidence`"
    )]
    Form,
    /// A field holds what no gate says.
    #[error("`{0}`: found what no gate says")]
    Field(&'static str),
}

#[derive(Deserialize)]
struct Envelope {
    specversion: String,
    id: String,
    r#type: String,
    time: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    gate: String,
    kind: String,
    score: f64,
    #[serde(default)]
    subject: Option<String>,
    began: String,
    evidence: String,
}

impl Verdict {
    /// Reads what a gate sent, or what [`Self::json`] returned.
    ///
    /// # Errors
    /// [`VerdictError`].
    pub(crate) fn parse(json: &[u8]) -> Result<Self, VerdictError> {
        if json.len() > MAX_VERDICT_BYTES {
            return Err(VerdictError::Size);
        }
        let envelope: Envelope = serde_json::from_slice(json).map_err(|_| VerdictError::Form)?;
        let Envelope { id, data, .. } = envelope;
        let check = |holds: bool, field| holds.then_some(()).ok_or(VerdictError::Field(field));
        check(envelope.specversion == "1.0", "specversion")?;
        check(envelope.r#type == TYPE, "type")?;
        let is_graphic = id.bytes().all(|byte| byte.is_ascii_graphic());
        check((1..=MAX_NAME_BYTES).contains(&id.len()) && is_graphic, "id")?;
        let is_kind = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let fits = (1..=MAX_NAME_BYTES).contains(&data.kind.len());
        check(fits && data.kind.bytes().all(is_kind), "data.kind")?;
        check((0.0..=1.0).contains(&data.score), "data.score")?;
        let time =
            |text: &str, field| Timestamp::parse_rfc3339(text).ok_or(VerdictError::Field(field));
        Ok(Self {
            gate: GateName::new(&data.gate).ok_or(VerdictError::Field("data.gate"))?,
            began: time(&data.began, "data.began")?,
            at: time(&envelope.time, "time")?,
            id,
            kind: data.kind,
            score: data.score,
            subject: data.subject,
            evidence: data.evidence,
        })
    }

    /// Returns the JSON that [`Self::parse`] reads.
    pub(crate) fn json(&self) -> String {
        json!({
            "specversion": "1.0",
            "id": self.id,
            "source": format!("/hookgate/gates/{}", self.gate.as_str()),
            "type": TYPE,
            "time": self.at.to_string(),
            "datacontenttype": "application/json",
            "data": {
                "gate": self.gate.as_str(),
                "kind": self.kind,
                "score": self.score,
                "subject": self.subject,
                "began": self.began.to_string(),
                "evidence": self.evidence,
            },
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Verdict, VerdictError};

    fn told() -> Value {
        json!({
            "specversion": "1.0", "id": "edge.1760000000.slow_loris", "source": "/hookgate/gates/edge",
            "type": "hookgate.anomaly.v1", "time": "2025-10-09T08:53:21Z",
            "data": {"gate": "edge", "kind": "slow_loris", "score": 0.75, "subject": "acct_1",
                "began": "2025-10-09T08:53:20Z", "evidence": "40 requests open"},
        })
    }

    #[test]
    fn reads_what_it_writes() {
        let verdict = Verdict::parse(told().to_string().as_bytes()).unwrap();
        assert_eq!(verdict.at.unix_seconds(), 1_760_000_001);
        assert_eq!(Verdict::parse(verdict.json().as_bytes()), Ok(verdict));
    }

    #[test]
    fn refuses_what_no_gate_says_and_names_the_field() {
        let long = "x".repeat(129);
        for (pointer, value, field) in [
            ("/specversion", json!("0.3"), "specversion"),
            ("/type", json!("invoice.paid"), "type"),
            ("/id", json!(""), "id"),
            ("/id", json!("a b"), "id"),
            ("/id", json!(long), "id"),
            ("/time", json!("yesterday"), "time"),
            ("/data/gate", json!("Edge"), "data.gate"),
            ("/data/kind", json!("Slow"), "data.kind"),
            ("/data/kind", json!(""), "data.kind"),
            ("/data/score", json!(1.5), "data.score"),
            ("/data/score", json!(-0.1), "data.score"),
            ("/data/began", json!(""), "data.began"),
        ] {
            let mut told = told();
            *told.pointer_mut(pointer).unwrap() = value;
            let found = Verdict::parse(told.to_string().as_bytes());
            assert_eq!(found, Err(VerdictError::Field(field)));
        }
        for bytes in [
            &b""[..],
            b"{}",
            b"[]",
            b"\xff",
            b"{\"specversion\": \"1.0\"}",
        ] {
            assert_eq!(Verdict::parse(bytes), Err(VerdictError::Form));
        }
        let large = vec![b' '; super::MAX_VERDICT_BYTES + 1];
        assert_eq!(Verdict::parse(&large), Err(VerdictError::Size));
    }
}
