//! The recording and alert rules, their unit tests, and the sections about them.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use crate::{path, promtool, read};

const RULES: &str = "envoy/prometheus/hookgate.rules.yaml";
const TESTS: &str = "envoy/prometheus/hookgate.rules.test.yaml";
const PAGE: &str = "docs/operations.md";

/// One alert rule, as far as it stands one field a line.
#[derive(Debug)]
struct Alert<'a> {
    name: &'a str,
    text: &'a str,
}

impl<'a> Alert<'a> {
    /// Finds every alert of a rule file.
    fn all(rules: &'a str) -> Vec<Self> {
        rules
            .split("- alert: ")
            .skip(1)
            .filter_map(|text| {
                let name = text.lines().next()?.trim();
                Some(Self { name, text })
            })
            .collect()
    }

    fn field(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.text.lines().map(str::trim);
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

fn recorded(rules: &str) -> BTreeSet<&str> {
    let lines = rules.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix("- record: "))
        .collect()
}

/// Returns the anchors of a page's headings, as they are made on the web.
fn anchors(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// Names what an operator who gets one of these alerts would miss.
fn shortcomings(rules: &str, page: &str) -> Vec<String> {
    let anchors = anchors(page);
    let mut found = Vec::new();
    for alert in Alert::all(rules) {
        let name = alert.name;
        let severity = alert.field("labels").unwrap_or_default();
        if !["info", "warning", "critical"]
            .iter()
            .any(|known| severity == format!("{{severity: {known}}}"))
        {
            found.push(format!("{name} has no severity"));
        }
        for annotation in ["summary", "description"] {
            if alert.field(annotation).is_none_or(|text| text.len() < 20) {
                found.push(format!("{name} has no {annotation}"));
            }
        }
        let anchor = name.to_lowercase();
        if alert.field("runbook_url") != Some(&format!("{PAGE}#{anchor}")) {
            found.push(format!("{name} doesn't point at its section"));
        }
        if !anchors.contains(&anchor) {
            found.push(format!("{PAGE} has no section {name}"));
        }
    }
    found
}

/// Names every rule that no unit test asserts.
fn untested(rules: &str, tests: &str) -> Vec<String> {
    let alerts = Alert::all(rules).into_iter().map(|alert| {
        let name = alert.name;
        (name, format!("ALERTS{{alertname=\"{name}\""))
    });
    let records = recorded(rules).into_iter().map(|name| {
        // Asserted by its name, or by what is computed of it.
        (name, name.to_owned())
    });
    alerts
        .chain(records)
        .filter(|(_, mark)| !tests.contains(mark.as_str()))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn promtool_accepts_the_rules_and_the_scrape_example() -> Result<()> {
    promtool::run(&["check", "rules"], &path(RULES))?;
    let example = path("envoy/prometheus/prometheus.yaml");
    promtool::run(&["check", "config"], &example)
}

#[test]
fn alerts_fire_when_they_should_and_only_then() -> Result<()> {
    promtool::run(&["test", "rules"], &path(TESTS))
}

#[test]
fn every_rule_has_a_unit_test() -> Result<()> {
    let (rules, tests) = (read(RULES)?, read(TESTS)?);
    assert!(Alert::all(&rules).len() > 15);
    assert_eq!(untested(&rules, &tests), Vec::<String>::new());
    Ok(())
}

#[test]
fn every_alert_says_what_is_wrong_and_has_its_section() -> Result<()> {
    assert_eq!(
        shortcomings(&read(RULES)?, &read(PAGE)?),
        Vec::<String>::new()
    );
    Ok(())
}

#[test]
fn every_section_about_an_alert_has_its_alert() -> Result<()> {
    let (rules, page) = (read(RULES)?, read(PAGE)?);
    let alerts: BTreeSet<&str> = Alert::all(&rules).iter().map(|alert| alert.name).collect();
    let sections = page
        .lines()
        .filter_map(|line| line.strip_prefix("### Hookgate"))
        .map(|rest| format!("Hookgate{rest}"));
    for section in sections {
        assert!(alerts.contains(section.as_str()), "{section}");
    }
    Ok(())
}

#[test]
fn every_link_of_the_page_leads_somewhere() -> Result<()> {
    let page = read(PAGE)?;
    let anchors = anchors(&page);
    let links: Vec<&str> = page
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        match link.split_once('#') {
            Some(("", anchor)) => assert!(anchors.contains(anchor), "{link}"),
            Some((page, anchor)) => {
                let other = read(&format!("docs/{page}"))?;
                assert!(self::anchors(&other).contains(anchor), "{link}");
            }
            None => assert!(path("docs").join(link).exists(), "{link}"),
        }
    }
    Ok(())
}

#[test]
fn every_recorded_name_that_is_used_is_recorded() -> Result<()> {
    let rules = read(RULES)?;
    let recorded = recorded(&rules);
    for file in [RULES, TESTS, crate::dashboard::FILE] {
        let text = read(file)?;
        for (at, _) in text.match_indices("hookgate:") {
            let rest = text.get(at..).context("a boundary")?;
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, ':' | '_'));
            let name = rest.split_at(end.unwrap_or(rest.len())).0;
            assert!(recorded.contains(name), "{file}: {name}");
        }
    }
    Ok(())
}

#[test]
fn names_what_an_alert_lacks() {
    let rule = "- alert: A\n  expr: x\n  labels: {severity: loud}\n  annotations:\n    summary: s\n    runbook_url: elsewhere\n";
    assert_eq!(
        shortcomings(rule, "# B"),
        [
            "A has no severity",
            "A has no summary",
            "A has no description",
            "A doesn't point at its section",
            "docs/operations.md has no section A"
        ]
    );
    assert_eq!(
        untested(
            &format!("{rule}- record: x:sum\n"),
            "ALERTS{alertname=\"B\""
        ),
        ["A", "x:sum"]
    );
}
