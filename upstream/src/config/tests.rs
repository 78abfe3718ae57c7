//! The commented file is the documentation: it can't differ from the types.

use super::{
    Approvals, BodyTimeout, Config, Destination, Keep, Listen, MaxBodyBytes, Queue, Replicas,
    ToleranceTime,
    expectations::MONEY,
    merged::{DEFAULT_LISTEN, DEFAULT_LOG_FORMAT, DEFAULT_METRICS},
    reconcile::Api,
    setting::{
        After, Attempts, Concurrency, CoolDown, Every, Factor, GiveUpAfter, Initial, Jitter,
        Longest, LongestCoolDown, ProbeInitial, ProbeLongest, Rate, RequestsPerSecond, Timeout,
    },
};
use crate::{
    deliver::{health::Breaking, retry::RetryPolicy},
    telemetry::LogFormat,
};

const FILE: &str = include_str!("../../../envoy/hookgate.toml");

/// A field of the file: its table, its name, its value, and what is said above.
struct Field {
    table: String,
    name: String,
    value: String,
    text: String,
}

/// Reads the fields as a person does.
fn fields() -> Vec<Field> {
    let (mut table, mut text) = (String::new(), String::new());
    let mut fields = Vec::new();
    for line in FILE.lines() {
        let setting = line.strip_prefix('#').unwrap_or(line);
        if let Some(words) = line.strip_prefix("# ") {
            text.push_str(words);
            text.push(' ');
        } else if let Some(header) = setting.strip_prefix('[') {
            table = header.trim_matches(['[', ']']).to_owned();
        } else if let Some((name, value)) = setting.split_once(" = ") {
            fields.push(Field {
                table: table.clone(),
                name: name.to_owned(),
                value: value.to_owned(),
                text: text.clone(),
            });
        } else {
            text.clear();
        }
    }
    fields
}

/// The names that a table's type has, from its own refusal of another one.
fn names_of(table: &str) -> Vec<String> {
    let minimal = "[[destinations]]\nname = \"a\"\nurl = \"http://a\"\n";
    let text = match table {
        "" => "zzz = 1\n".to_owned(),
        "destinations" => format!("{minimal}zzz = 1\n"),
        "reconcile.sources" | "console.operators" | "expectations.reporters" => {
            format!("[[{table}]]\nzzz = 1\n")
        }
        _ if table.starts_with("destinations.") => format!("{minimal}[{table}]\nzzz = 1\n"),
        _ => format!("[{table}]\nzzz = 1\n"),
    };
    let problem = Config::parse(&text).unwrap_err().problem;
    let names = problem.split('`').skip(3).step_by(2);
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn the_file_has_every_field_of_the_types_and_no_other() {
    let tables = [
        "retention",
        "telemetry",
        "review",
        "console",
        "reconcile",
        "expectations",
        "destinations",
    ];
    for table in [
        "",
        "retention",
        "telemetry",
        "review",
        "console",
        "console.operators",
        "console.proxy",
        "reconcile",
        "reconcile.sources",
        "expectations",
        "expectations.reporters",
        "destinations",
        "destinations.filter",
        "destinations.retry",
        "destinations.breaker",
    ] {
        let mut found: Vec<String> = fields()
            .into_iter()
            .filter(|field| field.table == table)
            .map(|field| field.name)
            .collect();
        if table.is_empty() {
            found.extend(tables.map(str::to_owned));
        }
        if table == "console" {
            found.extend(["operators", "proxy"].map(str::to_owned));
        }
        if table == "reconcile" {
            found.push("sources".to_owned());
        }
        if table == "expectations" {
            found.push("reporters".to_owned());
        }
        if table == "destinations" {
            found.extend(["filter", "retry", "breaker"].map(str::to_owned));
        }
        found.sort();
        assert_eq!(found, names_of(table), "[{table}]");
    }
}

#[test]
fn the_file_says_nothing_as_shipped_and_holds_with_all_its_lines() {
    let shipped = Config::parse(FILE).unwrap();
    assert_eq!(format!("{shipped:?}"), format!("{:?}", Config::default()));
    let all: String = FILE
        .lines()
        .filter(|line| !line.starts_with("# ") && *line != "#")
        .map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line)))
        // One excludes the other.
        .filter(|line| {
            ![
                "secrets = [\"shop",
                "max_body",
                "tolerance",
                "webhook_endpoint",
            ]
            .iter()
            .any(|start| line.starts_with(start))
        })
        .collect();
    let config = Config::parse(&all).unwrap();
    assert_eq!(config.destinations.len(), 1);
    assert_eq!(config.reconcile.unwrap().sources.len(), 1);
}

