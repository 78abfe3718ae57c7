//! The reference of all commands, `docs/cli.md`, made of the command line itself.

use std::{env, fmt::Write as _, fs, path::Path};

use clap::{Arg, Command};

use super::{command, exit};

const FILE: &str = "docs/cli.md";
const BLESS: &str = "HOOKGATE_BLESS=1 cargo test -p hookgate-upstream the_reference";

#[test]
fn the_reference_is_that_of_the_command_line() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    let expected = reference();
    if env::var_os("HOOKGATE_BLESS").is_some() {
        fs::write(path, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "{FILE} is out of date; run: {BLESS}");
}

/// What can be asked for in JSON; the others print nothing, or scripts and pages.
#[test]
fn every_command_that_prints_does_so_in_json_too() {
    let command = command();
    let without: Vec<String> = leaves(&command, "")
        .into_iter()
        .filter(|(_, command)| !command.get_arguments().any(|arg| arg.get_id() == "json"))
        .map(|(name, _)| name)
        .collect();
    // `serve` has --log-format, and an export is JSON anyway.
    assert_eq!(without, ["serve", "export", "completions", "man"]);
}

fn reference() -> String {
    let mut command = command();
    // What clap adds by itself.
    command.build();
    let commands = leaves(&command, "");
    let mut text = include_str!("reference.md").replace("{BLESS}", BLESS);
    text.push_str("\n## Commands\n\n| command | what it does |\n|---|---|\n");
    for (name, command) in &commands {
        let (about, anchor) = (about(command), name.replace(' ', "-"));
        writeln!(text, "| [`{name}`](#hookgate-{anchor}) | {about} |").unwrap();
    }
    text.push_str("\n## Exit codes\n\n| command | code | |\n|---|---|---|\n");
    for (name, _) in &commands {
        for exit::Exit(code, says) in exit::codes(name) {
            writeln!(text, "| `{name}` | {code} | {says} |").unwrap();
        }
    }
    text.push_str("| each of them | 2 | the command line is wrong: stderr shows its usage |\n");
    for (name, command) in commands {
        section(&mut text, &name, command);
    }
    text
}

/// Returns the commands that do something, with all their names.
fn leaves<'a>(command: &'a Command, above: &str) -> Vec<(String, &'a Command)> {
    let mut leaves = Vec::new();
    let own = command
        .get_subcommands()
        .filter(|it| it.get_name() != "help");
    for command in own {
        let name = format!("{above}{}", command.get_name());
        if command.has_subcommands() {
            leaves.extend(self::leaves(command, &format!("{name} ")));
        } else {
            leaves.push((name, command));
        }
    }
    leaves
}

fn section(text: &mut String, name: &str, command: &Command) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    writeln!(text, "\n## hookgate {name}\n\n{}.\n", about(command)).unwrap();
    writeln!(text, "```sh\n{usage}\n```\n").unwrap();
    let help = command.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let (about, examples) = help.split_once("Examples:\n").unwrap_or((&help, ""));
    for paragraph in about.trim_end().split("\n\n") {
        // What is aligned is shown as it is.
        if paragraph.contains("\n  ") {
            writeln!(text, "```text\n{paragraph}\n```\n").unwrap();
        } else if !paragraph.starts_with("Exit code: ") {
            writeln!(text, "{}\n", prose(paragraph)).unwrap();
        }
    }
    if !examples.is_empty() {
        let lines = examples.lines().map(|line| line.trim_start_matches("  "));
        let lines: Vec<&str> = lines.collect();
        writeln!(text, "```sh\n{}\n```\n", lines.join("\n")).unwrap();
    }
    text.push_str("| argument | what it says | default | variable |\n|---|---|---|---|\n");
    let arguments = command
        .get_arguments()
        .filter(|arg| arg.get_id() != "help" && arg.get_id() != "version");
    for argument in arguments {
        text.push_str(&row(argument));
    }
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string);
    prose(&about.unwrap_or_default())
}

fn row(argument: &Arg) -> String {
    let help = argument
        .get_long_help()
        .or_else(|| argument.get_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    // Where a default isn't clap's own the help says it.
    let (help, said) = match help.split_once(" [default: ") {
        Some((before, rest)) => {
            let (default, after) = rest.split_once(']').unwrap();
            (format!("{before}{after}"), default.to_owned())
        }
        None => (help, String::new()),
    };
    let defaults: Vec<_> = argument.get_default_values().iter().collect();
    let takes_value = argument.get_action().takes_values();
    let default = match defaults.first() {
        Some(value) if takes_value => format!("`{}`", value.display()),
        _ => prose(&said),
    };
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| takes_value)
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let values = match values.is_empty() {
        true => String::new(),
        false => format!(": {}", values.join(", ")),
    };
    let variable = argument
        .get_env()
        .map_or_else(String::new, |variable| format!("`{}`", variable.display()));
    format!(
        "| `{}` | {}{values} | {default} | {variable} |\n",
        spelled(argument).replace('|', "\\|"),
        prose(&help)
    )
}

fn spelled(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let value = values
        .first()
        .map_or_else(String::new, |it| format!("<{it}>"));
    match argument.get_long() {
        Some(long) if argument.get_action().takes_values() => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => value,
    }
}

/// Keeps what Markdown would take for its own.
fn prose(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "\\<")
}
