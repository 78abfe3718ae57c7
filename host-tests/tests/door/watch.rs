//! Rules, dashboard and the operations page name only what there is to watch,
//! and all of it.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use hookgate_core::metric::{Family, Kind};
use hookgate_core::outcome::Outcome;
use hookgate_host_tests::artefact;
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::promql::{self, Selector};

use crate::{assert_stored, on_sqlite};

const RULES: &str = "envoy/prometheus/hookgate.rules.yaml";
const UNIT_TESTS: &str = "envoy/prometheus/hookgate.rules.test.yaml";
const DASHBOARD: &str = "envoy/grafana/hookgate.json";
const PAGE: &str = "docs/operations.md";

/// Labels that Prometheus, its rules or Envoy add.
const OTHERS: [&str; 8] = [
    "job",
    "instance",
    "le",
    "alertname",
    "alertstate",
    "severity",
    "envoy_cluster_name",
    "envoy_response_code_class",
];

fn read(file: &str) -> Result<String> {
    fs::read_to_string(artefact::root().join(file)).with_context(|| file.to_owned())
}

/// Finds the family that a metric is a series of.
fn family(metric: &str) -> Option<&'static Family> {
    Family::ALL.iter().find(|family| match family.kind {
        Kind::Histogram => metric
            .strip_prefix(family.name)
            .is_some_and(|rest| matches!(rest, "" | "_bucket" | "_sum" | "_count")),
        Kind::Counter | Kind::Gauge => metric == family.name,
    })
}

/// Says whether a delivery can end so; of other labels anything can be a value.
fn occurs(label: &str, value: &str) -> bool {
    let stem = value.strip_suffix(".+");
    let fits = |known: &str| stem.map_or(known == value, |stem| known.starts_with(stem));
    match label {
        "outcome" => Outcome::all().any(|outcome| fits(outcome.as_str())),
        "reason" => Outcome::all().any(|outcome| fits(outcome.reason())),
        _ => true,
    }
}

/// Names everything of the door's that a text asks for and the door doesn't have.
fn strangers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for Selector { metric, matchers } in promql::selectors(text, "hookgate_") {
        let Some(family) = family(&metric) else {
            found.push(metric);
            continue;
        };
        for (label, value) in matchers {
            if !family.labels.contains(&label.as_str()) && !OTHERS.contains(&label.as_str()) {
                found.push(format!("{metric}{{{label}}}"));
            }
            found.extend(
                value
                    .split('|')
                    .filter(|one| !occurs(&label, one))
                    .map(|one| format!("{metric}{{{label}=\"{one}\"}}")),
            );
        }
    }
    let known: BTreeSet<&str> = Family::ALL
        .iter()
        .flat_map(|family| family.labels)
        .copied()
        .chain(OTHERS)
        .collect();
    let labels = promql::grouping_labels(text);
    found.extend(labels.into_iter().filter(|l| !known.contains(l.as_str())));
    found
}

#[test]
fn rules_and_dashboard_ask_only_for_what_is_counted() -> Result<()> {
    for file in [RULES, UNIT_TESTS, DASHBOARD] {
        let text = read(file)?;
        assert!(!promql::selectors(&text, "hookgate_").is_empty(), "{file}");
        assert_eq!(strangers(&text), Vec::<String>::new(), "{file}");
    }
    Ok(())
}

#[test]
fn dashboard_and_page_show_everything_that_is_counted() -> Result<()> {
    let (dashboard, page) = (read(DASHBOARD)?, read(PAGE)?);
    let asked = promql::selectors(&dashboard, "hookgate_");
    for family_of in Family::ALL {
        let name = family_of.name;
        assert!(
            asked.iter().any(|s| family(&s.metric) == Some(family_of)),
            "{name} is not on the dashboard"
        );
        let row = format!("| `{name}` | {} |", family_of.labels.join(", "));
        assert!(page.contains(&row), "{PAGE} has no row {row}");
    }
    Ok(())
}

#[test]
fn names_what_is_not_counted() {
    let text = r#"hookgate_recieved + hookgate_received{secret="a"} + sum by (reson) (x)
        + hookgate_deliveries{outcome=~"refused|rejected", reason=~"signature_.+|sign_.+"}"#;
    assert_eq!(
        strangers(text),
        [
            r#"hookgate_deliveries{outcome="rejected"}"#,
            r#"hookgate_deliveries{reason="sign_.+"}"#,
            "hookgate_received{secret}",
            "hookgate_recieved",
            "reson"
        ]
    );
}

#[tokio::test]
async fn envoy_has_every_figure_of_its_own_that_is_asked_for() -> Result<()> {
    let (envoy, _upstream) = on_sqlite().await?;
    assert_stored(&envoy.send(PLATFORM.deliver(&Event::fresh()?)?).await?);
    let page = envoy.admin().page("/stats/prometheus").await?;
    let shown = promql::selectors(&page, "envoy_");
    for file in [RULES, DASHBOARD] {
        for Selector { metric, matchers } in promql::selectors(&read(file)?, "envoy_") {
            // A label of Envoy's, not a metric.
            if OTHERS.contains(&metric.as_str()) || metric == "envoy_http_conn_manager_prefix" {
                continue;
            }
            let wanted = matchers.iter().filter(|(label, _)| label != "instance");
            let wanted: Vec<_> = wanted.collect();
            assert!(
                shown.iter().any(|line| line.metric == metric
                    && wanted.iter().all(|label| line.matchers.contains(label))),
                "{file}: {metric}{wanted:?}"
            );
        }
    }
    Ok(())
}
