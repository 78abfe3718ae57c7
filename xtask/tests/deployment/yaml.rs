//! YAML as JSON, which has pointers to look things up with.

use anyhow::{Result, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

use crate::read;

/// Parses every document of a file of the repository.
///
/// # Errors
/// If the file can't be read, isn't YAML, or has what JSON has not.
pub(crate) fn documents(relative: &str) -> Result<Vec<Value>> {
    Yaml::load_from_str(&read(relative)?)?
        .iter()
        .map(value)
        .collect()
}

fn value(node: &Yaml<'_>) -> Result<Value> {
    Ok(match node {
        Yaml::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        Yaml::Value(Scalar::Boolean(truth)) => Value::from(*truth),
        Yaml::Value(Scalar::Integer(number)) => Value::from(*number),
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Sequence(items) => items.iter().map(value).collect::<Result<_>>()?,
        Yaml::Mapping(fields) => fields
            .iter()
            .map(|(key, field)| match key.as_str() {
                // Kubernetes and compose read YAML by different rules for it.
                Some("<<") | None => bail!("{key:?} is no field's name"),
                Some(key) => Ok((key.to_owned(), value(field)?)),
            })
            .collect::<Result<Map<_, _>>>()?
            .into(),
        other => bail!("{other:?} is not expected in a manifest"),
    })
}

/// Returns the texts of a sequence.
pub(crate) fn texts(sequence: &Value) -> Vec<&str> {
    let items = sequence.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}
