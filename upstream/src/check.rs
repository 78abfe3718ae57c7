//! `hookgate check-config`: what is wrong with a configuration, before it is run.

mod document;
mod envoy;
mod explain;
mod finding;
mod plugin;
mod report;
mod upstream;

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use hookgate_core::config::Config;

use self::{
    document::{Position, SyntaxError},
    finding::{Code, Finding, Findings, Severity},
};
use crate::{cli::CheckArgs, config};

/// Says why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// The file can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// Which; `-` for stdin.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The findings can't be printed.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

/// Holds what a check found.
#[derive(Debug)]
struct Checked {
    /// In the order of the file.
    findings: Vec<Finding>,
    errors: usize,
    warnings: usize,
    /// The gates that can be used.
    configs: Vec<Config>,
    /// The upstream's configuration, if that is what the file is.
    upstream: Option<config::Config>,
}

/// Checks a file and prints what it found; tells whether it may be used.
///
/// # Errors
/// [`CheckError`].
pub(crate) fn check(args: &CheckArgs) -> Result<bool, CheckError> {
    let text = read(&args.file)?;
    let checked = check_text(&args.file, &text);
    let may_be_used = checked.errors == 0 && !(args.strict && checked.warnings > 0);
    if args.json {
        report::json(&args.file, &checked)?;
    } else {
        report::text(&args.file, &text, &checked)?;
    }
    Ok(may_be_used)
}

/// Says why a file tells no gate's configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError {
    /// The file can't be read.
    #[error(transparent)]
    Read(#[from] CheckError),
    /// It has none that can be used.
    #[error(
        "found no usable configuration of a gate in `{}`: {problem}. `hookgate check-config` explains it",
        path.display()
    )]
    None {
        /// Of the file.
        path: PathBuf,
        /// The first error, with its line.
        problem: String,
    },
    /// It has several that differ.
    #[error(
        "found {found} gates of different configurations in `{}`, expected one",
        path.display()
    )]
    Several {
        /// Of the file.
        path: PathBuf,
        /// How many.
        found: usize,
    },
}

/// Reads the gate's configuration from the plugin's file or the whole Envoy's,
/// whatever else is wrong with it.
///
/// # Errors
/// [`GateError`].
pub(crate) fn gate(path: &Path) -> Result<Config, GateError> {
    let checked = check_text(path, &read(path)?);
    let mut configs = checked.configs.into_iter();
    match (configs.next(), configs.len()) {
        (Some(config), 0) => Ok(config),
        (Some(_), others) => Err(GateError::Several {
            path: path.into(),
            found: others + 1,
        }),
        (None, _) => {
            let mut errors = checked.findings.into_iter();
            let error = errors.find(|finding| finding.code.prevents_a_gate());
            Err(GateError::None {
                path: path.into(),
                problem: error.map_or_else(String::new, |finding| {
                    format!("line {}: {}", finding.at.line, finding.problem)
                }),
            })
        }
    }
}

fn read(path: &Path) -> Result<String, CheckError> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    text.map_err(|source| CheckError::Read {
        path: path.into(),
        source,
    })
}

fn check_text(path: &Path, text: &str) -> Checked {
    let mut findings = Findings::default();
    finding::secrets_in_clear(text, &mut findings);
    let (configs, upstream) = if upstream::is_ours(path, text) {
        (Vec::new(), upstream::check(text, &mut findings))
    } else {
        (configs(text, &mut findings), None)
    };
    Checked {
        errors: findings.count(Severity::Error),
        warnings: findings.count(Severity::Warning),
        findings: findings.sorted(),
        configs,
        upstream,
    }
}

/// Finds the gates of a text, whatever kind of configuration it is.
fn configs(text: &str, findings: &mut Findings) -> Vec<Config> {
    let as_it_stands = |inner: Position| inner;
    let documents = match document::parse(text) {
        Ok(documents) => documents,
        Err(SyntaxError { at, problem }) => {
            let fix =
                "mend it there, or just before: most often a quote, a bracket or an indentation";
            findings.add(Code::Syntax, at, &problem, fix);
            return Vec::new();
        }
    };
    if documents.iter().any(|root| envoy::is_envoy(root)) {
        let envoys = documents.iter().filter(|root| envoy::is_envoy(root));
        return envoys
            .flat_map(|root| envoy::check(root, findings))
            .collect();
    }
    plugin::check(text, as_it_stands, findings)
        .into_iter()
        .collect()
}
