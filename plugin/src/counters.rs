//! How deliveries ended, counted per endpoint.
//!
//! Names come from the configuration and the table of outcomes only: the host
//! never frees a name.

use hookgate_core::{gate::Gate, outcome::Outcome};
use proxy_wasm::{
    hostcalls,
    types::{MetricType, Status},
};

/// Stands for requests to paths of no endpoint; no endpoint's name has it.
const NO_ENDPOINT: &str = "_";

/// Holds a counter for each endpoint and outcome.
pub(crate) struct Counters {
    by_endpoint: Vec<ByOutcome>,
    without_endpoint: ByOutcome,
}

type ByOutcome = Vec<(Outcome, u32)>;

impl Counters {
    /// Defines the counters of a gate.
    pub(crate) fn define(gate: &Gate) -> Result<Self, Status> {
        Ok(Self {
            by_endpoint: gate
                .endpoints()
                .map(|endpoint| define(&endpoint.config.name))
                .collect::<Result<_, _>>()?,
            without_endpoint: define(NO_ENDPOINT)?,
        })
    }

    /// Counts the end of one delivery; `endpoint` is its position in the gate.
    pub(crate) fn count(&self, endpoint: Option<usize>, outcome: Outcome) {
        let by_outcome = endpoint
            .and_then(|index| self.by_endpoint.get(index))
            .unwrap_or(&self.without_endpoint);
        let counter = by_outcome.iter().find(|(counted, _)| *counted == outcome);
        if let Some((_, id)) = counter {
            // Fails only for an ID that the host doesn't know.
            _ = hostcalls::increment_metric(*id, 1);
        }
    }
}

fn define(endpoint: &str) -> Result<ByOutcome, Status> {
    Outcome::all()
        .map(|outcome| {
            let outcome_name = outcome.as_str();
            let name = format!("hookgate_deliveries.endpoint.{endpoint}.outcome.{outcome_name}");
            let id = hostcalls::define_metric(MetricType::Counter, &name)?;
            Ok((outcome, id))
        })
        .collect()
}
