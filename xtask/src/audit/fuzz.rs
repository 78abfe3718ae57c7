//! The fuzz targets with libFuzzer, which goes where it has not been.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::process;
use crate::workspace::Workspace;

/// How long fuzzing goes on, and at what.
#[derive(Debug, Args)]
pub(super) struct Fuzzing {
    /// How long each fuzz target runs
    #[arg(long, default_value_t = 10, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    /// Run only this fuzz target; may be repeated
    #[arg(long, value_enum, value_name = "TARGET")]
    target: Vec<Target>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    Signature,
    Event,
    Configuration,
    Delivery,
}

impl Target {
    fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Event => "event",
            Self::Configuration => "configuration",
            Self::Delivery => "delivery",
        }
    }
}

/// Makes the compiler count where a program goes and what it compares, as libFuzzer
/// reads it: what `cargo fuzz` passes, without the sanitizers, which only an unstable
/// compiler has and which find what safe code can't have.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What bounds one input: its length in bytes, its time in seconds, its memory in MiB.
const BOUNDS: [&str; 3] = ["-max_len=8192", "-timeout=10", "-rss_limit_mb=1024"];

/// Tells whether no target finds anything. What it found is kept under `target/fuzz`,
/// and so is the corpus, from which the next run goes on.
///
/// # Errors
/// If the targets don't build.
pub(super) fn holds(workspace: &Workspace, options: &Fuzzing) -> Result<bool> {
    let mut green = true;
    let folder = workspace.fuzz_target();
    let host = host()?;
    for target in Target::value_variants() {
        if !options.target.is_empty() && !options.target.contains(target) {
            continue;
        }
        let name = target.as_str();
        eprintln!("\n== audit: fuzz {name}, for {} minutes", options.minutes);
        let binary = format!("fuzz-{name}");
        process::run(
            workspace
                .cargo()
                .args(["build", "-p", "hookgate-fuzz", "--profile", "fuzz"])
                .args(["--features", "libfuzzer", "--bin", &binary])
                // Named, so that build scripts are left alone.
                .args(["--target", &host])
                .env("CARGO_TARGET_DIR", &folder)
                .env("RUSTFLAGS", COVERAGE),
            "building a fuzz target",
        )?;
        let corpus = folder.join("corpus").join(name);
        fs::create_dir_all(&corpus).context("can't make the folder of the corpus")?;
        let found = folder.join(format!("found-{name}-"));
        let status = Command::new(folder.join(&host).join("fuzz").join(&binary))
            .args(BOUNDS)
            .arg(format!("-max_total_time={}", 60 * options.minutes))
            .arg("-print_final_stats=1")
            .arg(format!("-artifact_prefix={}", found.display()))
            .arg(&corpus)
            .arg(workspace.path("fuzz/corpus").join(name))
            .stdin(Stdio::null())
            .status()
            .context("can't start a fuzz target")?;
        green &= status.success();
        let verdict = if status.success() {
            "nothing found"
        } else {
            "FOUND SOMETHING"
        };
        eprintln!("== audit: fuzz {name}: {verdict}");
    }
    Ok(green)
}

/// Returns the name of the target that the compiler itself runs on.
fn host() -> Result<String> {
    let version = process::output(Command::new("rustc").arg("-vV"), "rustc -vV")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}
