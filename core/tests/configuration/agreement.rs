//! The strict parser and the schema agree.

use std::collections::BTreeSet;

use boon::{Compiler, SchemaIndex, Schemas};
use hookgate_core::{
    config::{self, Config},
    metric,
};
use serde_json::{Value, json};

use crate::{
    EXAMPLE,
    place::{self, Place, spelled},
};

struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        let name = "hookgate.schema.json";
        compiler
            .add_resource(name, config::schema().to_value())
            .unwrap();
        let index = compiler.compile(name, &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn takes(&self, instance: &Value) -> bool {
        self.schemas.validate(instance, self.index).is_ok()
    }
}

fn example() -> Value {
    serde_json::from_str(EXAMPLE).unwrap()
}

fn parse(instance: &Value) -> Result<Config, String> {
    Config::from_json(instance.to_string().as_bytes()).map_err(|error| error.to_string())
}

/// Returns the example with another value at a place.
fn with(pointer: &str, value: Value) -> Value {
    let mut instance = example();
    // The longest lease, so that no bound of a time is out of its reach.
    instance["dedup"]["lease_seconds"] = json!(600);
    *instance.pointer_mut(pointer).unwrap() = value;
    instance
}

/// Returns the names that the parser says it expects.
fn expected(error: &str) -> BTreeSet<String> {
    let (_, names) = error.rsplit_once("expected ").unwrap();
    names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_field_and_every_value_of_one_is_in_the_other() {
    let root = config::schema().to_value();
    let mut objects = 0;
    for place in place::all(&root) {
        let (probe, names): (_, BTreeSet<_>) = match &place.schema["oneOf"] {
            Value::Array(variants) if place.schema.get("properties").is_none() => {
                let name = |variant: &Value| match variant["const"].as_str() {
                    Some(name) => name.to_owned(),
                    None => variant["required"][0].as_str().unwrap().to_owned(),
                };
                (json!("unheard-of"), variants.iter().map(name).collect())
            }
            _ => match place.schema["properties"].as_object() {
                Some(fields) => (json!({"unheard-of": 0}), fields.keys().cloned().collect()),
                None => continue,
            },
        };
        objects += 1;
        let error = parse(&place.alone(probe)).unwrap_err();
        assert!(error.contains("unknown"), "{}: {error}", place.name());
        assert_eq!(expected(&error), names, "{}", place.name());
    }
    assert!(objects > 20, "{objects}");
}

#[test]
fn a_list_of_values_is_no_object_for_either() {
    let root = config::schema().to_value();
    let validator = Validator::new();
    let mut objects = 0;
    for place in place::all(&root) {
        if place.schema.get("properties").is_none() {
            continue;
        }
        for pointer in place.pointers(&example()) {
            objects += 1;
            let fields = example().pointer(&pointer).unwrap().clone();
            let values = fields.as_object().unwrap().values().cloned().collect();
            let instance = with(&pointer, values);
            let error = parse(&instance).unwrap_err();
            let path = match spelled(&pointer).as_str() {
                "" => "configuration".to_owned(),
                path => path.to_owned(),
            };
            let start = format!("{path}: invalid type: sequence, expected ");
            assert!(error.starts_with(&start), "{error} ({start})");
            assert!(!validator.takes(&instance), "{pointer}");
        }
    }
    assert!(objects > 20, "{objects}");
}

#[test]
fn the_example_has_every_field_and_is_taken_by_both() {
    let root = config::schema().to_value();
    let example = example();
    parse(&example).unwrap();
    assert!(Validator::new().takes(&example));
    let places = place::all(&root);
    // One use of a definition shows its fields.
    let shown: BTreeSet<_> = places
        .iter()
        .filter(|place| !place.pointers(&example).is_empty())
        .map(|place| std::ptr::from_ref(place.used))
        .collect();
    let missing: Vec<_> = places
        .iter()
        .filter(|place| !shown.contains(&std::ptr::from_ref(place.used)))
        .map(Place::name)
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn an_absent_field_is_its_default() {
    let root = config::schema().to_value();
    let mut defaults = 0;
    for place in place::all(&root) {
        let Some(default) = place.used.get("default") else {
            continue;
        };
        for pointer in place.pointers(&example()) {
            defaults += 1;
            let stated = with(&pointer, default.clone());
            let mut absent = stated.clone();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            let parent = absent.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            parent.shift_remove(field).unwrap();
            // Where the example leaves no room for the default, both say the same.
            assert_eq!(parse(&absent), parse(&stated), "{pointer}");
        }
    }
    assert!(defaults >= 20, "{defaults}");
}

#[test]
fn numbers_have_the_bounds_that_the_parser_names() {
    let root = config::schema().to_value();
    let validator = Validator::new();
    let mut numbers = 0;
    for place in place::all(&root) {
        let bound = |name| place.schema.get(name).and_then(Value::as_u64);
        let (Some(least), Some(most)) = (bound("minimum"), bound("maximum")) else {
            continue;
        };
        for pointer in place.pointers(&example()) {
            numbers += 1;
            for beyond in [least - 1, most + 1] {
                let instance = with(&pointer, json!(beyond));
                let path = spelled(&pointer);
                let start = format!("{path}: found `{beyond}`, expected {least} to {most}");
                let error = parse(&instance).unwrap_err();
                assert!(error.starts_with(&start), "{error} ({start})");
                assert!(!validator.takes(&instance), "{path}");
            }
            for bound in [least, most] {
                assert!(validator.takes(&with(&pointer, json!(bound))), "{pointer}");
            }
        }
    }
    assert!(numbers >= 20, "{numbers}");
}

#[test]
fn lists_have_the_bounds_that_the_parser_names() {
    let root = config::schema().to_value();
    let validator = Validator::new();
    let mut lists = 0;
    for place in place::all(&root) {
        let Some(most) = place.schema["maxItems"].as_u64() else {
            continue;
        };
        let least = place.schema["minItems"].as_u64().unwrap_or(0);
        for pointer in place.pointers(&example()) {
            lists += 1;
            let item = example().pointer(&pointer).unwrap()[0].clone();
            let many = |count| Value::Array(vec![item.clone(); usize::try_from(count).unwrap()]);
            for beyond in [most + 1].into_iter().chain(least.checked_sub(1)) {
                let instance = with(&pointer, many(beyond));
                let error = parse(&instance).unwrap_err();
                let start = format!("{}: found `{beyond} ", spelled(&pointer));
                assert!(error.starts_with(&start), "{error} ({start})");
                let bounds = format!("expected {least} to {most}");
                assert!(error.contains(&bounds), "{error} ({bounds})");
                assert!(!validator.takes(&instance), "{pointer}");
            }
            assert!(validator.takes(&with(&pointer, many(most))), "{pointer}");
        }
    }
    assert!(lists >= 10, "{lists}");
}

#[test]
fn the_schema_takes_every_text_that_the_parser_takes() {
    let root = config::schema().to_value();
    let validator = Validator::new();
    let texts = [
        "", "a b", "é", "A", "_", "*", "/", "a", "a.b", "//", "/a/..", "10.0.0.1",
    ];
    let not_the_senders = [
        "ce-a",
        "x-hookgate-a",
        "x-envoy-a",
        "x-forwarded-a",
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
        "traceparent",
        "tracestate",
    ];
    let words = metric::words();
    let texts = texts.into_iter().chain(not_the_senders).chain(words);
    let texts: Vec<_> = texts.collect();
    let long = "a".repeat(300);
    let mut laxer = BTreeSet::new();
    for place in place::all(&root) {
        let kind = &place.schema["type"];
        if kind != "string" && kind[0] != "string" {
            continue;
        }
        for pointer in place.pointers(&example()) {
            for text in texts.iter().copied().chain([long.as_str()]) {
                let instance = with(&pointer, json!(text));
                match (validator.takes(&instance), parse(&instance)) {
                    (false, Ok(_)) => panic!("the schema refuses `{text}` at {pointer}"),
                    (true, Err(_)) => _ = laxer.insert(place.name()),
                    _ => {}
                }
            }
        }
    }
    // What has to be the name of another thing, a time or a range of addresses.
    let known = [
        "endpoints[].keyring",
        "endpoints[].policy.source_ranges[]",
        "endpoints[].scheme.hmac.signed[].header",
        "endpoints[].scheme.hmac.timestamp_header",
        "endpoints[].secrets[].not_after",
        "endpoints[].secrets[].not_before",
        "keyrings[].name",
    ];
    assert_eq!(laxer, known.map(str::to_owned).into());
}

/// Returns a configuration of one endpoint with some more fields, and some more
/// fields of its own.
fn small(endpoint: Value, gate: Value) -> Value {
    let mut one = json!({"name": "a", "path": "/a", "keyring": "k"});
    one.as_object_mut()
        .unwrap()
        .extend(endpoint.as_object().unwrap().clone());
    let keyrings = json!([{"name": "k", "filter_state": "k"}]);
    let mut instance = json!({"endpoints": [one], "keyrings": keyrings});
    instance
        .as_object_mut()
        .unwrap()
        .extend(gate.as_object().unwrap().clone());
    instance
}

#[test]
fn both_take_and_refuse_the_same() {
    let http = json!({"cluster": "v", "authority": "v", "path": "/v"});
    let keyring = |fields: Value| small(json!({}), json!({"keyrings": [fields]}));
    let validator = Validator::new();
    for good in [
        small(json!({}), json!({})),
        small(
            json!({"scheme": "github"}),
            json!({"pass_unknown_paths": true}),
        ),
        small(
            json!({"scheme": {"hmac": {"signature_header": "x", "encoding": "base64"}}}),
            json!({}),
        ),
        small(
            json!({"source": null, "policy": {"livemode": null}}),
            json!({}),
        ),
        small(
            json!({"keyring": null, "secrets": [{"name": "a", "env": "A"}]}),
            json!({"keyrings": []}),
        ),
        keyring(json!({"name": "k", "http": http})),
        keyring(json!({"name": "k", "http": http, "filter_state": null})),
    ] {
        parse(&good).unwrap();
        assert!(validator.takes(&good), "{good}");
    }
    for bad in [
        json!({}),
        json!([]),
        json!({"endpoints": []}),
        json!({"endpoints": [{"name": "a", "path": "/a"}]}),
        json!({"endpoints": [{"name": "a", "path": "/a", "secrets": []}]}),
        small(json!({"keyring": null}), json!({"keyrings": []})),
        small(json!({"path": "/a/../b"}), json!({})),
        small(json!({"path": "/a//b"}), json!({})),
        small(json!({"scheme": "unheard-of"}), json!({})),
        small(
            json!({"scheme": {"hmac": {"signature_header": "x"}}}),
            json!({}),
        ),
        small(json!({"scheme": {"stripe": {}}}), json!({})),
        small(json!({"quotas": {"accounts": {"burst": 5}}}), json!({})),
        small(
            json!({"policy": {"types": {"otherwise": "count"}}}),
            json!({}),
        ),
        small(json!({"policy": null}), json!({})),
        small(json!({}), json!({"dedup": {"lease_seconds": "30"}})),
        small(json!({}), json!({"dedup": {"lease_seconds": 30.5}})),
        keyring(json!({"name": "k"})),
        keyring(json!({"name": "k", "http": null})),
        keyring(json!({"name": "k", "http": http, "filter_state": "k"})),
    ] {
        parse(&bad).unwrap_err();
        assert!(!validator.takes(&bad), "{bad}");
    }
}
