//! Payloads to send: the corpus where it is, this project's own fixtures else.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::artefact;
use crate::event::{Event, fresh_id};
use crate::payload::{top_level_id, with_id};

/// One payload of the corpus.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The file that it comes from.
    pub file: PathBuf,
    /// The event, with a fresh ID where an earlier file has the same.
    pub event: Event,
}

impl Sample {
    /// Says whether this is a test event of the Dashboard, whose ID is zeros.
    #[must_use]
    pub fn is_test_event(&self) -> bool {
        let digits = self.event.id.strip_prefix("evt_").unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|digit| digit == b'0')
    }
}

/// Reads every payload of `HOOKGATE_CORPUS` (by default `../shared`), or, where
/// that is absent, the fixtures, and says so on standard error.
///
/// # Errors
/// A file can't be read or is no event.
pub fn samples() -> Result<Vec<Sample>> {
    let shared = env::var_os("HOOKGATE_CORPUS")
        .map_or_else(|| artefact::root().join("../shared"), PathBuf::from);
    let mut files = Vec::new();
    for folder in ["corpus/events", "corpus/events_derived"] {
        files.extend(json_files(&shared.join(folder)));
    }
    if files.is_empty() {
        // Written past the test runner's capture: a green run must show it too.
        writeln!(
            stderr(),
            "no corpus at `{}` (HOOKGATE_CORPUS): using host-tests/fixtures",
            shared.display()
        )?;
        files = fixture_files();
    }
    let mut seen = BTreeSet::new();
    files
        .into_iter()
        .map(|file| {
            let payload = fs::read(&file)?;
            let mut sample = Sample {
                event: Event {
                    id: top_level_id(&payload)
                        .with_context(|| format!("`{}`", file.display()))?
                        .1,
                    payload: payload.into(),
                },
                file,
            };
            if !sample.is_test_event() && !seen.insert(sample.event.id.clone()) {
                let id = fresh_id();
                sample.event.payload = with_id(&sample.event.payload, &id)?.into();
                sample.event.id = id;
            }
            Ok(sample)
        })
        .collect()
}

/// Returns this project's own payloads.
#[must_use]
pub fn fixture_files() -> Vec<PathBuf> {
    json_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"))
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixture_is_an_event_with_an_id_of_its_own() {
        let ids: BTreeSet<String> = fixture_files()
            .iter()
            .map(|file| top_level_id(&fs::read(file).unwrap()).unwrap().1)
            .collect();
        assert_eq!(ids.len(), fixture_files().len());
        assert!(ids.len() >= 4);
    }
}
