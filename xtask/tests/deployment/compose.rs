//! `envoy/compose.yaml`

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shipped::Shipped;
use crate::yaml::{documents, texts};

const FILE: &str = "envoy/compose.yaml";
const CONFIGURATION: &str = "./envoy.yaml:/etc/hookgate/envoy.yaml:ro";

/// Returns a service of a compose file.
///
/// # Errors
/// If the file has none of this name.
pub(crate) fn service(file: &str, name: &str) -> Result<Value> {
    let compose = documents(file)?;
    let service = compose
        .first()
        .and_then(|document| document.get("services")?.get(name));
    service.cloned().with_context(|| name.to_owned())
}

/// Tells whether a folder of the host is mounted there, read-only.
pub(crate) fn is_mounted(service: &Value, folder: &str) -> bool {
    let end = format!("}}:{folder}:ro");
    texts(&service["volumes"])
        .iter()
        .any(|volume| volume.ends_with(&end))
}

#[test]
fn compose_mounts_the_watched_folder_in_both() -> Result<()> {
    let shipped = Shipped::read()?;
    for name in ["envoy", "upstream"] {
        let service = service(FILE, name)?;
        assert!(is_mounted(&service, &shipped.watched), "{service:#}");
        assert!(is_mounted(&service, &shipped.gate_token), "{service:#}");
        let volumes = texts(&service["volumes"]);
        assert!(volumes.contains(&CONFIGURATION), "{volumes:?}");
        // Everybody who can inspect a container sees its environment.
        assert_eq!(service.get("environment"), None, "{name}");
        assert_eq!(service["read_only"], true, "{name}");
    }
    assert!(is_mounted(&service(FILE, "envoy")?, &shipped.certificate));
    // At debug this logger prints the keyring.
    let image = crate::read("envoy/Containerfile")?;
    assert!(image.contains(r#""--component-log-level", "config:info"]"#));
    Ok(())
}

#[test]
fn the_upstream_of_compose_reads_what_envoy_reads() -> Result<()> {
    let shipped = Shipped::read()?;
    let upstream = service(FILE, "upstream")?;
    let command = texts(&upstream["command"]);
    let keyring = format!("--keyring={}", shipped.keyring);
    assert!(command.contains(&keyring.as_str()), "{command:?}");
    let tokens = format!("--gate-token-file={}/tokens", shipped.gate_token);
    assert!(command.contains(&tokens.as_str()), "{command:?}");
    assert!(
        command.contains(&"--gate=/etc/hookgate/envoy.yaml"),
        "{command:?}"
    );
    assert!(command.contains(&"--listen=127.0.0.1:8080"), "{command:?}");
    assert!(shipped.has_port(8080));
    Ok(())
}
