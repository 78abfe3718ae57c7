//! Places of a schema, and the same places of an instance.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// One step from the root of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Field(String),
    Item,
}

/// A schema and where its instances stand.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    pub(crate) path: Vec<Step>,
    /// Name of the definition that it refers to.
    pub(crate) definition: Option<&'a str>,
    /// The schema that stands there, with the meaning of this one use.
    pub(crate) used: &'a Value,
    /// The schema that it refers to, or itself.
    pub(crate) schema: &'a Value,
}

impl Place<'_> {
    /// Returns its path as the parser would write it, with `[]` for any item.
    pub(crate) fn name(&self) -> String {
        let mut name = String::new();
        for step in &self.path {
            match step {
                Step::Item => name.push_str("[]"),
                Step::Field(field) if name.is_empty() => name.push_str(field),
                Step::Field(field) => write!(name, ".{field}").unwrap(),
            }
        }
        name
    }

    /// Returns an instance that has `value` here and nothing else.
    pub(crate) fn alone(&self, value: Value) -> Value {
        self.path
            .iter()
            .rev()
            .fold(value, |value, step| match step {
                Step::Item => json!([value]),
                Step::Field(field) => json!({field: value}),
            })
    }

    /// Returns the JSON pointers of its occurrences in an instance.
    pub(crate) fn pointers(&self, instance: &Value) -> Vec<String> {
        let mut found = vec![(String::new(), instance)];
        for step in &self.path {
            found = found
                .into_iter()
                .flat_map(|(pointer, value)| children(&pointer, value, step))
                .collect();
        }
        found.into_iter().map(|(pointer, _)| pointer).collect()
    }
}

fn children<'a>(pointer: &str, value: &'a Value, step: &Step) -> Vec<(String, &'a Value)> {
    match step {
        Step::Field(field) => value
            .get(field)
            .map(|value| (format!("{pointer}/{field}"), value))
            .into_iter()
            .collect(),
        Step::Item => value
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, value)| (format!("{pointer}/{index}"), value))
            .collect(),
    }
}

/// Writes a JSON pointer as the parser would.
pub(crate) fn spelled(pointer: &str) -> String {
    let mut name = String::new();
    for step in pointer.split('/').skip(1) {
        if step.parse::<usize>().is_ok() {
            write!(name, "[{step}]").unwrap();
        } else if name.is_empty() {
            name.push_str(step);
        } else {
            write!(name, ".{step}").unwrap();
        }
    }
    name
}

/// Returns every place of a schema, each before those within it.
pub(crate) fn all(root: &Value) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    visit(root, root, &[], &mut places);
    places
}

fn visit<'a>(root: &'a Value, used: &'a Value, path: &[Step], places: &mut Vec<Place<'a>>) {
    let (definition, schema) = resolve(root, used);
    places.push(Place {
        path: path.to_vec(),
        definition,
        used,
        schema,
    });
    let mut step = |step, schema| {
        let path: Vec<_> = path.iter().cloned().chain([step]).collect();
        visit(root, schema, &path, places);
    };
    if let Some(items) = schema.get("items") {
        step(Step::Item, items);
    }
    // An object's own fields, or those of each variant of an enum.
    let variants = match schema.get("properties") {
        Some(_) => std::slice::from_ref(schema),
        None => schema["oneOf"].as_array().map_or(&[][..], Vec::as_slice),
    };
    for object in variants {
        for (field, schema) in object["properties"].as_object().into_iter().flatten() {
            step(Step::Field(field.clone()), schema);
        }
    }
}

/// Follows a reference, and leaves out that a field may be null.
pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> (Option<&'a str>, &'a Value) {
    let reference = schema
        .get("$ref")
        .or_else(|| schema.pointer("/anyOf/0/$ref"));
    let name = reference
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix("#/$defs/"));
    name.map_or((None, schema), |name| (Some(name), &root["$defs"][name]))
}
