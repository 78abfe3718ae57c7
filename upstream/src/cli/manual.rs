//! `hookgate completions` and `hookgate man`: what clap knows, for shells and `man`.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::Args;
use clap_complete::Shell;

use super::command;

/// `hookgate completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hookgate completions bash > /etc/bash_completion.d/hookgate
  hookgate completions zsh > ~/.zfunc/_hookgate
  hookgate completions fish > ~/.config/fish/completions/hookgate.fish")]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// `hookgate man`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hookgate man | man -l -
  hookgate man --out /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder, instead of the first to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Says why there is no manual.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManualError {
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
    /// A page can't be written.
    #[error("can't write pages into `{}`: {source}. The folder must exist", folder.display())]
    Page {
        /// Where.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl CompletionsArgs {
    /// Prints the shell's script.
    ///
    /// # Errors
    /// [`ManualError::Print`].
    pub(crate) fn print(&self) -> Result<(), ManualError> {
        // Not to stdout at once: the generator panics on a broken pipe.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "hookgate", &mut script);
        Ok(io::stdout().lock().write_all(&script)?)
    }
}

impl ManArgs {
    /// Prints or writes the pages.
    ///
    /// # Errors
    /// [`ManualError`].
    pub(crate) fn print(&self) -> Result<(), ManualError> {
        match &self.out {
            None => Ok(clap_mangen::Man::new(command()).render(&mut io::stdout().lock())?),
            Some(folder) => {
                clap_mangen::generate_to(command(), folder).map_err(|source| ManualError::Page {
                    folder: folder.clone(),
                    source,
                })
            }
        }
    }
}
