//! What an endpoint does with genuine events that it wants, doesn't want, or
//! sends elsewhere.

mod decisions;
mod routes;
mod unwanted;

use anyhow::Result;
use bytes::Bytes;
use hookgate_host_tests::event::{Event, fresh_id};
use serde_json::{Value, json};

/// Makes a fresh event with these fields beside its ID.
fn event(mut fields: Value) -> Result<Event> {
    let id = fresh_id();
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("id".into(), json!(id));
        fields.insert("object".into(), json!("event"));
    }
    let payload = Bytes::from(serde_json::to_vec(&fields)?);
    Ok(Event { id, payload })
}

/// Makes a gate whose endpoints take their secrets from the watched file.
fn gate(endpoints: &[Value]) -> Value {
    json!({
        "endpoints": endpoints,
        "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
        "upstream_timeout_seconds": 10,
    })
}
