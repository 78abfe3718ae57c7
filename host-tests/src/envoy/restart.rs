//! Envoy's hot restart: a successor takes the listeners over.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::timeout;

use super::{Envoy, setup};
use crate::artefact::{self, Runtime};
use crate::process::Process;
use crate::wait;

impl Envoy {
    /// Starts a successor with the same files, and waits until this process has
    /// drained and ended. Only for one with [`super::Setup::drain_seconds`].
    ///
    /// # Errors
    /// The successor doesn't start, or the process before doesn't end.
    pub async fn hot_restart(&mut self) -> Result<()> {
        let runtime = artefact::envoy()?;
        if !matches!(runtime, Runtime::Native(_)) {
            bail!("a container has no successor");
        }
        let folder = self.folder.path();
        self.epoch += 1;
        // A successor is handed the sockets of the addresses that it names.
        let mut text = fs::read_to_string(folder.join("envoy.yaml"))?;
        for (name, address) in [("plain", self.plain), ("tls", self.tls)] {
            let at = |port: u16| {
                format!(
                    "  - name: {name}\n    address:\n      socket_address: \
                     {{address: 127.0.0.1, port_value: {port}}}\n"
                )
            };
            ensure!(text.contains(&at(0)), "no listener {name}");
            text = text.replace(&at(0), &at(address.port()));
        }
        let file = folder.join(format!("envoy.{}.yaml", self.epoch));
        fs::write(&file, text)?;
        let address_file = folder.join(format!("admin.{}", self.epoch));
        let base_id = fs::read_to_string(folder.join("base-id"))?;
        let (mut command, _) = self.setup.command(&runtime, folder)?;
        command
            .arg("-c")
            .arg(file)
            .args(["--base-id", base_id.trim()])
            .args(["--restart-epoch", &self.epoch.to_string()])
            .arg("--admin-address-path")
            .arg(&address_file);
        let name = format!("envoy.{}", self.epoch);
        let mut successor = Process::spawn(&name, command, folder)?;
        self.admin = setup::admin(&mut successor, &address_file).await?;
        let admin = self.admin;
        wait::until("the successor", wait::PATIENCE, async || {
            successor.ensure_running()?;
            Ok(admin.page("/ready").await.is_ok().then_some(()))
        })
        .await?;
        let mut before = std::mem::replace(&mut self.process, successor);
        let ended = timeout(Duration::from_secs(30), before.ended()).await;
        ended.context("the process before goes on")??;
        Ok(())
    }
}
