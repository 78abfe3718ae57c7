//! What the measurements share: the machine, the disk, memory, medians.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::artefact;

/// What a disk did.
#[derive(Debug)]
pub struct Syncs {
    /// Syncs in a second, one after the other.
    pub rate: f64,
    /// How long the slowest in a hundred took.
    pub p99: Duration,
}

/// Appends records of `bytes` to a file for `time`, each with an `fdatasync`.
///
/// # Errors
/// The file can't be written.
pub fn fdatasync(path: &Path, bytes: usize, time: Duration) -> Result<Syncs> {
    let mut file = File::create(path)?;
    let record = vec![b'x'; bytes];
    let (start, mut took) = (Instant::now(), Vec::new());
    while start.elapsed() < time {
        let began = Instant::now();
        file.write_all(&record)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    let count = u32::try_from(took.len())?;
    took.sort_unstable();
    Ok(Syncs {
        rate: f64::from(count) / start.elapsed().as_secs_f64(),
        p99: percentile(&took, 99),
    })
}

/// Returns what `percent` of the sorted did not exceed.
#[must_use]
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Returns the middle one.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Returns the milliseconds.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Makes a folder on the disk that the project is on: `/tmp` may be memory.
///
/// # Errors
/// It can't be made.
pub fn folder() -> Result<TempDir> {
    let parent = artefact::root().join("target/bench");
    fs::create_dir_all(&parent)?;
    Ok(tempfile::tempdir_in(parent)?)
}

/// How much memory a process has, in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Now.
    pub resident: f64,
    /// At most so far.
    pub peak: f64,
}

/// Asks the kernel for a process's memory.
///
/// # Errors
/// There is no such process.
pub fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u32>().ok());
        Ok(f64::from(kib.with_context(|| name.to_owned())?) / 1_024.0)
    };
    let resident: Result<f64> = field("VmRSS:");
    Ok(Memory {
        resident: resident?,
        peak: field("VmHWM:")?,
    })
}

/// Asks the kernel how long a process has had a processor, all threads together.
///
/// # Errors
/// There is no such process.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    // In hundredths of a second, whatever the machine: proc_pid_stat(5). The
    // name before may hold anything, in brackets.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("no name")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || anyhow::Ok(fields.next().context("too short")?.parse::<u64>()?);
    Ok(Duration::from_millis((next()? + next()?) * 10))
}

/// Asks the kernel how long the threads that a process has now have had a
/// processor: to the nanosecond, and without those that have ended.
///
/// # Errors
/// There is no such process.
pub fn cpu_time_of_threads(pid: u32) -> Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let field = text.split(' ').next().unwrap_or_default();
        nanos += field.parse::<u64>().context("no time in `schedstat`")?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// Says on what was measured, and from which commit.
///
/// # Errors
/// There is no git.
pub fn machine() -> Result<String> {
    let cores = available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(artefact::root())
        .output()
        .context("cannot run `git`")?;
    let commit = String::from_utf8_lossy(&output.stdout);
    Ok(format!(
        "{cores} cores, Linux {}, commit {}, load average {}, sender on the same machine:",
        kernel.trim(),
        commit.trim(),
        load.split(' ').next().unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_middle_and_the_slow() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        let hundred: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&hundred, 99), Duration::from_millis(99));
    }

    #[test]
    fn sees_this_process() {
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.resident > 1.0 && memory.peak >= memory.resident);
        for time in [cpu_time, cpu_time_of_threads] {
            let before = time(std::process::id()).unwrap();
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(200) {}
            assert!(time(std::process::id()).unwrap() > before);
        }
    }
}
