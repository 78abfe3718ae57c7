//! Who depends on whom, by name.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

/// The packages of a workspace and everything below them; build and test dependencies count.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    members: BTreeSet<String>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Makes a graph from members and edges.
    pub(crate) fn new(members: &[&str], edges: &[(&str, &str)]) -> Self {
        let mut graph = Self {
            members: members.iter().map(|&member| member.to_owned()).collect(),
            ..Self::default()
        };
        for (from, to) in edges {
            graph.add(from, to);
        }
        graph
    }

    /// Reads the graph of the workspace that this test belongs to.
    pub(crate) fn of_this_workspace() -> Result<Self> {
        let metadata = MetadataCommand::new().exec()?;
        let name = |id| metadata[id].name.to_string();
        let mut graph = Self {
            members: metadata.workspace_members.iter().map(name).collect(),
            ..Self::default()
        };
        let resolve = metadata
            .resolve
            .as_ref()
            .context("cargo resolved nothing")?;
        for node in &resolve.nodes {
            for dependency in &node.deps {
                // A crate's own tests may see anything; only what it is made of is handed on.
                let built_in = dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind != cargo_metadata::DependencyKind::Development);
                if built_in || metadata.workspace_members.contains(&node.id) {
                    graph.add(&name(&node.id), &name(&dependency.pkg));
                }
            }
        }
        Ok(graph)
    }

    /// Returns each member with its direct dependencies.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.members.iter().map(|member| {
            let direct = self.dependencies.get(member).into_iter().flatten();
            (member.as_str(), direct.map(String::as_str).collect())
        })
    }

    /// Tells whether a package belongs to the workspace.
    pub(crate) fn is_member(&self, package: &str) -> bool {
        self.members.contains(package)
    }

    /// Tells whether a package depends on another, directly or through others.
    pub(crate) fn sees(&self, package: &str, wanted: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![package];
        while let Some(next) = waiting.pop() {
            for dependency in self.dependencies.get(next).into_iter().flatten() {
                if dependency == wanted {
                    return true;
                }
                if seen.insert(dependency) {
                    waiting.push(dependency);
                }
            }
        }
        false
    }

    fn add(&mut self, from: &str, to: &str) {
        self.dependencies
            .entry(from.to_owned())
            .or_default()
            .insert(to.to_owned());
    }
}
