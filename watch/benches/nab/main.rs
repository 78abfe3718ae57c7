//! Runs the backstop over the data of the Numenta Anomaly Benchmark and writes
//! what it says in the form that `score.py` reads. `cargo xtask bench nab` runs this.

mod series;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use hookgate_watch::generic::{Generic, Pace};

/// Share of the longest file that the benchmark doesn't score, as of every other.
const PROBATION: f64 = 0.15;
/// Samples of a file beyond which its unscored part doesn't grow.
const LONGEST: f64 = 5_000.0;
/// Alarms of one series are apart by this share of its unscored part.
const APART: f64 = 0.35;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|one| one != "--bench");
    let (mut data, mut out) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--data" => data = arguments.next().map(PathBuf::from),
            "--out" => out = arguments.next().map(PathBuf::from),
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    let (Some(data), Some(out)) = (data, out) else {
        return Err("usage: cargo xtask bench nab --data DIR --out DIR".into());
    };
    let mut alarms = 0;
    let files = series::files(&data)?;
    for file in &files {
        let samples = series::read(&data.join(file))?;
        let target = out.join(file);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut text = String::from("score\n");
        let mut detector = Generic::new(pace(samples.len()));
        for (second, value) in samples {
            let score = detector.observe(second, value);
            alarms += usize::from(score >= 0.5);
            writeln!(text, "{score}")?;
        }
        fs::write(target, text)?;
    }
    println!(
        "{} files, {alarms} alarms, in {}",
        files.len(),
        out.display()
    );
    Ok(())
}

/// What the benchmark lets a detector know of a file: the length of the part that it
/// doesn't score (`getProbationPeriod` of NAB's `nab/util.py`).
fn pace(samples: usize) -> Pace {
    let probation = (PROBATION * samples as f64)
        .floor()
        .min(PROBATION * LONGEST)
        .ceil();
    Pace {
        warm_up: probation as u32,
        cool_down: APART * probation,
    }
}
