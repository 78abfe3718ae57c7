//! The layer rules of ARCHITECTURE.md, held over `cargo metadata`.

mod graph;

use anyhow::Result;
use graph::Graph;

/// Who of the workspace may depend on whom of the workspace.
const INSIDE: [(&str, &[&str]); 13] = [
    ("hookgate-json", &[]),
    ("hookgate-core", &["hookgate-json"]),
    ("hookgate-watch", &[]),
    ("hookgate-doctor", &["hookgate-core"]),
    ("hookgate-plugin", &["hookgate-core", "hookgate-watch"]),
    ("hookgate-edge", &["hookgate-core"]),
    ("hookgate-edge-bindgen", &[]),
    (
        "hookgate-doctor-page",
        &["hookgate-core", "hookgate-doctor"],
    ),
    (
        "hookgate-upstream",
        &["hookgate-core", "hookgate-watch", "hookgate-doctor"],
    ),
    ("hookgate-consumer", &["hookgate-core"]),
    ("hookgate-host-tests", &["hookgate-core", "hookgate-watch"]),
    ("xtask", &[]),
    ("hookgate-fuzz", &["hookgate-core"]),
];

/// Who of the workspace may see these, directly or through others.
const OUTSIDE: [(&str, &[&str]); 8] = [
    ("proxy-wasm", &["hookgate-plugin"]),
    // OpenTelemetry brings it along, for another target.
    (
        "wasm-bindgen",
        &[
            "hookgate-edge",
            "hookgate-doctor-page",
            "hookgate-upstream",
            "hookgate-host-tests",
        ],
    ),
    ("wasm-bindgen-cli-support", &["hookgate-edge-bindgen"]),
    (
        "tokio",
        &[
            "hookgate-upstream",
            "hookgate-consumer",
            "hookgate-host-tests",
        ],
    ),
    ("async-nats", &["hookgate-upstream", "hookgate-host-tests"]),
    ("lapin", &["hookgate-upstream", "hookgate-host-tests"]),
    ("rdkafka", &["hookgate-upstream", "hookgate-host-tests"]),
    ("rusqlite", &["hookgate-upstream", "hookgate-consumer"]),
];

/// Names every dependency that breaks a layer rule.
fn violations(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (member, dependencies) in graph.members() {
        let Some((_, allowed)) = INSIDE.iter().find(|(name, _)| *name == member) else {
            found.push(format!("{member} has no layer rule"));
            continue;
        };
        for dependency in dependencies {
            if graph.is_member(dependency) && !allowed.contains(&dependency) {
                found.push(format!("{member} depends on {dependency}"));
            }
        }
        for (package, allowed) in OUTSIDE {
            if !allowed.contains(&member) && graph.sees(member, package) {
                found.push(format!("{member} sees {package}"));
            }
        }
    }
    found
}

#[test]
fn the_workspace_keeps_the_layers() -> Result<()> {
    let graph = Graph::of_this_workspace()?;
    assert!(graph.is_member("hookgate-core"), "{graph:?}");
    assert!(graph.sees("hookgate-plugin", "proxy-wasm"), "{graph:?}");
    assert!(graph.sees("hookgate-upstream", "tokio"), "{graph:?}");
    assert_eq!(violations(&graph), Vec::<String>::new());
    Ok(())
}

/// A workspace with one edge more than the rules allow.
fn workspace_with(edge: (&'static str, &'static str)) -> Graph {
    Graph::new(
        &[
            "hookgate-core",
            "hookgate-plugin",
            "hookgate-upstream",
            "hookgate-host-tests",
            "xtask",
        ],
        &[
            ("hookgate-plugin", "hookgate-core"),
            ("hookgate-plugin", "proxy-wasm"),
            ("hookgate-upstream", "hookgate-core"),
            ("hookgate-upstream", "tokio"),
            ("hookgate-host-tests", "hookgate-core"),
            ("reqwest", "tokio"),
            edge,
        ],
    )
}

#[test]
fn accepts_what_the_rules_allow() {
    let graph = workspace_with(("hookgate-host-tests", "tokio"));
    assert_eq!(violations(&graph), Vec::<String>::new());
}

#[test]
fn refuses_each_forbidden_dependency() {
    let forbidden = [
        ("hookgate-plugin", "hookgate-upstream"),
        ("hookgate-upstream", "hookgate-plugin"),
        ("hookgate-core", "hookgate-plugin"),
        ("hookgate-host-tests", "hookgate-upstream"),
        ("xtask", "hookgate-core"),
    ];
    for (member, dependency) in forbidden {
        let expected = format!("{member} depends on {dependency}");
        let found = violations(&workspace_with((member, dependency)));
        assert!(found.contains(&expected), "{expected}: {found:?}");
    }
}

#[test]
fn refuses_what_is_seen_through_others() {
    let found = violations(&workspace_with(("xtask", "reqwest")));
    assert_eq!(found, ["xtask sees tokio"]);
    let found = violations(&workspace_with(("hookgate-upstream", "proxy-wasm")));
    assert_eq!(found, ["hookgate-upstream sees proxy-wasm"]);
}

#[test]
fn refuses_a_member_without_a_rule() {
    let graph = Graph::new(&["newcomer"], &[]);
    assert_eq!(violations(&graph), ["newcomer has no layer rule"]);
}