/// What the code says: table, field, default as the file writes it, bounds.
fn of_the_code() -> Vec<(&'static str, &'static str, Option<String>, Option<String>)> {
    fn quoted(value: impl std::fmt::Display) -> Option<String> {
        Some(format!("\"{value}\""))
    }
    macro_rules! bounds {
        ($type:ident) => {{
            use super::setting::Quantity as _;
            let bounds = $type::BOUNDS;
            Some(format!(
                "From {} to {}.",
                bounds.start().write(),
                bounds.end().write()
            ))
        }};
    }
    let Listen::At(metrics) = DEFAULT_METRICS else {
        panic!("metrics are on")
    };
    assert_eq!(DEFAULT_LOG_FORMAT, LogFormat::Text);
    let text = "name = \"a\"\nurl = \"http://a\"";
    let destination: Destination = toml::from_str(text).unwrap();
    let (retry, breaker) = (destination.retry, destination.breaker);
    vec![
        ("", "listen", quoted(DEFAULT_LISTEN), None),
        ("", "metrics", quoted(metrics), None),
        (
            "",
            "max_body_bytes",
            Some(MaxBodyBytes::default().to_string()),
            bounds!(MaxBodyBytes),
        ),
        (
            "",
            "replicas",
            Some(Replicas::default().to_string()),
            bounds!(Replicas),
        ),
        (
            "",
            "queue",
            Some(Queue::default().to_string()),
            bounds!(Queue),
        ),
        (
            "",
            "body_timeout",
            quoted(BodyTimeout::default()),
            bounds!(BodyTimeout),
        ),
        (
            "",
            "tolerance",
            quoted(ToleranceTime::default()),
            bounds!(ToleranceTime),
        ),
        ("", "log_format", quoted("text"), None),
        ("retention", "keep", None, bounds!(Keep)),
        (
            "review",
            "approvals",
            Some(Approvals::default().to_string()),
            bounds!(Approvals),
        ),
        ("console", "local_reading", quoted("open"), None),
        (
            "reconcile",
            "requests_per_second",
            Some(RequestsPerSecond::default().to_string()),
            bounds!(RequestsPerSecond),
        ),
        (
            "reconcile",
            "every",
            quoted(Every::default()),
            bounds!(Every),
        ),
        ("reconcile", "api", quoted(Api::default().0), None),
        ("expectations", "review", Some(format!("{MONEY:?}")), None),
        ("destinations", "from", quoted(destination.from), None),
        (
            "destinations",
            "concurrency",
            Some(destination.concurrency.to_string()),
            bounds!(Concurrency),
        ),
        ("destinations", "rate", None, bounds!(Rate)),
        (
            "destinations",
            "timeout",
            quoted(destination.timeout),
            bounds!(Timeout),
        ),
        ("destinations", "order", quoted("none"), None),
        (
            "destinations.retry",
            "initial",
            quoted(retry.initial),
            bounds!(Initial),
        ),
        (
            "destinations.retry",
            "factor",
            Some(retry.factor.to_string()),
            bounds!(Factor),
        ),
        (
            "destinations.retry",
            "longest",
            quoted(retry.longest),
            bounds!(Longest),
        ),
        (
            "destinations.retry",
            "jitter",
            Some(retry.jitter.to_string()),
            bounds!(Jitter),
        ),
        ("destinations.retry", "attempts", None, bounds!(Attempts)),
        (
            "destinations.retry",
            "give_up_after",
            quoted(retry.give_up_after),
            bounds!(GiveUpAfter),
        ),
        (
            "destinations.retry",
            "cool_down",
            quoted(retry.cool_down),
            bounds!(CoolDown),
        ),
        (
            "destinations.retry",
            "longest_cool_down",
            quoted(retry.longest_cool_down),
            bounds!(LongestCoolDown),
        ),
        (
            "destinations.breaker",
            "after",
            Some(breaker.after.to_string()),
            bounds!(After),
        ),
        (
            "destinations.breaker",
            "initial",
            quoted(breaker.initial),
            bounds!(ProbeInitial),
        ),
        (
            "destinations.breaker",
            "longest",
            quoted(breaker.longest),
            bounds!(ProbeLongest),
        ),
    ]
}

#[test]
fn each_default_and_bound_of_the_file_is_the_code_s() {
    let code = of_the_code();
    for field in fields() {
        let name = format!("[{}] {}", field.table, field.name);
        let found = code
            .iter()
            .find(|(table, name, ..)| *table == field.table && *name == field.name);
        let (default, bounds) = found.map_or((None, None), |(_, _, default, bounds)| {
            (default.as_ref(), bounds.as_ref())
        });
        match default {
            Some(default) => {
                assert!(field.text.contains("Default: as here."), "{name}");
                assert_eq!(&field.value, default, "{name}");
            }
            None => assert!(
                field.text.contains("Default: none") || field.text.contains("Required."),
                "{name}"
            ),
        }
        match bounds {
            Some(bounds) => assert!(field.text.contains(bounds), "{name}: {bounds}"),
            None => assert!(!field.text.contains("From "), "{name}"),
        }
    }
}

#[test]
fn retries_as_the_policy_does_that_nobody_set() {
    let text = "name = \"a\"\nurl = \"http://a\"";
    let destination: Destination = toml::from_str(text).unwrap();
    let loaded = destination.load().unwrap();
    assert_eq!(loaded.retry, RetryPolicy::default());
    assert_eq!(loaded.breaking, Breaking::default());
}
