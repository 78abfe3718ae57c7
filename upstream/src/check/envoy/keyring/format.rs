//! What a keyring's text is made of: a file, and nothing of a request.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::check::{
    document::{Node, Position},
    finding::{Code, Findings},
};

/// The format as shipped.
pub(super) const SHIPPED: &str =
    "inline_string: \"%FILE_CONTENT(/etc/hookgate/secrets/keys.json:/etc/hookgate/secrets)%\"";

/// What Envoy takes from outside of requests and connections.
const OURS: [&str; 2] = ["FILE_CONTENT", "ENVIRONMENT"];

/// Is one command in a format, such as `%REQ(x)%`.
struct Command<'a> {
    name: &'a str,
    argument: &'a str,
}

/// Checks what a key is set to.
pub(super) fn check(setter: &Node, key: &str, findings: &mut Findings) {
    let Some(format) = setter.field("format_string") else {
        return;
    };
    read_once(format, findings);
    for (at, text) in texts(format) {
        let commands = commands(&text);
        if commands.is_empty() && !text.is_empty() {
            findings.add(
                Code::SecretInClear,
                at,
                &format!("the value of `{key}` stands in this file"),
                SHIPPED,
            );
        }
        for command in commands {
            if command.name == "FILE_CONTENT" {
                check_watched(command.argument, at, findings);
            } else if !OURS.contains(&command.name) {
                findings.add(
                    Code::KeyringFromRequest,
                    at,
                    &format!("`{key}` is made of `%{}…%`, not of a file", command.name),
                    SHIPPED,
                );
            }
        }
    }
}

/// Finds formats that are themselves read from somewhere: at the start, and never
/// again, whatever is watched.
fn read_once(format: &Node, findings: &mut Findings) {
    for field in ["filename", "environment_variable"] {
        let field = format!("text_format_source.{field}");
        if let Some(source) = format.at_path(&field) {
            let name = source.text().unwrap_or_default();
            findings.add(
                Code::FileNotWatched,
                source.at,
                &format!("`{name}` is read once, at the start, and as a format"),
                SHIPPED,
            );
        }
    }
}

/// Returns every text of a format.
fn texts(format: &Node) -> Vec<(Position, String)> {
    let plain = ["text_format", "text_format_source.inline_string"];
    let plain = plain.iter().filter_map(|field| format.at_path(field));
    let mut texts: Vec<(Position, String)> = plain.filter_map(owned).collect();
    let mut waiting: Vec<&Node> = format.field("json_format").into_iter().collect();
    while let Some(node) = waiting.pop() {
        texts.extend(owned(node));
        waiting.extend(node.children());
    }
    if let Some(bytes) = format.at_path("text_format_source.inline_bytes") {
        let decoded = BASE64_STANDARD.decode(bytes.text().unwrap_or_default());
        let text = String::from_utf8_lossy(&decoded.unwrap_or_default()).into_owned();
        texts.push((bytes.at, text));
    }
    texts
}

fn owned(node: &Node) -> Option<(Position, String)> {
    Some((node.at, node.text()?.to_owned()))
}

/// Finds the commands of a format; `%%` is none.
fn commands(format: &str) -> Vec<Command<'_>> {
    let mut found = Vec::new();
    let mut rest = format;
    while let Some((_, after)) = rest.split_once('%') {
        if let Some(literal) = after.strip_prefix('%') {
            rest = literal;
            continue;
        }
        let end = after.find(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
        let (name, behind) = after
            .split_at_checked(end.unwrap_or(after.len()))
            .unwrap_or((after, ""));
        let argument = behind
            .strip_prefix('(')
            .and_then(|text| text.split_once(')'));
        let (argument, behind) = argument.unwrap_or(("", behind));
        // A sign alone is refused by Envoy.
        found.extend((!name.is_empty()).then_some(Command { name, argument }));
        rest = behind.split_once('%').map_or("", |(_, rest)| rest);
    }
    found
}

/// Finds files whose folder isn't watched.
fn check_watched(argument: &str, at: Position, findings: &mut Findings) {
    let (file, watched) = argument.split_once(':').unwrap_or((argument, ""));
    let folder = file.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let problem = if watched.is_empty() {
        format!("`{file}` is read without a watched directory")
    } else if !std::path::Path::new(file).starts_with(watched) {
        format!("`{file}` is read, and `{watched}` watched")
    } else {
        return;
    };
    let fix = format!("inline_string: \"%FILE_CONTENT({file}:{folder})%\"");
    findings.add(Code::FileNotWatched, at, &problem, &fix);
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn finds_every_command_and_no_literal() {
        let names = |format| -> Vec<String> {
            let commands = commands(format).into_iter();
            commands
                .map(|command| format!("{} {}", command.name, command.argument))
                .collect()
        };
        assert_eq!(names("%FILE_CONTENT(/a:/b)%"), ["FILE_CONTENT /a:/b"]);
        assert_eq!(
            names("{\"a\": \"%REQ(x?y):9%\"}%START_TIME%%%"),
            ["REQ x?y", "START_TIME "]
        );
        assert_eq!(names("%%REQ(x)%% 100%%"), Vec::<String>::new());
        assert_eq!(
            names("%CEL(request.headers['x'])%"),
            ["CEL request.headers['x']"]
        );
    }
}
