//! The README's tables say what the types say.

use std::collections::BTreeSet;

use hookgate_core::reply::Code;

const README: &str = include_str!("../../README.md");

/// Answers in the table that others than the gate make.
const NOT_THE_GATES: [&str; 2] = ["stored", "bad_request"];

fn rows(header: &str) -> Vec<Vec<&'static str>> {
    README
        .lines()
        .skip_while(|line| !line.starts_with(header))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn the_table_of_answers_is_the_codes() {
    let listed: BTreeSet<_> = rows("| status | code |")
        .iter()
        .map(|row| (row[0].to_owned(), row[1].trim_matches('`').to_owned()))
        .filter(|(_, code)| !NOT_THE_GATES.contains(&code.as_str()))
        .collect();
    let codes: BTreeSet<_> = Code::ALL
        .iter()
        .map(|code| (code.status().to_string(), code.as_str().to_owned()))
        .collect();
    assert_eq!(listed, codes);
}
