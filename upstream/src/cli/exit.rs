//! Exit codes: one table, of which every command's help shows its rows.

use clap::Command;

/// One code, and what it says.
pub(super) struct Exit(pub(super) u8, pub(super) &'static str);

const DONE: Exit = Exit(0, "done");
const FAILED: Exit = Exit(1, "failed: stderr says why and what to do");

const DECIDED: &[Exit] = &[
    Exit(0, "decided about each"),
    Exit(
        1,
        "refused for some, as said of each, or failed: stderr says why",
    ),
];

/// Commands whose codes say more.
const BY_COMMAND: [(&str, &[Exit]); 11] = [
    (
        "serve",
        &[
            Exit(0, "stopped by SIGTERM or SIGINT, and drained"),
            Exit(1, "could not start, or the log failed"),
        ],
    ),
    ("send", &[Exit(0, "a 2xx answer"), Exit(1, "anything else")]),
    (
        "check-config",
        &[
            Exit(0, "without errors (with --strict: nor warnings)"),
            Exit(1, "with errors"),
            Exit(2, "FILE can't be read"),
        ],
    ),
    (
        "doctor",
        &[
            Exit(0, "valid"),
            Exit(1, "not valid: stdout says why"),
            Exit(2, "what was given can't be read"),
        ],
    ),
    (
        "tail",
        &[
            Exit(0, "ended by SIGINT or SIGTERM, or nobody reads any more"),
            FAILED,
        ],
    ),
    (
        "backup",
        &[
            Exit(0, "sound"),
            Exit(
                1,
                "there is no backup, or the log is damaged (then the copy is FILE.damaged)",
            ),
        ],
    ),
    ("review approve", DECIDED),
    ("review discard", DECIDED),
    ("redeliver", DECIDED),
    (
        "audit",
        &[
            Exit(0, "sound"),
            Exit(1, "damaged, or it can't be read: stderr says which"),
        ],
    ),
    (
        "verify-log",
        &[
            Exit(0, "sound"),
            Exit(1, "damaged"),
            Exit(
                2,
                "the log can't be read, or the head says nothing about it",
            ),
        ],
    ),
];

/// What holds for all of them.
const USAGE: &str = "2 for a command line that is wrong";

/// Returns the codes of a command, beside the one for a wrong command line.
pub(super) fn codes(name: &str) -> &'static [Exit] {
    let own = BY_COMMAND.iter().find(|(command, _)| *command == name);
    own.map_or(&[DONE, FAILED], |(_, codes)| codes)
}

/// Adds its exit codes to the help of each command.
pub(super) fn document(command: Command) -> Command {
    document_below(command, "")
}

fn document_below(command: Command, above: &str) -> Command {
    command.mut_subcommands(|command| {
        let name = format!("{above}{}", command.get_name());
        if command.has_subcommands() {
            return document_below(command, &format!("{name} "));
        }
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let (about, examples) = match help.find("Examples:") {
            Some(at) => help.split_at_checked(at).unwrap_or_default(),
            None => (help.as_str(), ""),
        };
        let rows = codes(&name).iter();
        let rows: Vec<String> = rows
            .map(|Exit(code, says)| format!("{code} {says}"))
            .collect();
        let codes = format!("Exit code: {}; {USAGE}.", rows.join(", "));
        let parts = [about.trim_end(), &codes, examples];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        command.after_help(parts.collect::<Vec<_>>().join("\n\n"))
    })
}
