//! `hookgate verify-log`: whether the log is what was appended.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    cli::{ArgumentError, VerifyLogArgs},
    evidence::{Head, HeadError, Redaction, Verdict},
    log::{self, VerifyError},
    progress::Progress,
};

/// Says why a log can't be verified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyLogError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The file of the head can't be read.
    #[error("can't read the head `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no head.
    #[error("can't use the head `{}`: {source}", path.display())]
    Head {
        /// Which.
        path: PathBuf,
        /// Why.
        source: HeadError,
    },
    /// The log can't be verified.
    #[error(transparent)]
    Log(#[from] VerifyError),
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

/// Verifies the log and prints what was found. `true` means that it is sound.
///
/// # Errors
/// [`VerifyLogError`].
pub(crate) async fn verify_log(args: &VerifyLogArgs) -> Result<bool, VerifyLogError> {
    let head = args.head.as_deref().map(read_head).transpose()?;
    let address = args.log.address()?;
    let verdict = {
        let progress = Progress::start("events");
        let tell = |done, total| progress.at(done, total);
        log::verify(&address, head, tell).await?
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        serde_json::to_writer(&mut out, &Report::of(&verdict)).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&mut out, &verdict)?;
    }
    out.flush()?;
    Ok(verdict.is_sound())
}

fn read_head(path: &Path) -> Result<Head, VerifyLogError> {
    let text = fs::read_to_string(path).map_err(|source| VerifyLogError::Read {
        path: path.into(),
        source,
    })?;
    Head::from_json(&text).map_err(|source| VerifyLogError::Head {
        path: path.into(),
        source,
    })
}

fn print(out: &mut impl Write, verdict: &Verdict) -> io::Result<()> {
    if let Some(cutoff) = &verdict.cutoff {
        writeln!(
            out,
            "retention removed {} events, up to event {}, last on {}; verified from there",
            cutoff.removed, cutoff.link.sequence, cutoff.at
        )?;
    }
    for redaction in &verdict.redactions {
        // Words of people, and so not to be trusted with a terminal.
        writeln!(
            out,
            "{redaction} was redacted on {} by {}: {}",
            redaction.at,
            redaction.by.as_deref().unwrap_or("-").escape_debug(),
            redaction.reason.escape_debug()
        )?;
    }
    for finding in &verdict.findings {
        writeln!(out, "DAMAGED {finding}")?;
    }
    let listed = u64::try_from(verdict.findings.len()).unwrap_or(u64::MAX);
    if verdict.damaged > listed {
        writeln!(out, "DAMAGED {} more", verdict.damaged - listed)?;
    }
    if verdict.unsealed > 0 {
        writeln!(
            out,
            "the newest {} events are not sealed yet: only their payloads were checked",
            verdict.unsealed
        )?;
    }
    let state = if verdict.is_sound() {
        "sound"
    } else {
        "damaged"
    };
    writeln!(
        out,
        "{state}: {} events up to event {} of the log {}",
        verdict.events, verdict.newest.sequence, verdict.log
    )?;
    match &verdict.head {
        Some(head) => writeln!(
            out,
            "compared with the head of event {}, taken {}",
            head.events.sequence, head.at
        ),
        None => writeln!(
            out,
            "no head was given: whether the log was cut short or written anew can't be seen \
             (--head FILE, from `hookgate head`)"
        ),
    }
}

#[derive(Serialize)]
struct Report {
    sound: bool,
    log: String,
    events: u64,
    sequence: u64,
    hash: String,
    unsealed: u64,
    removed: Option<Removed>,
    /// `null`: truncation can't be seen.
    head: Option<u64>,
    redactions: Vec<Redacted>,
    damaged: u64,
    findings: Vec<Found>,
}

#[derive(Serialize)]
struct Removed {
    events: u64,
    sequence: u64,
    hash: String,
    at: String,
}

#[derive(Serialize)]
struct Redacted {
    number: u64,
    sequence: u64,
    source: String,
    id: String,
    sha256: String,
    reason: String,
    by: Option<String>,
    at: String,
}

#[derive(Serialize)]
struct Found {
    code: &'static str,
    place: u64,
    text: String,
}

impl Report {
    fn of(verdict: &Verdict) -> Self {
        let removed = verdict.cutoff.map(|cutoff| Removed {
            events: cutoff.removed,
            sequence: cutoff.link.sequence,
            hash: cutoff.link.hash.to_string(),
            at: cutoff.at.to_string(),
        });
        let found = verdict.findings.iter().map(|finding| Found {
            code: finding.code(),
            place: finding.place(),
            text: finding.to_string(),
        });
        Self {
            sound: verdict.is_sound(),
            log: verdict.log.to_string(),
            events: verdict.events,
            sequence: verdict.newest.sequence,
            hash: verdict.newest.hash.to_string(),
            unsealed: verdict.unsealed,
            removed,
            head: verdict.head.map(|head| head.events.sequence),
            redactions: verdict.redactions.iter().map(redacted).collect(),
            damaged: verdict.damaged,
            findings: found.collect(),
        }
    }
}

fn redacted(redaction: &Redaction) -> Redacted {
    Redacted {
        number: redaction.number,
        sequence: redaction.sequence,
        source: redaction.source.to_string(),
        id: redaction.id.clone(),
        sha256: redaction.sha256.to_string(),
        reason: redaction.reason.clone(),
        by: redaction.by.clone(),
        at: redaction.at.to_string(),
    }
}
