//! Events to sign.

use std::{env, fs, io::Write as _, path::PathBuf};

use hookgate_core::time::Timestamp;

use crate::json::Json;

/// Fewest events that are made of the fixtures where there is no corpus.
const FEWEST: usize = 160;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Two spaces, `id` and `object` first, the rest by name: as Stripe writes.
    AsStripeSends,
    /// As the file is.
    AsKept,
}

pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) json: Json,
    pub(crate) payload: Vec<u8>,
    /// When it is signed, in unix seconds.
    pub(crate) signed_at: u64,
    /// Different for each.
    pub(crate) number: usize,
}

pub(crate) fn all(form: Form) -> Vec<Event> {
    let files = files();
    let rounds = FEWEST.div_ceil(files.len());
    let mut events = Vec::new();
    for round in 0..rounds {
        for file in &files {
            let text = fs::read(file).unwrap();
            let mut json = Json::read(&text);
            let mut payload = text;
            if round > 0 {
                json.describe(&format!("round {round}"));
            }
            match form {
                Form::AsStripeSends => {
                    json = json.ordered_by_stripe();
                    payload = json.pretty("  ");
                }
                Form::AsKept if round > 0 => payload = json.pretty("  "),
                Form::AsKept => {}
            }
            let number = events.len();
            let created = created(&json).unwrap_or(1_700_000_000);
            events.push(Event {
                name: file.file_name().unwrap().to_string_lossy().into_owned(),
                signed_at: created + u64::try_from(number % 7).unwrap() + 1,
                json,
                payload,
                number,
            });
        }
    }
    events
}

fn created(json: &Json) -> Option<u64> {
    let Json::Object(members) = json else {
        return None;
    };
    members.iter().find_map(|(key, value)| match value {
        Json::Number(number) if key == "created" => number.as_u64(),
        // Thin events have it in RFC 3339.
        Json::Text(text) if key == "created" => {
            Timestamp::parse_rfc3339(text).map(Timestamp::unix_seconds)
        }
        _ => None,
    })
}

fn files() -> Vec<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let shared =
        env::var_os("HOOKGATE_CORPUS").map_or_else(|| manifest.join("../../shared"), PathBuf::from);
    let corpus = shared.join("corpus/events");
    let folder = if corpus.is_dir() {
        corpus
    } else {
        // Past the runner's capture: a green run must show it too.
        let _ = writeln!(
            std::io::stderr(),
            "no corpus at `{}`: using fixtures",
            corpus.display()
        );
        manifest.join("../host-tests/fixtures")
    };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect();
    files.sort();
    files
}
