//! `envoy/compose.cluster.yaml`, beside `nats.cluster.conf` and `cluster.yaml`.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::compose::{is_mounted, service};
use crate::read;
use crate::shipped::Shipped;
use crate::yaml::texts;

const FILE: &str = "envoy/compose.cluster.yaml";
const NATS: [&str; 3] = ["nats-1", "nats-2", "nats-3"];
const UPSTREAMS: [&str; 2] = ["upstream-1", "upstream-2"];

/// Returns what a service's command gives to a flag.
fn flag(service: &Value, name: &str) -> Result<String> {
    let start = format!("--{name}=");
    let command = texts(&service["command"]);
    let value = command.iter().find_map(|it| it.strip_prefix(&start));
    value.map(str::to_owned).context(start)
}

#[test]
fn each_nats_of_the_cluster_is_a_route_of_the_others_and_keeps_its_own_store() -> Result<()> {
    let configuration = read("envoy/nats.cluster.conf")?;
    let mut seen = BTreeSet::new();
    for name in NATS {
        let service = service(FILE, name)?;
        assert_eq!(flag(&service, "name")?, name);
        let route = flag(&service, "cluster")?;
        assert!(configuration.contains(&format!("\"{route}\"")), "{route}");
        let health = flag(&service, "http_port")?;
        let url = format!("http://127.0.0.1:{health}/healthz");
        assert!(texts(&service["healthcheck"]["test"]).contains(&url.as_str()));
        let volumes = texts(&service["volumes"]);
        let store = format!("{name}:/var/lib/nats");
        assert!(volumes.contains(&store.as_str()), "{volumes:?}");
        assert!(volumes.contains(&"./nats.cluster.conf:/etc/nats/nats.conf:ro"));
        let port = flag(&service, "port")?;
        for one in [route, health, port] {
            assert!(seen.insert(one.clone()), "{one} is used twice");
        }
    }
    assert_eq!(configuration.matches("\"nats://").count(), NATS.len());
    Ok(())
}

#[test]
fn each_upstream_of_the_cluster_knows_every_nats_and_envoy_knows_both() -> Result<()> {
    let ports: Result<Vec<String>> = NATS
        .iter()
        .map(|name| {
            Ok(format!(
                "127.0.0.1:{}",
                flag(&service(FILE, name)?, "port")?
            ))
        })
        .collect();
    let log = format!("nats://{}", ports?.join(","));
    let envoy = read("envoy/cluster.yaml")?;
    let shipped = Shipped::read()?;
    let mut listening = BTreeSet::new();
    for name in UPSTREAMS {
        let service = service(FILE, name)?;
        assert_eq!(flag(&service, "log")?, log);
        assert_eq!(flag(&service, "replicas")?, NATS.len().to_string());
        assert_eq!(flag(&service, "keyring")?, shipped.keyring);
        assert_eq!(flag(&service, "gate")?, "/etc/hookgate/envoy.yaml");
        let listen = flag(&service, "listen")?;
        let port = listen.strip_prefix("127.0.0.1:").context("loopback")?;
        let address = format!("{{address: 127.0.0.1, port_value: {port}}}");
        assert!(envoy.contains(&address), "{address}");
        let probed = format!("/dev/tcp/127.0.0.1/{port} ");
        let probe = texts(&service["healthcheck"]["test"]).join(" ");
        assert!(probe.contains(&probed), "{probe}");
        for one in [listen, flag(&service, "metrics")?] {
            assert!(listening.insert(one.clone()), "{one} is used twice");
        }
        // The stream is made by whoever comes first, on all three.
        for nats in NATS {
            let condition = &service["depends_on"][nats]["condition"];
            assert_eq!(condition, "service_healthy", "{name} on {nats}");
        }
    }
    Ok(())
}

#[test]
fn all_of_the_cluster_read_one_configuration_and_the_watched_folder() -> Result<()> {
    let shipped = Shipped::read()?;
    for name in UPSTREAMS.into_iter().chain(["envoy"]) {
        let service = service(FILE, name)?;
        assert!(is_mounted(&service, &shipped.watched), "{service:#}");
        assert!(is_mounted(&service, &shipped.gate_token), "{service:#}");
        let tokens = format!("--gate-token-file={}/tokens", shipped.gate_token);
        let command = service.get("command").map(texts);
        assert!(command.is_none_or(|it| it.contains(&tokens.as_str())));
        let volumes = texts(&service["volumes"]);
        let configuration = "./cluster.yaml:/etc/hookgate/envoy.yaml:ro";
        assert!(volumes.contains(&configuration), "{volumes:?}");
        // Everybody who can inspect a container sees its environment.
        assert_eq!(service.get("environment"), None, "{name}");
        assert_eq!(service["read_only"], true, "{name}");
    }
    assert!(is_mounted(&service(FILE, "envoy")?, &shipped.certificate));
    Ok(())
}

#[test]
fn nothing_of_the_cluster_is_reached_from_outside() -> Result<()> {
    let configuration = read("envoy/nats.cluster.conf")?;
    for line in ["host: 127.0.0.1\n", "http: 127.0.0.1:"] {
        assert!(configuration.contains(line), "{line}");
    }
    for name in NATS {
        let route = flag(&service(FILE, name)?, "cluster")?;
        assert!(route.starts_with("nats://127.0.0.1:"), "{route}");
    }
    Ok(())
}
