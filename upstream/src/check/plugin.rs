//! The plugin's configuration: read by the gate's own parser, then judged.

use hookgate_core::config::{Config, ConfigError, DEFAULT_ENDPOINT};

use super::{
    document::{Position, value_at},
    finding::{Code, Findings},
};

/// Checks a JSON configuration; `None` if it can't be used at all.
///
/// `place` turns a place of the JSON into one of the file.
pub(super) fn check(
    json: &str,
    place: impl Fn(Position) -> Position,
    findings: &mut Findings,
) -> Option<Config> {
    let config = match Config::from_json(json.as_bytes()) {
        Ok(config) => config,
        Err(error) => {
            let at = place(position(json, &error));
            findings.add(Code::PluginConfig, at, &error.to_string(), fix(&error));
            return None;
        }
    };
    let at = |path: &str| place(value_at(json, path).unwrap_or(START));
    shared_sources(&config, &at, findings);
    tolerances(&config, &at, findings);
    if config.pass_unknown_paths {
        findings.add(
            Code::UnknownPathsPass,
            at("pass_unknown_paths"),
            "`pass_unknown_paths` is true",
            "\"pass_unknown_paths\": false",
        );
    }
    Some(config)
}

const START: Position = Position { line: 1, column: 1 };

/// Finds where an error is: by its path, or by the parser's words.
fn position(json: &str, error: &ConfigError) -> Position {
    let (ConfigError::Shape { path, .. } | ConfigError::Value { path, .. }) = error;
    let at = value_at(json, path).unwrap_or(START);
    if at != START {
        return at;
    }
    let text = error.to_string();
    let number = |after: &str| -> Option<usize> {
        let (_, rest) = text.rsplit_once(after)?;
        let digits = rest.split(|digit: char| !digit.is_ascii_digit()).next()?;
        digits.parse().ok().filter(|&number| number > 0)
    };
    match (number(" at line "), number(" column ")) {
        (Some(line), Some(column)) => Position { line, column },
        _ => START,
    }
}

const fn fix(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Shape { .. } => {
            "write the field as docs/configuration.md has it; unknown fields are refused, so that \
             a misspelt one can't be overlooked"
        }
        ConfigError::Value { .. } => "set a value of the expected form or range",
    }
}

fn shared_sources(config: &Config, at: &impl Fn(&str) -> Position, findings: &mut Findings) {
    for (index, endpoint) in config.endpoints.iter().enumerate() {
        let mut earlier = config.endpoints.iter().take(index);
        if let Some(first) = earlier.find(|other| other.source == endpoint.source) {
            findings.add(
                Code::SharedSource,
                at(&format!("endpoints[{index}].source")),
                &format!(
                    "the endpoints `{}` and `{}` share the source `{}`",
                    first.name, endpoint.name, endpoint.source
                ),
                "unless both receive the events of one sender, give each a source of its own: \
                 leave `source` out",
            );
        }
    }
}

fn tolerances(config: &Config, at: &impl Fn(&str) -> Position, findings: &mut Findings) {
    let usual = DEFAULT_ENDPOINT.tolerance_seconds;
    for (index, endpoint) in config.endpoints.iter().enumerate() {
        for (field, tolerance) in [
            ("tolerance_past_seconds", endpoint.tolerance.past),
            ("tolerance_future_seconds", endpoint.tolerance.future),
        ] {
            if tolerance.as_secs() > usual {
                findings.add(
                    Code::ToleranceRaised,
                    at(&format!("endpoints[{index}].{field}")),
                    &format!("`{field}` is {} s", tolerance.as_secs()),
                    &format!("\"{field}\": {usual}"),
                );
            }
        }
    }
}
