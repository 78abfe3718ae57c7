//! `envoy/kubernetes.yaml`

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::shipped::Shipped;
use crate::yaml::{documents, texts};

const FILE: &str = "envoy/kubernetes.yaml";
const CONFIGURATION: &str = "/etc/hookgate/config/envoy.yaml";

fn object(kind: &str) -> Result<Value> {
    let mut objects = documents(FILE)?.into_iter();
    let found = objects.find(|object| object["kind"] == kind);
    found.with_context(|| kind.to_owned())
}

fn pod() -> Result<Value> {
    let deployment = object("Deployment")?;
    let pod = deployment.pointer("/spec/template/spec");
    pod.cloned().context("a Pod")
}

/// Returns the upstream and Envoy.
fn containers() -> Result<[Value; 2]> {
    let pod = pod()?;
    let one = |path| pod.pointer(path).cloned().context(path);
    Ok([one("/initContainers/0")?, one("/containers/0")?])
}

/// Returns the name of the volume at each path.
fn mounts(container: &Value) -> BTreeMap<&str, &str> {
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    mounts
        .filter_map(|mount| Some((mount["mountPath"].as_str()?, mount["name"].as_str()?)))
        .collect()
}

#[test]
fn every_document_is_an_object_of_kubernetes() -> Result<()> {
    let objects = documents(FILE)?;
    let kinds: Vec<_> = objects
        .iter()
        .map(|object| {
            assert_eq!(object["metadata"]["name"], "hookgate");
            (object["apiVersion"].as_str(), object["kind"].as_str())
        })
        .collect();
    assert_eq!(
        kinds,
        [
            (Some("apps/v1"), Some("Deployment")),
            (Some("v1"), Some("Service")),
            (Some("policy/v1"), Some("PodDisruptionBudget")),
        ]
    );
    Ok(())
}

#[test]
fn both_containers_see_a_new_secret() -> Result<()> {
    let shipped = Shipped::read()?;
    let pod = pod()?;
    let volumes = pod["volumes"].as_array().context("volumes")?;
    for container in containers()? {
        let mounted = mounts(&container);
        for (folder, wanted) in [
            (&shipped.watched, "hookgate-keys"),
            (&shipped.gate_token, "hookgate-gate"),
        ] {
            let name = mounted.get(folder.as_str()).context(wanted)?;
            let volume = volumes.iter().find(|volume| volume["name"] == *name);
            let secret = &volume.context("its volume")?["secret"];
            assert_eq!(secret["secretName"], wanted);
        }
        for mount in container["volumeMounts"].as_array().context("mounts")? {
            // The kubelet never updates what is mounted by subPath.
            assert_eq!(mount.get("subPath"), None, "{mount}");
            assert_eq!(mount.get("subPathExpr"), None, "{mount}");
            assert_eq!(mount["readOnly"], true, "{mount}");
            let declared = volumes.iter().any(|volume| volume["name"] == mount["name"]);
            assert!(declared, "{mount}");
        }
    }
    Ok(())
}

#[test]
fn both_containers_read_one_configuration() -> Result<()> {
    let shipped = Shipped::read()?;
    let [upstream, envoy] = containers()?;
    let (folder, _) = CONFIGURATION.rsplit_once('/').context("a folder")?;
    assert_eq!(mounts(&upstream).get(folder), Some(&"config"));
    assert_eq!(mounts(&envoy).get(folder), Some(&"config"));
    assert_eq!(
        mounts(&envoy).get(shipped.certificate.as_str()),
        Some(&"tls")
    );

    let arguments = texts(&upstream["args"]);
    let wanted = [
        format!("--gate={CONFIGURATION}"),
        format!("--keyring={}", shipped.keyring),
        format!("--gate-token-file={}/tokens", shipped.gate_token),
        "--listen=127.0.0.1:8080".to_owned(),
    ];
    for wanted in &wanted {
        assert!(arguments.contains(&wanted.as_str()), "{arguments:?}");
    }
    assert!(shipped.has_port(8080));
    let arguments = texts(&envoy["args"]);
    let pairs: Vec<_> = arguments.windows(2).collect();
    assert!(pairs.contains(&["--config-path", CONFIGURATION].as_slice()));
    // At debug this logger prints the keyring.
    assert!(pairs.contains(&["--component-log-level", "config:info"].as_slice()));
    Ok(())
}

#[test]
fn the_service_leads_to_the_tls_listener() -> Result<()> {
    let shipped = Shipped::read()?;
    let [_, envoy] = containers()?;
    let port = &envoy["ports"][0];
    assert_eq!(*port, json!({"name": "https", "containerPort": 10443}));
    assert!(shipped.has_port(10443));
    let service = object("Service")?;
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    // Another policy hides the addresses by which failures are counted.
    assert_eq!(service["spec"]["externalTrafficPolicy"], "Local");
    Ok(())
}

#[test]
fn every_selector_finds_the_pods() -> Result<()> {
    let deployment = object("Deployment")?;
    let template = &deployment["spec"]["template"];
    let labels = &template["metadata"]["labels"];
    assert!(labels.is_object());
    let spread = &template["spec"]["topologySpreadConstraints"][0];
    let budget = object("PodDisruptionBudget")?;
    let selectors = [
        &deployment["spec"]["selector"]["matchLabels"],
        &spread["labelSelector"]["matchLabels"],
        &budget["spec"]["selector"]["matchLabels"],
        &object("Service")?["spec"]["selector"],
    ];
    for selector in selectors {
        assert_eq!(selector, labels);
    }
    Ok(())
}

#[test]
fn the_containers_may_do_nothing_more_than_serve() -> Result<()> {
    let pod = pod()?;
    assert_eq!(pod["automountServiceAccountToken"], false);
    let context = &pod["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    // What the images run as, and whose group the Secrets get.
    let user = 65532;
    assert_eq!(context["runAsUser"], user);
    assert_eq!(context["fsGroup"], user);
    for file in ["envoy/Containerfile", "envoy/Containerfile.upstream"] {
        assert!(crate::read(file)?.contains(&format!("USER {user}:{user}")));
    }
    for container in containers()? {
        let locked = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], locked);
        assert!(container["readinessProbe"].is_object());
        assert!(container["livenessProbe"].is_object());
        assert!(container["resources"]["limits"]["memory"].is_string());
    }
    Ok(())
}
