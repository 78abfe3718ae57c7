//! What a gate asks of its host, by the names of proxy-wasm and WASI.
//!
//! A host that is told these names (Envoy: `capability_restriction_config`)
//! refuses all others, so that a module which is not what it should be reaches
//! no network and no file. Source:
//! <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>.

use alloc::vec::Vec;

use crate::config::{Config, KeyringSource};

/// What every gate needs: callbacks, then calls.
const ALWAYS: [&str; 29] = [
    "proxy_on_context_create",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_log",
    "proxy_on_delete",
    "proxy_get_current_time_nanoseconds",
    "random_get",
    "proxy_set_tick_period_milliseconds",
    "proxy_set_effective_context",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_set_header_map_pairs",
    "proxy_get_buffer_bytes",
    "proxy_send_local_response",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_define_metric",
    "proxy_get_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_log",
];

/// To read signing secrets from the environment.
const ENVIRONMENT: [&str; 2] = ["environ_get", "environ_sizes_get"];

/// To ask an HTTP API for a keyring, or tell somebody what the watch says.
const HTTP: [&str; 2] = ["proxy_http_call", "proxy_on_http_call_response"];

/// Lists what a gate with this configuration calls and is called by.
#[must_use]
pub fn needed(config: &Config) -> Vec<&'static str> {
    let endpoints = &config.endpoints;
    let reads_environment = endpoints.iter().any(|it| !it.secrets.is_empty());
    let asks_over_http = config
        .keyrings
        .iter()
        .any(|it| matches!(it.source, KeyringSource::Http(_)));
    let watch = config.watch.as_ref();
    let tells = watch.is_some_and(|it| it.upstream.is_some() || it.alert.is_some());
    let mut needed = ALWAYS.to_vec();
    for (is_needed, names) in [
        (reads_environment, ENVIRONMENT.as_slice()),
        (asks_over_http || tells, HTTP.as_slice()),
    ] {
        needed.extend(names.iter().filter(|_| is_needed));
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::{ALWAYS, needed};
    use crate::config::Config;
    use alloc::{format, vec::Vec};

    const FILE: &str = r#""keyring": "k""#;
    const STATE: &str = r#"{"name": "k", "filter_state": "s"}"#;

    /// Returns what is needed beyond what always is.
    fn further(endpoint: &str, keyring: &str) -> Vec<&'static str> {
        let json = format!(
            r#"{{"endpoints": [{{"name": "e", "path": "/e", {endpoint}}}], "keyrings": [{keyring}]}}"#
        );
        let needed = needed(&Config::from_json(json.as_bytes()).unwrap());
        needed[ALWAYS.len()..].to_vec()
    }

    #[test]
    fn a_gate_needs_more_only_for_what_it_is_told_to_do() {
        let none: [&str; 0] = [];
        assert_eq!(further(FILE, STATE), none);
        let variable = r#""secrets": [{"name": "a", "env": "A"}]"#;
        let expected = ["environ_get", "environ_sizes_get"];
        assert_eq!(further(variable, ""), expected);
        let http = r#"{"name": "k", "http": {"cluster": "c", "authority": "a", "path": "/p"}}"#;
        let expected = ["proxy_http_call", "proxy_on_http_call_response"];
        assert_eq!(further(FILE, http), expected);
        for (watch, expected) in [
            ("{}", &none[..]),
            (r#"{"upstream": {"cluster": "u"}}"#, &expected),
            (
                r#"{"alert": {"cluster": "a", "authority": "a", "path": "/"}}"#,
                &expected,
            ),
        ] {
            let gate = format!(
                r#"{{"endpoints": [{{"name": "e", "path": "/e", {FILE}}}], "keyrings": [{STATE}], "watch": {watch}}}"#
            );
            let found = needed(&Config::from_json(gate.as_bytes()).unwrap());
            assert_eq!(found[ALWAYS.len()..], *expected, "{watch}");
        }
    }
}
