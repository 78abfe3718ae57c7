//! What was found out, for people and for programs.

use std::io::{self, Write as _};

use hookgate_doctor::{
    Certainty, Diagnosis,
    difference::Difference,
    fix::{Framework, Remedy},
};
use serde::Serialize;

/// Columns of a line.
const WIDTH: usize = 96;

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
    /// The framework that was asked for.
    fix: Option<Fix>,
}

#[derive(Serialize)]
struct Fix {
    framework: &'static str,
    code: &'static str,
}

/// Prints one JSON object.
///
/// # Errors
/// Those of stdout.
pub(super) fn json(diagnosis: &Diagnosis, framework: Option<Framework>) -> io::Result<()> {
    let report = Report {
        diagnosis,
        fix: framework.map(|framework| Fix {
            framework: framework.name(),
            code: framework.code(),
        }),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &report)?;
    writeln!(out)
}

/// Prints it in words.
///
/// # Errors
/// Those of stdout.
pub(super) fn text(diagnosis: &Diagnosis, framework: Option<Framework>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", diagnosis.headline)?;
    let mut remedies: Vec<Remedy> = Vec::new();
    for finding in &diagnosis.findings {
        let sure = match finding.certainty {
            Certainty::Proven => "proven",
            Certainty::Seen => "seen",
            Certainty::Likely => "likely",
        };
        writeln!(out, "\n{sure}: {}", finding.code)?;
        for paragraph in [&finding.title, &finding.detail] {
            wrap(&mut out, paragraph)?;
        }
        if !remedies.contains(&finding.remedy) {
            remedies.push(finding.remedy);
        }
    }
    if !remedies.is_empty() {
        writeln!(out, "\nWhat to do:")?;
        for remedy in &remedies {
            wrap(&mut out, remedy.advice())?;
        }
    }
    writeln!(out)?;
    writeln!(out, "scheme: {}", diagnosis.scheme)?;
    for line in &diagnosis.signatures {
        match &line.matches {
            Some(label) => writeln!(out, "{}: matches {label}", line.name)?,
            None => writeln!(out, "{}: matches none", line.name)?,
        }
    }
    if let Some(age) = &diagnosis.age {
        writeln!(out, "signed at: {}. {}", age.signed_at, age.says)?;
    }
    let tries = match diagnosis.complete {
        true => "",
        false => ", and there would have been more",
    };
    writeln!(
        out,
        "tried: {} pairs of payload and key{tries}",
        diagnosis.tries
    )?;
    if let Some(difference) = &diagnosis.difference {
        show(&mut out, difference)?;
    }
    match framework {
        Some(framework) => {
            writeln!(out, "\nIn {}:\n\n{}", framework.name(), framework.code())?;
        }
        None if remedies.iter().any(|remedy| remedy.has_code()) => {
            writeln!(
                out,
                "\n--framework shows the code; `hookgate doctor --help` lists them."
            )?;
        }
        None => {}
    }
    Ok(())
}

fn show(out: &mut impl io::Write, it: &Difference) -> io::Result<()> {
    writeln!(
        out,
        "\nThe first difference is at byte {}, line {}, column {}; {} bytes were signed, {} given:",
        it.offset, it.line, it.column, it.signed_bytes, it.given_bytes
    )?;
    writeln!(out, "  before: {}", it.before)?;
    writeln!(out, "  signed: {}", it.signed)?;
    writeln!(out, "  given:  {}", it.given)
}

/// Prints a paragraph, indented.
fn wrap(out: &mut impl io::Write, text: &str) -> io::Result<()> {
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count() + 1;
        if column == 0 || column + width > WIDTH {
            if column > 0 {
                writeln!(out)?;
            }
            write!(out, "  {word}")?;
            column = width + 1;
        } else {
            write!(out, " {word}")?;
            column += width;
        }
    }
    writeln!(out)
}
