//! Docker or podman, whichever works.

use std::env;
use std::process::Command;

use anyhow::{Result, bail};
use rustix::process::{Resource, getrlimit};

use crate::process;

/// More files than a host test ever opens.
const OPEN_FILES_WANTED: u64 = 65_536;

/// A container engine that answers.
#[derive(Debug)]
pub(super) struct Engine {
    program: String,
}

impl Engine {
    /// Finds an engine: the one that `HOOKGATE_CONTAINER_ENGINE` names, else docker if its
    /// daemon answers, else podman.
    ///
    /// # Errors
    /// If none answers; the message installs one.
    pub(super) fn find() -> Result<Self> {
        let named = env::var("HOOKGATE_CONTAINER_ENGINE").ok();
        let candidates = match &named {
            Some(program) => vec![program.as_str()],
            None => vec!["docker", "podman"],
        };
        for program in candidates {
            // Docker's client is there on many machines without its daemon.
            if process::succeeds(Command::new(program).arg("info")) {
                return Ok(Self {
                    program: program.to_owned(),
                });
            }
        }
        bail!("no container engine answers: apt-get install podman runc (or install Docker)")
    }

    /// Returns the program's name.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Tells whether the engine has an image.
    pub(super) fn has_image(&self, image: &str) -> bool {
        process::succeeds(Command::new(&self.program).args(["image", "inspect", image]))
    }

    /// Finds what has to stand after `run` for a container to start on this machine.
    ///
    /// A machine that may not raise limits (one that is a container itself) refuses the engine's
    /// defaults, and `crun` in some kernels where `runc` runs; so each is tried in earnest.
    ///
    /// # Errors
    /// If nothing starts; the message is that of the last try.
    pub(super) fn arguments_that_run(&self, image: &str) -> Result<Vec<String>> {
        let files = getrlimit(Resource::Nofile)
            .maximum
            .map_or(OPEN_FILES_WANTED, |limit| limit.min(OPEN_FILES_WANTED));
        let limits = format!("--ulimit nofile={files}:{files} --ulimit nproc=1024:1024");
        let mut candidates = vec![String::new(), limits.clone()];
        if self.program.ends_with("podman") {
            candidates.push("--runtime runc".to_owned());
            candidates.push(format!("--runtime runc {limits}"));
        }
        let mut refusal = String::new();
        for candidate in candidates {
            let arguments: Vec<String> = candidate.split_whitespace().map(str::to_owned).collect();
            let outcome = process::output(
                Command::new(&self.program)
                    .arg("run")
                    .args(&arguments)
                    .args(["--rm", "--network", "host", image, "--version"]),
                "starting a container",
            );
            match outcome {
                Ok(_) => return Ok(arguments),
                Err(error) => refusal = error.to_string(),
            }
        }
        bail!("{} can't run a container here: {refusal}", self.program)
    }
}
