//! What a comparison found, by type.

use std::{collections::BTreeMap, io};

use comfy_table::{Table, presets};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::round::Round;

/// Counts events. Written down with the round, so that a round that goes on in
/// another process reports the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    by_type: BTreeMap<String, Count>,
    /// Listed, and meant for no source.
    ignored: u64,
    /// Listed, and no event as Stripe documents them.
    unreadable: u64,
    requests: u64,
}

/// Counts the events of one type, once for each source that they are meant for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    /// Stripe has them.
    pub(crate) seen: u64,
    /// The log had them.
    pub(crate) present: u64,
    /// The log lacked them.
    pub(crate) missing: u64,
    /// The log has them now.
    pub(crate) appended: u64,
}

/// Says what became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The log has it.
    Present,
    /// The log lacks it.
    Missing,
    /// The log lacked it, and has it now.
    Appended,
}

impl Count {
    const fn add(&mut self, other: Self) {
        self.seen += other.seen;
        self.present += other.present;
        self.missing += other.missing;
        self.appended += other.appended;
    }
}

impl Tally {
    /// Counts an event.
    pub(crate) fn found(&mut self, type_name: &str, found: Found) {
        let count = self.by_type.entry(type_name.to_owned()).or_default();
        count.seen += 1;
        match found {
            Found::Present => count.present += 1,
            Found::Missing => count.missing += 1,
            Found::Appended => {
                count.missing += 1;
                count.appended += 1;
            }
        }
    }

    /// Counts an event that is meant for no source.
    pub(crate) const fn ignored(&mut self) {
        self.ignored += 1;
    }

    /// Counts something that is no event.
    pub(crate) const fn unreadable(&mut self) {
        self.unreadable += 1;
    }

    /// Counts a request.
    pub(crate) const fn requested(&mut self) {
        self.requests += 1;
    }

    /// Adds what another one counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (name, more) in &other.by_type {
            self.by_type.entry(name.clone()).or_default().add(*more);
        }
        self.ignored += other.ignored;
        self.unreadable += other.unreadable;
        self.requests += other.requests;
    }

    /// Returns how many events were meant for no source.
    pub(crate) const fn not_wanted(&self) -> u64 {
        self.ignored
    }

    /// Returns the sum over all types.
    pub(crate) fn total(&self) -> Count {
        let mut total = Count::default();
        for count in self.by_type.values() {
            total.add(*count);
        }
        total
    }

    /// Returns the types of which the log lacked something.
    pub(crate) fn missing(&self) -> Vec<(String, Count)> {
        let lacked = self.by_type.iter().filter(|(_, count)| count.missing > 0);
        lacked.map(|(name, count)| (name.clone(), *count)).collect()
    }

    /// Writes the report as one JSON object.
    pub(crate) fn json(&self, round: &Round) -> Value {
        let Count {
            seen,
            present,
            missing,
            appended,
        } = self.total();
        json!({
            "until": round.until().to_string(),
            "accounts": round.size(),
            "gone": round.lost(),
            "requests": self.requests,
            "seen": seen,
            "present": present,
            "missing": missing,
            "appended": appended,
            "ignored": self.ignored,
            "unreadable": self.unreadable,
            "by_type": self.by_type,
        })
    }

    /// Writes the report for people.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn print(&self, round: &Round, out: &mut impl io::Write) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["TYPE", "SEEN", "PRESENT", "MISSING", "APPENDED"]);
        let rows = self
            .by_type
            .iter()
            .map(|(name, count)| (name.as_str(), *count));
        for (name, count) in rows.chain([("all", self.total())]) {
            let numbers = [count.seen, count.present, count.missing, count.appended];
            let numbers = numbers.map(|number| number.to_string());
            table.add_row([name.to_owned()].into_iter().chain(numbers));
        }
        writeln!(out, "{table}")?;
        writeln!(
            out,
            "{} accounts until {}, {} requests; {} events meant for no source",
            round.size(),
            round.until(),
            self.requests,
            self.ignored
        )?;
        if self.unreadable > 0 {
            writeln!(out, "{} events could not be read", self.unreadable)?;
        }
        for account in round.lost() {
            writeln!(
                out,
                "skipped {account}: the API key has no access to it any more"
            )?;
        }
        Ok(())
    }
}
