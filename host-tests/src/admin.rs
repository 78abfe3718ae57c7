//! Envoy's admin: ports, counters, dumps.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};

use crate::client::{self, Delivery};
use crate::wait;

/// The admin of one Envoy.
#[derive(Debug, Clone, Copy)]
pub struct Admin {
    address: SocketAddr,
}

impl Admin {
    /// Makes the admin at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the text of an admin page.
    ///
    /// # Errors
    /// The admin doesn't answer with 200.
    pub async fn page(&self, path: &str) -> Result<String> {
        let answer = client::send(self.address, Delivery::get(path)).await?;
        if answer.status != 200 {
            bail!("admin {path}: {}", answer.status);
        }
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Returns the addresses that Envoy's listeners are bound to, by name.
    ///
    /// # Errors
    /// The admin doesn't answer, or not as Envoy does.
    pub async fn listeners(&self) -> Result<Vec<(String, SocketAddr)>> {
        let page = self.page("/listeners?format=json").await?;
        let json: serde_json::Value = serde_json::from_str(&page)?;
        let all = json
            .pointer("/listener_statuses")
            .and_then(|v| v.as_array());
        all.into_iter()
            .flatten()
            .map(|status| {
                let text = |at: &str| status.pointer(at).and_then(|v| v.as_str());
                let name = text("/name").context("a listener without a name")?;
                let ip = text("/local_address/socket_address/address")
                    .context("a listener without an address")?;
                let port = status
                    .pointer("/local_address/socket_address/port_value")
                    .and_then(serde_json::Value::as_u64)
                    .context("a listener without a port")?;
                Ok((name.to_owned(), format!("{ip}:{port}").parse()?))
            })
            .collect()
    }

    /// Waits until Envoy has taken (`update_success`) or refused
    /// (`update_rejected`) so many versions of its listeners.
    ///
    /// # Errors
    /// It doesn't within [`wait::PATIENCE`].
    pub async fn expect_listener_updates(&self, what: &str, count: u64) -> Result<()> {
        let stat = format!("listener_manager.lds.{what}: {count}");
        wait::until(&stat, wait::PATIENCE, async || {
            let page = self.page("/stats?filter=listener_manager.lds").await?;
            Ok(page.lines().any(|line| line == stat).then_some(()))
        })
        .await
    }

    /// Adds up every counter whose name satisfies `wanted`.
    ///
    /// # Errors
    /// The admin doesn't answer.
    pub async fn sum(&self, wanted: impl Fn(&str) -> bool) -> Result<u64> {
        let page = self.page("/stats").await?;
        Ok(page
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| wanted(name))
            .filter_map(|(_, value)| value.parse::<u64>().ok())
            .sum())
    }

    /// Returns how many deliveries at `endpoint` ended for `reason`.
    ///
    /// # Errors
    /// The admin doesn't answer.
    pub async fn deliveries(&self, endpoint: &str, reason: &str) -> Result<u64> {
        let start = format!("wasmcustom.hookgate_deliveries.endpoint.{endpoint}.outcome.");
        let end = format!(".reason.{reason}");
        self.sum(|stat| stat.starts_with(&start) && stat.ends_with(&end))
            .await
    }

    /// Waits until exactly `count` deliveries at `endpoint` ended for
    /// `reason`: Envoy counts a delivery when its stream is done, shortly
    /// after the sender has its answer.
    ///
    /// # Errors
    /// There are more, or not as many in time.
    pub async fn expect_deliveries(&self, endpoint: &str, reason: &str, count: u64) -> Result<()> {
        let what = format!("{count} × {reason} at {endpoint}");
        wait::until(&what, wait::PATIENCE, async || {
            let now = self.deliveries(endpoint, reason).await?;
            if now > count {
                bail!("{now} instead of {what}");
            }
            Ok((now == count).then_some(()))
        })
        .await
    }

    /// Returns how many requests Envoy has sent to its upstream clusters.
    ///
    /// # Errors
    /// The admin doesn't answer.
    pub async fn forwarded(&self) -> Result<u64> {
        self.sum(|name| name.starts_with("cluster.") && name.ends_with(".upstream_rq_total"))
            .await
    }

    /// Waits until Envoy has no connection to an upstream that was killed: until
    /// then a request may be lost on one that is dead.
    ///
    /// # Errors
    /// It has one for too long.
    pub async fn expect_unconnected(&self, upstream: SocketAddr) -> Result<()> {
        let end = format!("::{upstream}::cx_active::0");
        wait::until(&end, wait::PATIENCE, async || {
            let page = self.page("/clusters").await?;
            Ok(page.lines().any(|line| line.ends_with(&end)).then_some(()))
        })
        .await
    }

    /// Returns how often a Wasm VM had to be reloaded, tried or done.
    ///
    /// # Errors
    /// The admin doesn't answer.
    pub async fn vm_reloads(&self) -> Result<u64> {
        self.sum(|name| name.starts_with("wasm.") && name.contains("vm_reload"))
            .await
    }
}
