//! Findings on stdout: for people, or as one JSON object.

use std::{
    io::{self, Write as _},
    path::Path,
};

use serde::Serialize;

use super::{Checked, explain, finding::Finding};

/// Prints findings as compilers do, and what the configuration does if it is right.
///
/// # Errors
/// Those of stdout.
pub(super) fn text(path: &Path, text: &str, checked: &Checked) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for finding in &checked.findings {
        let Finding {
            code,
            at,
            problem,
            fix,
        } = finding;
        let severity = code.severity().as_str();
        writeln!(
            out,
            "{}:{}:{}: {severity}[{}]: {problem}",
            path.display(),
            at.line,
            at.column,
            code.as_str()
        )?;
        writeln!(out, "  why: {}", code.why())?;
        writeln!(out, "  fix: {}\n", fix.replace('\n', "\n       "))?;
    }
    if checked.errors == 0 {
        explain::write(&mut out, &checked.configs)?;
        explain::write_upstream(&mut out, checked.upstream.as_ref())?;
    }
    let lines = text.lines().count();
    writeln!(
        out,
        "{}: {} and {} in {lines} lines",
        path.display(),
        counted(checked.errors, "error"),
        counted(checked.warnings, "warning")
    )?;
    out.flush()
}

fn counted(number: usize, name: &str) -> String {
    match number {
        1 => format!("1 {name}"),
        _ => format!("{number} {name}s"),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    errors: usize,
    warnings: usize,
    findings: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    severity: &'static str,
    code: &'static str,
    line: usize,
    column: usize,
    problem: &'a str,
    why: &'static str,
    fix: &'a str,
}

/// Prints findings as one JSON object.
///
/// # Errors
/// Those of stdout.
pub(super) fn json(path: &Path, checked: &Checked) -> io::Result<()> {
    let report = Report {
        file: &path.to_string_lossy(),
        errors: checked.errors,
        warnings: checked.warnings,
        findings: checked
            .findings
            .iter()
            .map(|finding| Line {
                severity: finding.code.severity().as_str(),
                code: finding.code.as_str(),
                line: finding.at.line,
                column: finding.at.column,
                problem: &finding.problem,
                why: finding.code.why(),
                fix: &finding.fix,
            })
            .collect(),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &report)?;
    writeln!(out)
}
