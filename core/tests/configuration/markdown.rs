//! The reference for people, made of the schema.

use std::fmt::Write as _;

use serde_json::Value;

use crate::place::{self, Place};

/// Returns a section for every definition, in the order of the first use.
pub(crate) fn sections(root: &Value) -> String {
    let places = place::all(root);
    let mut text = section("The gate", &root["description"], &[], &fields(root, root));
    let mut done: Vec<&str> = Vec::new();
    for place in &places {
        let Some(name) = place.definition.filter(|name| !done.contains(name)) else {
            continue;
        };
        done.push(name);
        let uses: Vec<_> = places
            .iter()
            .filter(|other| other.definition == Some(name))
            .map(Place::name)
            .collect();
        let table = if place.schema.get("properties").is_some() {
            fields(root, place.schema)
        } else {
            values(root, place.schema)
        };
        text += &section(&heading(name), &place.schema["description"], &uses, &table);
    }
    text
}

/// Returns the rows of the secrets of a keyring: those of a secret in the
/// environment, with the secret itself instead of its variable.
pub(crate) fn keyring_secret(root: &Value) -> String {
    let secret = "| `secret` | string | **required** | The signing secret as the sender shows it, such as `whsec_…`. |\n";
    fields(root, &root["$defs"]["Secret"])
        .split_inclusive('\n')
        .map(|row| {
            if row.starts_with("| `env` ") {
                secret
            } else {
                row
            }
        })
        .collect()
}

fn section(heading: &str, description: &Value, uses: &[String], table: &str) -> String {
    let mut text = format!("\n## {heading}\n\n{}\n\n", meaning(description));
    if !uses.is_empty() {
        let uses: Vec<_> = uses.iter().map(|name| format!("`{name}`")).collect();
        writeln!(text, "At {}.\n", uses.join(", ")).unwrap();
    }
    text + table
}

fn fields(root: &Value, object: &Value) -> String {
    let mut table = "| field | value | default | meaning |\n|---|---|---|---|\n".to_owned();
    let required = object["required"].as_array();
    for (name, schema) in object["properties"].as_object().unwrap() {
        let default = if required.is_some_and(|names| names.iter().any(|other| other == name)) {
            "**required**".to_owned()
        } else {
            schema
                .get("default")
                .map_or_else(|| "absent".to_owned(), |default| format!("`{default}`"))
        };
        let value = value(root, schema);
        let meaning = meaning(&schema["description"]);
        writeln!(table, "| `{name}` | {value} | {default} | {meaning} |").unwrap();
    }
    table
}

fn values(root: &Value, choice: &Value) -> String {
    let mut table = "| value | meaning |\n|---|---|\n".to_owned();
    for variant in choice["oneOf"].as_array().unwrap() {
        let form = match variant["properties"].as_object() {
            Some(fields) => fields
                .iter()
                .map(|(name, schema)| format!("`{{\"{name}\": …}}`, {}", value(root, schema)))
                .collect(),
            None => format!("`{}`", variant["const"]),
        };
        let meaning = meaning(&variant["description"]);
        writeln!(table, "| {form} | {meaning} |").unwrap();
    }
    table
}

/// Says what a field may hold.
fn value(root: &Value, schema: &Value) -> String {
    if let (Some(name), _) = place::resolve(root, schema) {
        let heading = heading(name);
        let anchor = heading.to_lowercase().replace(' ', "-");
        return format!("[{heading}](#{anchor})");
    }
    let kind = match &schema["type"] {
        // The other one is null.
        Value::Array(kinds) => &kinds[0],
        kind => kind,
    };
    let bounds = |least: &str, most: &str| match (schema.get(least), schema.get(most)) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (None, Some(most)) => format!("up to {most}"),
        (_, None) => String::new(),
    };
    match kind.as_str().unwrap() {
        "array" => {
            let items = value(root, &schema["items"]);
            format!("list of {}: {items}", bounds("minItems", "maxItems"))
        }
        "integer" => bounds("minimum", "maximum"),
        "string" => match (schema["pattern"].as_str(), schema["format"].as_str()) {
            (Some(pattern), _) => format!("`{}`", pattern.replace('|', "\\|")),
            (None, Some(_)) => "RFC 3339 time".to_owned(),
            (None, None) => match bounds("minLength", "maxLength").as_str() {
                "" => "string".to_owned(),
                bounds => format!("string of {bounds} characters"),
            },
        },
        "boolean" => "`true` or `false`".to_owned(),
        kind => panic!("no words for {kind}"),
    }
}

/// Writes a doc comment on one line of a table.
fn meaning(description: &Value) -> String {
    description
        .as_str()
        .unwrap()
        .replace('\n', " ")
        .replace('|', "\\|")
}

/// Splits the name of a definition into words.
fn heading(name: &str) -> String {
    let mut heading = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !heading.is_empty() {
            heading.push(' ');
            heading.push(character.to_ascii_lowercase());
        } else {
            heading.push(character);
        }
    }
    heading
}
