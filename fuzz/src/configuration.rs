//! A configuration beside its published schema, a keyring beside a slow reader.

mod keyring;

use std::cell::OnceCell;
use std::collections::BTreeSet;

use boon::{Compiler, SchemaIndex, Schemas};
use hookgate_core::config::{Config, MAX_ENDPOINTS, MAX_KEYRINGS, MAX_SECRETS};
use hookgate_core::delivery::{Arrival, Delivery};
use hookgate_core::gate::Gate;
use hookgate_core::request::RequestHead;
use hookgate_core::time::Timestamp;
use serde_json::Value;

use crate::delivery::Store;
use crate::json;

const SCHEMA: &str = include_str!("../../envoy/hookgate.schema.json");

/// Longest error: a path, a quotation of 80 bytes and what was expected.
const MAX_ERROR_BYTES: usize = 1_000;

/// Reads `text` as a configuration and as a keyring, each in both ways.
///
/// # Panics
/// If they differ, or if what was accepted breaks a bound.
pub fn check(text: &[u8]) -> Vec<&'static str> {
    let value = json::strict(text);
    let mut met = vec![check_configuration(text, value.as_ref())];
    met.extend(keyring::check(text, value.as_ref()));
    met
}

fn check_configuration(text: &[u8], value: Option<&Value>) -> &'static str {
    let found = Config::from_json(text);
    let is_of_schema = value.is_some_and(schema_takes);
    let config = match found {
        Ok(config) => config,
        Err(error) => {
            let error = error.to_string();
            assert!(error.len() <= MAX_ERROR_BYTES, "{error}");
            return match value {
                _ if is_of_schema => "against another field",
                Some(_) => "against the schema",
                None => "not JSON",
            };
        }
    };
    assert!(is_of_schema, "the schema refuses what was accepted");
    // Order, spaces and escapes mean nothing.
    let again = value.map(|value| Config::from_json(value.to_string().as_bytes()));
    assert_eq!(again, Some(Ok(config.clone())));
    check_bounds(&config);
    check_gate(config);
    "configuration"
}

fn schema_takes(value: &Value) -> bool {
    thread_local! {
        static VALIDATOR: OnceCell<(Schemas, SchemaIndex)> = const { OnceCell::new() };
    }
    VALIDATOR.with(|validator| {
        let (schemas, index) = validator.get_or_init(|| {
            let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
            let name = "hookgate.schema.json";
            let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
            compiler.add_resource(name, schema).expect("a schema");
            let index = compiler.compile(name, &mut schemas).expect("a schema");
            (schemas, index)
        });
        schemas.validate(value, *index).is_ok()
    })
}

fn check_bounds(config: &Config) {
    let endpoints = &config.endpoints;
    assert!((1..=MAX_ENDPOINTS).contains(&endpoints.len()));
    assert!(config.keyrings.len() <= MAX_KEYRINGS);
    let names: BTreeSet<&str> = endpoints.iter().map(|one| one.name.as_str()).collect();
    let paths: BTreeSet<&str> = endpoints.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(
        (names.len(), paths.len()),
        (endpoints.len(), endpoints.len())
    );
    assert!(config.upstream_timeout < config.dedup.lease);
    for endpoint in endpoints {
        assert!(endpoint.secrets.len() <= MAX_SECRETS);
        assert!(endpoint.keyring.is_some() || !endpoint.secrets.is_empty());
        let keyring = endpoint.keyring.unwrap_or_default();
        assert!(endpoint.keyring.is_none() || keyring < config.keyrings.len());
    }
}

/// Each endpoint is found under its path, and under no other.
fn check_gate(config: Config) {
    let endpoints = config.endpoints.clone();
    let gate = Gate::load(config, |_| Some(b"d2hzZWNfZml4dHVyZQ==".to_vec()));
    let gate = gate.expect("a secret that every scheme takes");
    let name_at = |path: String| {
        let headers = [(":path".to_owned(), path.into_bytes())];
        let arrival = Arrival {
            head: RequestHead(&headers),
            source: None,
            now: Timestamp::from_unix_seconds(0),
        };
        let mut delivery = Delivery::default();
        delivery.headers(&gate, arrival, &mut Store::default());
        delivery.endpoint().map(|found| found.config.name.clone())
    };
    for endpoint in &endpoints {
        assert_eq!(
            name_at(endpoint.path.clone()).as_ref(),
            Some(&endpoint.name)
        );
        let with_query = format!("{}?a=/b?c", endpoint.path);
        assert_eq!(name_at(with_query).as_ref(), Some(&endpoint.name));
        let longer = format!("{}.", endpoint.path);
        if endpoints.iter().all(|other| other.path != longer) {
            assert_eq!(name_at(longer), None);
        }
    }
}
