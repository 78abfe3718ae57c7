//! What is wrong with a configuration, where, and what to do about it.

mod code;

pub(super) use code::{Code, Severity};

use super::document::{Node, Position};

/// Says one thing about one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What kind of thing.
    pub(super) code: Code,
    /// Where.
    pub(super) at: Position,
    /// What is wrong there.
    pub(super) problem: String,
    /// What to write instead, to paste where it can be.
    pub(super) fix: String,
}

/// Collects findings, each once: an aliased part of a file is read several times.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding about a place. Whatever looks like a secret is cut.
    pub(super) fn add(&mut self, code: Code, at: Position, problem: &str, fix: &str) {
        let finding = Finding {
            code,
            at,
            problem: redact(problem),
            fix: redact(fix),
        };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Adds a finding about a field: where it stands, or else where it should.
    pub(super) fn add_field(
        &mut self,
        code: Code,
        parent: &Node,
        field: &str,
        problem: &str,
        fix: &str,
    ) {
        let at = parent.at_path(field).map_or(parent.at, |node| node.at);
        self.add(code, at, problem, fix);
    }

    /// Tells how many findings are of a severity.
    pub(super) fn count(&self, severity: Severity) -> usize {
        let of_it = |finding: &&Finding| finding.code.severity() == severity;
        self.0.iter().filter(of_it).count()
    }

    /// Returns the findings in the order of the file.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.0
            .sort_by_key(|finding| (finding.at, finding.code.severity()));
        self.0
    }
}

/// How every signing secret of Stripe and of Standard Webhooks starts.
const SECRET_PREFIX: &str = "whsec_";

/// Finds signing secrets in clear, wherever they stand in a file.
pub(super) fn secrets_in_clear(text: &str, findings: &mut Findings) {
    for (line, content) in (1..).zip(text.lines()) {
        for (start, _) in content.match_indices(SECRET_PREFIX) {
            let (before, found) = content.split_at_checked(start).unwrap_or_default();
            let rest = found.strip_prefix(SECRET_PREFIX).unwrap_or_default();
            // Without more it is the prefix that somebody writes about.
            if rest.starts_with(is_of_secret) {
                let column = before.chars().count() + 1;
                findings.add(
                    Code::SecretInClear,
                    Position { line, column },
                    "a signing secret stands here in clear",
                    "take it out, roll it in the sender's dashboard, and name a keyring or an \
                     environment variable instead: `{\"name\": \"primary\", \"env\": \"STRIPE_WEBHOOK_SECRET\"}`",
                );
            }
        }
    }
}

const fn is_of_secret(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '+' | '/' | '=')
}

fn redact(text: &str) -> String {
    let mut parts = text.split(SECRET_PREFIX);
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        redacted.push_str("whsec_…");
        redacted.push_str(
            part.trim_start_matches(is_of_secret)
                .trim_start_matches('…'),
        );
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::{Findings, Position, redact, secrets_in_clear};

    #[test]
    fn finds_every_secret_and_no_mention_of_one() {
        let mut findings = Findings::default();
        let text =
            "# `whsec_` begins each, whsec_… and whsec_...\na: whsec_abc\n# ä whsec_x whsec_y";
        secrets_in_clear(text, &mut findings);
        let places: Vec<Position> = findings.sorted().iter().map(|found| found.at).collect();
        let expected = [(2, 4), (3, 5), (3, 13)].map(|(line, column)| Position { line, column });
        assert_eq!(places, expected);
    }

    #[test]
    fn cuts_secrets() {
        assert_eq!(
            redact("found `whsec_a+b/c=`, whsec_… x"),
            "found `whsec_…`, whsec_… x"
        );
    }
}
