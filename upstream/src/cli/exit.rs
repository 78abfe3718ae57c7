//! Exit codes: one table, which every command's help shows its row of.

use clap::Command;

/// What most commands say.
const COMMON: &str = "0 done, 1 failed (stderr says why and what to do)";

/// Commands whose codes say more.
const BY_COMMAND: [(&str, &str); 5] = [
    (
        "serve",
        "0 stopped by SIGTERM or SIGINT and drained, 1 could not start, or the log failed",
    ),
    ("send", "0 a 2xx answer, 1 anything else"),
    (
        "check-config",
        "0 without errors (with --strict: nor warnings), 1 with, 2 FILE can't be read",
    ),
    (
        "backup",
        "0 sound, 1 if there is no backup or the log is damaged (then the copy is FILE.damaged)",
    ),
    (
        "verify-log",
        "0 sound, 1 damaged, 2 the log can't be read or the head says nothing about it",
    ),
];

/// What holds for all of them.
const USAGE: &str = "2 for a command line that is wrong";

/// Adds its exit codes to the help of each command.
pub(super) fn document(command: Command) -> Command {
    command.mut_subcommands(|command| {
        let codes = BY_COMMAND
            .iter()
            .find(|(name, _)| *name == command.get_name())
            .map_or(COMMON, |(_, codes)| codes);
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let (about, examples) = match help.find("Examples:") {
            Some(at) => help.split_at_checked(at).unwrap_or_default(),
            None => (help.as_str(), ""),
        };
        let codes = format!("Exit code: {codes}; {USAGE}.");
        let parts = [about.trim_end(), &codes, examples];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        command.after_help(parts.collect::<Vec<_>>().join("\n\n"))
    })
}
