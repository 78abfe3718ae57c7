//! The Wasm filter of the gate.

use hookgate_core::config::Config;

use super::{capability, filters, type_of};
use crate::check::{
    document::Node,
    finding::{Code, Findings},
    plugin,
};

/// What the host does when the module fails.
const FAIL_RELOAD: (&str, u64) = ("FAIL_RELOAD", 1);
const FAIL_OPEN: (&str, u64) = ("FAIL_OPEN", 3);

/// Tells whether a filter is the gate: by its names, its module, or what it configures.
pub(super) fn is_gate(filter: &Node) -> bool {
    if !type_of(filter).contains("filters.http.wasm.") {
        return false;
    }
    let names = [
        "name",
        "typed_config.config.name",
        "typed_config.config.vm_config.vm_id",
        "typed_config.config.vm_config.code.local.filename",
        "typed_config.config.vm_config.code.remote.http_uri.uri",
    ];
    let named = |path: &&str| {
        filter
            .text_of(path)
            .is_some_and(|name| name.contains("hookgate"))
    };
    let configured = filter.text_of("typed_config.config.configuration.value");
    names.iter().any(named) || configured.is_some_and(|json| json.contains("\"endpoints\""))
}

/// Checks the gate's filter; returns its configuration if it can be used.
pub(super) fn check(root: &Node, gate: &Node, findings: &mut Findings) -> Option<Config> {
    let Some(config) = gate.at_path("typed_config.config") else {
        missing(gate, findings);
        return None;
    };
    failures(config, findings);
    let field = "allow_on_headers_stop_iteration";
    if !config.field(field).is_some_and(Node::is_true) {
        let fix = format!("{field}: true");
        let problem = format!("`{field}` is not true");
        findings.add_field(Code::StopIteration, config, field, &problem, &fix);
    }
    vm_id(root, gate, config, findings);
    clear_variables(config, findings);
    let plugin = configuration(config, findings)?;
    variables(config, &plugin, findings);
    capability::check(config, &plugin, findings);
    Some(plugin)
}

fn failures(config: &Node, findings: &mut Findings) {
    let fix = "failure_policy: FAIL_RELOAD\nreload_config:\n  backoff: {base_interval: 0.1s, max_interval: 5s}";
    let field = "failure_policy";
    let policy = config.field(field);
    let is = |value| policy.is_some_and(|policy| policy.is_value(value));
    let (code, field, problem) = if config.field("fail_open").is_some_and(Node::is_true) {
        (Code::FailOpen, "fail_open", "`fail_open` is true")
    } else if is(FAIL_OPEN) {
        (Code::FailOpen, field, "`failure_policy` is FAIL_OPEN")
    } else if !is(FAIL_RELOAD) {
        let problem = "`failure_policy` is not FAIL_RELOAD";
        (Code::FailurePolicy, field, problem)
    } else {
        return;
    };
    findings.add_field(code, config, field, problem, fix);
}

fn vm_id(root: &Node, gate: &Node, config: &Node, findings: &mut Findings) {
    let vm = config.field("vm_config").unwrap_or(config);
    let id = vm.text_of("vm_id").unwrap_or_default();
    if id.is_empty() {
        let problem = "`vm_id` is missing or empty";
        findings.add_field(Code::VmIdMissing, vm, "vm_id", problem, "vm_id: hookgate");
        return;
    }
    let services = root.items_of("bootstrap_extensions");
    let others = filters(root)
        .filter(|other| !is_gate(other))
        .chain(services);
    for other in others {
        if other.text_of("typed_config.config.vm_config.vm_id") == Some(id) {
            let name = other.text_of("name").unwrap_or("(no name)");
            let own = gate.text_of("name").unwrap_or("hookgate");
            findings.add_field(
                Code::VmIdShared,
                other,
                "typed_config.config.vm_config.vm_id",
                &format!("the plugin `{name}` has the VM ID of the gate `{own}`"),
                &format!("vm_id: {}", if name == own { "another" } else { name }),
            );
        }
    }
}

fn clear_variables(config: &Node, findings: &mut Findings) {
    let values = config.at_path("vm_config.environment_variables.key_values");
    for (name, at, _) in values.into_iter().flat_map(Node::fields) {
        findings.add(
            Code::SecretInClear,
            at,
            &format!("the environment variable `{name}` has its value in this file"),
            &format!("environment_variables:\n  host_env_keys:\n  - {name}"),
        );
    }
}

fn configuration(config: &Node, findings: &mut Findings) -> Option<Config> {
    let Some(configuration) = config.field("configuration") else {
        missing(config, findings);
        return None;
    };
    let value = configuration.field("value");
    let is_string = configuration
        .text_of("@type")
        .is_some_and(|name| name.ends_with("google.protobuf.StringValue"));
    match value {
        Some(value) if is_string && value.text().is_some() => {
            let json = value.text().unwrap_or_default();
            plugin::check(json, |inner| value.place_in_text(inner), findings)
        }
        _ => {
            findings.add(
                Code::ConfigNotString,
                configuration.at,
                "the plugin's `configuration` is not a StringValue",
                "configuration:\n  \"@type\": type.googleapis.com/google.protobuf.StringValue\n  \
                 value: |\n    {\"endpoints\": […]}",
            );
            None
        }
    }
}

fn missing(parent: &Node, findings: &mut Findings) {
    findings.add(
        Code::ConfigMissing,
        parent.at,
        "the plugin has no `configuration`",
        "copy `configuration` from envoy/envoy.yaml",
    );
}

fn variables(config: &Node, plugin: &Config, findings: &mut Findings) {
    let environment = "vm_config.environment_variables.host_env_keys";
    let passed: Vec<&str> = config
        .items_of(environment)
        .filter_map(Node::text)
        .collect();
    for endpoint in &plugin.endpoints {
        for secret in &endpoint.secrets {
            if passed.contains(&secret.env.as_str()) {
                continue;
            }
            findings.add_field(
                Code::EnvNotPassed,
                config,
                environment,
                &format!(
                    "`{}` of the endpoint `{}` is not in `host_env_keys`",
                    secret.env, endpoint.name
                ),
                &format!(
                    "environment_variables:\n  host_env_keys:\n  - {}",
                    secret.env
                ),
            );
        }
    }
}
