//! The Grafana dashboard.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{promtool, read};

pub(crate) const FILE: &str = "envoy/grafana/hookgate.json";

fn dashboard() -> Result<Value> {
    Ok(serde_json::from_str(&read(FILE)?)?)
}

fn list<'a>(value: &'a Value, at: &str) -> &'a [Value] {
    value
        .pointer(at)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value
        .pointer(at)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Puts into a query what Grafana would put into it.
fn filled(expr: &str) -> String {
    expr.replace("$__rate_interval", "1m")
        .replace("$instance", ".*")
        .replace("$endpoint", ".*")
}

/// Finds the queries of the panels, by the panel's title.
fn queries(dashboard: &Value) -> Vec<(&str, &str)> {
    list(dashboard, "/panels")
        .iter()
        .flat_map(|panel| {
            let targets = list(panel, "/targets").iter();
            targets.map(|target| (text(panel, "/title"), text(target, "/expr")))
        })
        .collect()
}

/// Writes the queries as recording rules, which promtool can check.
fn as_rules(queries: &[(&str, &str)]) -> Result<String> {
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, (_, expr)) in queries.iter().enumerate() {
        let expr = serde_json::to_string(&filled(expr))?;
        writeln!(rules, "  - {{record: panel_{number}, expr: {expr}}}")?;
    }
    Ok(rules)
}

#[test]
fn promtool_accepts_every_query() -> Result<()> {
    let dashboard = dashboard()?;
    let queries = queries(&dashboard);
    assert!(queries.len() > 30, "{queries:?}");
    for (panel, expr) in &queries {
        assert!(!expr.is_empty(), "{panel}");
        assert!(!filled(expr).contains('$'), "{panel}: {expr}");
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), as_rules(&queries)?)?;
    promtool::run(&["check", "rules"], file.path())
}

#[test]
fn every_panel_asks_the_chosen_data_source() -> Result<()> {
    let dashboard = dashboard()?;
    let variables: Vec<&str> = list(&dashboard, "/templating/list")
        .iter()
        .map(|variable| text(variable, "/name"))
        .collect();
    assert_eq!(variables, ["datasource", "instance", "endpoint"]);
    for panel in list(&dashboard, "/panels") {
        if text(panel, "/type") == "row" {
            continue;
        }
        let title = text(panel, "/title");
        let targets = list(panel, "/targets");
        assert!(!targets.is_empty(), "{title}");
        for asker in targets.iter().chain([panel]) {
            assert_eq!(text(asker, "/datasource/uid"), "${datasource}", "{title}");
        }
    }
    Ok(())
}

#[test]
fn it_can_be_imported_anywhere() -> Result<()> {
    let dashboard = dashboard()?;
    assert_eq!(dashboard.get("id"), Some(&Value::Null));
    assert!(dashboard.get("schemaVersion").and_then(Value::as_u64) >= Some(39));
    let text = read(FILE)?;
    for host in ["http://", "https://", "localhost", "127.0.0.1"] {
        assert!(!text.contains(host), "{host}");
    }
    Ok(())
}

#[test]
fn no_two_panels_share_an_id_or_a_place() -> Result<()> {
    let dashboard = dashboard()?;
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in list(&dashboard, "/panels") {
        let title = text(panel, "/title");
        let number = |at: &str| {
            let number = panel.pointer(at).and_then(Value::as_u64);
            number.with_context(|| format!("{title}: {at}"))
        };
        assert!(ids.insert(number("/id")?), "{title}");
        let (x, y) = (number("/gridPos/x")?, number("/gridPos/y")?);
        let (w, h) = (number("/gridPos/w")?, number("/gridPos/h")?);
        assert!(x + w <= 24, "{title}");
        for column in x..x + w {
            for line in y..y + h {
                assert!(places.insert((column, line)), "{title}");
            }
        }
    }
    Ok(())
}
