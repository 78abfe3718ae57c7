//! The shipped Envoy configuration with this run's addresses and paths in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use hookgate_core::capability;
use hookgate_core::config::Config;
use serde_json::Value;

use crate::{artefact, blocks};

/// Begins the gate's configuration.
const CONFIGURATION: &str = "                  value: |\n";

/// Begins what comes after the gate.
const ROUTER: &str = "          - name: envoy.filters.http.router\n";

/// Begins the list of what the gate may call.
const CAPABILITIES: &str = "allowed_capabilities:\n";

/// The text of `envoy/envoy.yaml`, edited by exact replacement only.
///
/// An edit whose text isn't there fails: what runs is always the shipped file.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    text: String,
}

impl Bootstrap {
    /// Reads the shipped file.
    ///
    /// # Errors
    /// It can't be read.
    pub fn shipped() -> Result<Self> {
        let text = read("envoy/envoy.yaml")?;
        Ok(Self { text })
    }

    /// Reads the complete file, with these of its blocks only.
    ///
    /// # Errors
    /// It can't be read, or has no such block.
    pub fn complete(wanted: &[&str]) -> Result<Self> {
        let text = blocks::keep(&read("envoy/complete.yaml")?, wanted)?;
        Ok(Self { text })
    }

    /// Returns the names of the complete file's blocks.
    ///
    /// # Errors
    /// It can't be read.
    pub fn block_names() -> Result<BTreeSet<String>> {
        blocks::names(&read("envoy/complete.yaml")?)
    }

    /// Returns the text as it stands.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces `from` by `to` wherever it stands.
    ///
    /// # Errors
    /// `from` doesn't stand in the file.
    pub fn replace(&mut self, from: &str, to: &str) -> Result<()> {
        if !self.text.contains(from) {
            bail!("`{from}` does not stand in the configuration");
        }
        self.text = self.text.replace(from, to);
        Ok(())
    }

    /// Replaces the gate's configuration, lets it call what this one needs, and
    /// adds a route for each endpoint that has none.
    ///
    /// # Errors
    /// The file has no configuration, or the new one has no endpoints.
    pub fn configure(&mut self, configuration: &Value) -> Result<()> {
        const START: &str = CONFIGURATION;
        let (before, rest) = self.text.split_once(START).context("no configuration")?;
        let (_, after) = rest.split_once(ROUTER).context("no router")?;
        // JSON is YAML: in one line it needs no indentation of its own.
        self.text = format!("{before}{START}                    {configuration}\n{ROUTER}{after}");
        // One that is to be refused needs nothing.
        if let Ok(config) = Config::from_json(configuration.to_string().as_bytes()) {
            self.allow(&capability::needed(&config))?;
        }
        let endpoints = configuration.get("endpoints").and_then(Value::as_array);
        for endpoint in endpoints.context("no endpoints")? {
            let path = endpoint.get("path").and_then(Value::as_str);
            let path = path.context("an endpoint without a path")?;
            let route = format!("- match: {{path: {path}}}\n");
            if !self.text.contains(&route) {
                let first = "              - match: {path: /webhooks/stripe/connect}\n";
                let added = format!("              {route}                route: *to_upstream\n");
                self.replace(first, &format!("{added}{first}"))?;
            }
        }
        Ok(())
    }

    /// Puts other filters in the place of the gate and of what serves it.
    ///
    /// # Errors
    /// The file has no filters before its router.
    pub fn replace_filters(&mut self, filters: &str) -> Result<()> {
        const START: &str = "          http_filters:\n";
        let (before, rest) = self.text.split_once(START).context("no filters")?;
        let (_, after) = rest.split_once(ROUTER).context("no router")?;
        self.text = format!("{before}{START}{filters}{ROUTER}{after}");
        Ok(())
    }

    /// Returns the gate's configuration.
    ///
    /// # Errors
    /// The file has none.
    pub fn gate_configuration(&self) -> Result<String> {
        let (_, rest) = self
            .text
            .split_once(CONFIGURATION)
            .context("no configuration")?;
        let indent = " ".repeat(20);
        let lines = rest.lines().take_while(|line| line.starts_with(&indent));
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Returns what the gate is allowed to call, as it stands there.
    #[must_use]
    pub fn capabilities(&self) -> Vec<&str> {
        let (_, list) = self.text.split_once(CAPABILITIES).unwrap_or_default();
        list.lines()
            .map(str::trim)
            .take_while(|line| line.ends_with(": {}") || line.starts_with('#'))
            .filter_map(|line| line.strip_suffix(": {}"))
            .collect()
    }

    fn allow(&mut self, names: &[&str]) -> Result<()> {
        let allowed = self.capabilities();
        let missing: String = names
            .iter()
            .filter(|name| !allowed.contains(name))
            .map(|name| format!("{}{name}: {{}}\n", " ".repeat(22)))
            .collect();
        self.replace(CAPABILITIES, &format!("{CAPABILITIES}{missing}"))
    }

    /// Takes the listeners out into a file of `folder` that Envoy watches, as
    /// a control plane would send them; returns their text.
    ///
    /// # Errors
    /// The file has no listeners before its clusters.
    pub fn take_listeners(&mut self, folder: &Path) -> Result<String> {
        const START: &str = "static_resources:\n  listeners:\n";
        const END: &str = "\n  clusters:\n";
        let (before, rest) = self.text.split_once(START).context("no listeners")?;
        let (listeners, after) = rest.split_once(END).context("no clusters")?;
        const LISTENER: &str =
            "- \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n    name: ";
        let listeners = listeners.strip_prefix("  - name: ").context("no name")?;
        let listeners = listeners.replace("\n  - name: ", &format!("\n  {LISTENER}"));
        let watched = folder.display();
        self.text = format!(
            "{before}dynamic_resources:\n  lds_config:\n    resource_api_version: V3\n    \
             path_config_source:\n      path: {watched}/lds.yaml\n      \
             watched_directory: {{path: {watched}}}\n\
             static_resources:{END}{after}"
        );
        Ok(format!("resources:\n  {LISTENER}{listeners}\n"))
    }

    /// Writes the result to `path`.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, &self.text).with_context(|| format!("cannot write `{}`", path.display()))
    }
}

fn read(relative: &str) -> Result<String> {
    let path = artefact::root().join(relative);
    fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
}
