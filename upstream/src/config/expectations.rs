//! Expectations as the file spells them.

use std::path::PathBuf;

use hookgate_core::policy::TypePattern;
use serde::Deserialize;

use super::{destination, place::SecretPlace};

/// Most reporters of one server.
const MAX_REPORTERS: usize = 256;

/// Types of events that move money: where an overdue one waits for a person.
pub(super) const MONEY: [&str; 9] = [
    "charge.*",
    "invoice.*",
    "payment_intent.*",
    "payout.*",
    "refund.*",
    "topup.*",
    "transfer.*",
    "application_fee.*",
    "issuing_transaction.*",
];

/// Says what becomes of events that are not as expected.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(crate) struct Expectations {
    /// Where what is learnt is kept.
    pub(crate) state: Option<PathBuf>,
    /// Types whose overdue events wait for a person.
    #[serde(deserialize_with = "destination::types")]
    pub(crate) review: Vec<TypePattern>,
    /// Who may report what became of an event.
    pub(crate) reporters: Vec<Reporter>,
}

/// Describes who may report what became of an event.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct Reporter {
    /// For which destination.
    #[serde(deserialize_with = "destination::name")]
    pub(crate) destination: String,
    /// Where its token is.
    pub(crate) token: SecretPlace,
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            state: None,
            review: MONEY.into_iter().filter_map(TypePattern::new).collect(),
            reporters: Vec::new(),
        }
    }
}

impl Expectations {
    /// Checks what is of more than one field.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let found = self.reporters.len();
        if found > MAX_REPORTERS {
            let problem = format!("found {found} reporters, expected at most {MAX_REPORTERS}");
            return Err(("reporters".to_owned(), problem));
        }
        for (index, reporter) in self.reporters.iter().enumerate() {
            let mut earlier = self.reporters.iter().take(index);
            if earlier.any(|other| other.destination == reporter.destination) {
                let problem = "found a destination that an earlier reporter has, expected another";
                let field = format!("reporters[{index}].destination");
                return Err((field, problem.to_owned()));
            }
        }
        Ok(())
    }
}
