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

/// One metric of the gate or of its upstream.
struct Figure {
    name: String,
    labels: Vec<String>,
    /// What a series of it may have behind its name.
    suffixes: &'static [&'static str],
}

const HISTOGRAM: &[&str] = &["", "_bucket", "_sum", "_count"];

/// Everything that is counted, and how it can come out.
struct Counted {
    figures: Vec<Figure>,
    page: String,
}

impl Counted {
    /// Reads the gate's from its core, and the upstream's from the page, which the
    /// upstream's own tests hold to what it serves.
    fn read() -> Result<Self> {
        let page = read(PAGE)?;
        let mut figures: Vec<Figure> = Family::ALL.iter().map(of_gate).collect();
        let (_, table) = page.split_once("### The upstream's").context(PAGE)?;
        let table = table.split("\n#").next().unwrap_or_default();
        figures.extend(table.lines().filter_map(of_upstream));
        Ok(Self { figures, page })
    }

    /// Finds the figure that a metric is a series of.
    fn figure(&self, metric: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| {
            let rest = metric.strip_prefix(figure.name.as_str());
            rest.is_some_and(|rest| figure.suffixes.contains(&rest))
        })
    }

    /// Says whether something can end so; of other labels anything can be a value.
    fn occurs(&self, label: &str, value: &str) -> bool {
        let stem = value.strip_suffix(".+");
        let fits = |known: &str| stem.map_or(known == value, |stem| known.starts_with(stem));
        match label {
            "outcome" => {
                Outcome::all().any(|outcome| fits(outcome.as_str()))
                    || self.page.contains(&format!("\n| `{value}` | "))
            }
            "reason" => Outcome::all().any(|outcome| fits(outcome.reason())),
            _ => true,
        }
    }

    /// Names everything that a text asks for and nobody counts.
    fn strangers(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for Selector { metric, matchers } in promql::selectors(text, "hookgate_") {
            let Some(figure) = self.figure(&metric) else {
                found.push(metric);
                continue;
            };
            for (label, value) in matchers {
                if !figure.labels.contains(&label) && !OTHERS.contains(&label.as_str()) {
                    found.push(format!("{metric}{{{label}}}"));
                }
                found.extend(
                    value
                        .split('|')
                        .filter(|one| !self.occurs(&label, one))
                        .map(|one| format!("{metric}{{{label}=\"{one}\"}}")),
                );
            }
        }
        let labels = self.figures.iter().flat_map(|figure| &figure.labels);
        let known: BTreeSet<&str> = labels.map(String::as_str).chain(OTHERS).collect();
        let labels = promql::grouping_labels(text);
        found.extend(labels.into_iter().filter(|l| !known.contains(l.as_str())));
        found
    }
}

fn of_gate(family: &Family) -> Figure {
    Figure {
        name: family.name.to_owned(),
        labels: family
            .labels
            .iter()
            .map(|label| (*label).to_owned())
            .collect(),
        suffixes: match family.kind {
            Kind::Histogram => HISTOGRAM,
            Kind::Counter | Kind::Gauge => &[""],
        },
    }
}

/// Reads a row of the upstream's table.
fn of_upstream(row: &str) -> Option<Figure> {
    let mut cells = row.strip_prefix("| `hookgate_")?.split('|').map(str::trim);
    let name = cells.next()?.strip_suffix('`')?;
    let labels = cells.next()?.split(", ").filter(|label| !label.is_empty());
    let labels = labels.map(str::to_owned).collect();
    let is_histogram = cells.next()?.starts_with("histogram:");
    Some(Figure {
        name: format!("hookgate_{name}"),
        labels,
        suffixes: if is_histogram { HISTOGRAM } else { &[""] },
    })
}

#[test]
fn rules_and_dashboard_ask_only_for_what_is_counted() -> Result<()> {
    let counted = Counted::read()?;
    for file in [RULES, UNIT_TESTS, DASHBOARD] {
        let text = read(file)?;
        assert!(!promql::selectors(&text, "hookgate_").is_empty(), "{file}");
        assert_eq!(counted.strangers(&text), Vec::<String>::new(), "{file}");
    }
    Ok(())
}

#[test]
fn dashboard_and_page_show_everything_that_is_counted() -> Result<()> {
    let (counted, dashboard) = (Counted::read()?, read(DASHBOARD)?);
    let asked = promql::selectors(&dashboard, "hookgate_");
    assert!(counted.figures.len() > Family::ALL.len() + 5);
    for Figure { name, labels, .. } in &counted.figures {
        let shown = |s: &Selector| counted.figure(&s.metric).is_some_and(|f| f.name == *name);
        assert!(asked.iter().any(shown), "{name} is not on the dashboard");
        let row = format!("| `{name}` | {} |", labels.join(", "));
        assert!(counted.page.contains(&row), "{PAGE} has no row {row}");
    }
    Ok(())
}

#[test]
fn names_what_is_not_counted() -> Result<()> {
    let text = r#"hookgate_recieved + hookgate_received{secret="a"} + sum by (reson) (x)
        + hookgate_deliveries{outcome=~"refused|rejected", reason=~"signature_.+|sign_.+"}
        + hookgate_attempts_total{outcome="timed_out", endpoint="a"} + hookgate_review_bucket"#;
    assert_eq!(
        Counted::read()?.strangers(text),
        [
            "hookgate_attempts_total{endpoint}",
            r#"hookgate_deliveries{outcome="rejected"}"#,
            r#"hookgate_deliveries{reason="sign_.+"}"#,
            "hookgate_received{secret}",
            "hookgate_recieved",
            "hookgate_review_bucket",
            "reson"
        ]
    );
    Ok(())
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
