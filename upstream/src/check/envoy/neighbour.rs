//! What runs before the gate.

use super::type_of;
use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Filters that change a request or its body, by a part of their type.
const CHANGE: [&str; 10] = [
    "filters.http.buffer.",
    "filters.http.lua.",
    "filters.http.ext_proc.",
    "filters.http.wasm.",
    "filters.http.golang.",
    "filters.http.dynamic_modules.",
    "filters.http.decompressor.",
    "filters.http.grpc_json_transcoder.",
    "filters.http.file_system_buffer.",
    "filters.http.header_mutation.",
];

/// Filters that answer requests, of which a webhook sender knows nothing.
const ANSWER: [&str; 8] = [
    "filters.http.ext_authz.",
    "filters.http.jwt_authn.",
    "filters.http.oauth2.",
    "filters.http.basic_auth.",
    "filters.http.api_key_auth.",
    "filters.http.fault.",
    "filters.http.csrf.",
    "filters.http.cache.",
];

/// Checks the filters before the gate.
pub(super) fn check(before: &[&Node], findings: &mut Findings) {
    for filter in before {
        let is_one = |part: &&str| type_of(filter).contains(part);
        let what = if CHANGE.iter().any(&is_one) {
            "can hold or change requests"
        } else if ANSWER.iter().any(is_one) {
            "can answer requests"
        } else {
            continue;
        };
        let name = filter.text_of("name").unwrap_or("(no name)");
        findings.add(
            Code::FilterBefore,
            filter.at,
            &format!("the filter `{name}` stands before the gate and {what}"),
            "move it behind the gate, before the router, or to a listener of its own",
        );
    }
}
