//! Who may report what became of an event, and where reports go.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::HeaderMap;

use super::{
    settings::SettingsError,
    store::{Report, Reported, Store, StoreError},
};
use crate::{bearer, config, console::token_digest};

/// Destinations and the digests of their tokens.
#[derive(Default)]
pub(crate) struct Reporters(Vec<(String, [u8; 32])>);

impl fmt::Debug for Reporters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

impl Reporters {
    pub(super) fn load(reporters: &[config::Reporter]) -> Result<Self, SettingsError> {
        let mut loaded: Vec<(String, [u8; 32])> = Vec::new();
        for (index, reporter) in reporters.iter().enumerate() {
            let field = format!("expectations.reporters[{index}].token");
            let digest = token_digest(&field, &reporter.token)?;
            if loaded.iter().any(|(_, other)| *other == digest) {
                return Err(SettingsError::Shared(reporter.destination.clone()));
            }
            loaded.push((reporter.destination.clone(), digest));
        }
        Ok(Self(loaded))
    }

    /// Finds whose token a request shows, exactly once. Takes as long whoever's it is, and
    /// if it is nobody's (RFC 6750, bearer tokens).
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Option<&str> {
        let token = bearer::shown(headers)?;
        let at = bearer::find(token, self.0.iter().map(|(_, known)| Some(*known)))?;
        Some(self.0.get(at)?.0.as_str())
    }
}

/// Takes reports. Clones go to the same place.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    pub(super) store: Arc<Mutex<Store>>,
    pub(super) reporters: Arc<Reporters>,
}

impl Reports {
    /// Finds whose token a request shows.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Option<&str> {
        self.reporters.admit(headers)
    }

    /// Keeps a report. Blocks for a moment.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is kept.
    pub(crate) fn add(&self, report: &Report) -> Result<Reported, StoreError> {
        // Each statement is whole.
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.report(report)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};
    use sha2::{Digest as _, Sha256};

    use super::Reporters;

    #[test]
    fn a_token_leads_to_its_destination_and_nothing_else_does() {
        let digest = |token: &str| Sha256::digest(token).into();
        let reporters = Reporters(vec![
            ("orders".to_owned(), digest("token-of-orders")),
            ("ledger".to_owned(), digest("token-of-ledger")),
        ]);
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                let value = HeaderValue::from_str(value).unwrap();
                headers.append("authorization", value);
            }
            reporters.admit(&headers).map(str::to_owned)
        };
        assert_eq!(with(&["Bearer token-of-ledger"]).as_deref(), Some("ledger"));
        assert_eq!(with(&["bearer token-of-orders"]).as_deref(), Some("orders"));
        for refused in [
            &[][..],
            &["Bearer token"],
            &["Basic token-of-orders"],
            &["Bearer token-of-orders", "Bearer token-of-orders"],
        ] {
            assert_eq!(with(refused), None, "{refused:?}");
        }
        let nobody = Reporters::default();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer x"));
        assert_eq!(nobody.admit(&headers), None);
    }
}
