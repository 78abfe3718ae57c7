//! Finds in queries, rules and dashboards which metrics and labels they name.
//!
//! Not a parser: promtool says whether a query is one. This reads text of any
//! kind for what looks like a metric, its matchers, a grouping or a template.

use std::collections::BTreeSet;

/// A metric where it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// The metric.
    pub metric: String,
    /// Labels of its matchers with what they are held against.
    pub matchers: Vec<(String, String)>,
}

/// Finds every metric that starts with `prefix`, with its matchers.
#[must_use]
pub fn selectors(text: &str, prefix: &str) -> BTreeSet<Selector> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(prefix) {
        let (before, rest) = text.split_at(at);
        if before.ends_with(|c: char| is_name(c) || matches!(c, '.' | '/' | '$')) {
            continue;
        }
        let (metric, rest) = name(rest);
        // A recorded name is none of the door's; a word in a sentence is no metric.
        if metric == prefix || rest.starts_with(':') {
            continue;
        }
        found.insert(Selector {
            metric: metric.to_owned(),
            matchers: rest.strip_prefix('{').map(matchers).unwrap_or_default(),
        });
    }
    found
}

/// Finds every label that results are grouped by or shown by.
#[must_use]
pub fn grouping_labels(text: &str) -> BTreeSet<String> {
    let lists = ["by (", "without (", "on (", "ignoring ("]
        .into_iter()
        .flat_map(|word| text.split(word).skip(1))
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .flat_map(|list| list.split(','));
    let shown = ["$labels.", "{{"]
        .into_iter()
        .flat_map(|mark| text.split(mark).skip(1))
        .map(|rest| name(rest).0);
    lists
        .map(str::trim)
        .chain(shown)
        .filter(|label| !label.is_empty() && label.chars().all(is_name))
        .map(str::to_owned)
        .collect()
}

fn matchers(list: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = list.trim_start();
    while !rest.starts_with('}') {
        let (label, after) = name(rest);
        // In JSON the quotes of a query are escaped.
        let value = after
            .trim_start_matches(['=', '!', '~', '\\'])
            .strip_prefix('"');
        let Some((value, after)) = value.and_then(|value| value.split_once('"')) else {
            break;
        };
        found.push((label.to_owned(), value.trim_end_matches('\\').to_owned()));
        rest = after.trim_start_matches([',', ' ', '\n']);
    }
    found
}

fn name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_metrics_with_their_matchers() {
        let text = r#"rate(gate_a{x="1", y=~\"b|c\"}[5m]) / gate_b, gate:c:sum, $gate_d, gate_"#;
        let pair = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        let expected = BTreeSet::from([
            Selector {
                metric: "gate_a".to_owned(),
                matchers: vec![pair("x", "1"), pair("y", "b|c")],
            },
            Selector {
                metric: "gate_b".to_owned(),
                matchers: Vec::new(),
            },
        ]);
        assert_eq!(selectors(text, "gate_"), expected);
    }

    #[test]
    fn finds_labels_that_group_and_show() {
        let text = "sum by (a, b) (x) - ignoring (c) y {{d}} {{e}} f {{ $labels.g }}";
        let expected = ["a", "b", "c", "d", "e", "g"].map(str::to_owned);
        assert_eq!(grouping_labels(text), BTreeSet::from(expected));
    }
}
