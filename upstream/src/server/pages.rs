//! What is read beside the intake: metrics by Prometheus, the console by people.
//! On one port if both have one address.

use std::{future::pending, io, net::SocketAddr, sync::Arc};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};
use tracing::info;

use super::{ServeError, connections};
use crate::{
    config::Listen,
    console::{self, Console},
    log::LogAddress,
    metrics::{self, Metrics},
};

/// Holds the ports, on which nothing is answered yet.
#[derive(Debug)]
pub(super) struct Pages {
    metrics: Option<Port>,
    console: Option<(console::Settings, Option<Port>)>,
}

/// A port that listens.
#[derive(Debug)]
struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

/// Ends tasks with their owner.
#[derive(Debug, Default)]
pub(super) struct Serving(Vec<JoinHandle<()>>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Pages {
    /// Listens.
    ///
    /// # Errors
    /// [`ServeError::Metrics`], [`ServeError::Console`].
    pub(super) async fn bind(
        metrics: Listen,
        console: Option<console::Settings>,
    ) -> Result<Self, ServeError> {
        let mut shared = None;
        let metrics = match metrics {
            Listen::Off => None,
            Listen::At(listen) => {
                shared = Some(listen);
                let port = Port::bind(listen).await;
                let port = port.map_err(|source| ServeError::Metrics { listen, source })?;
                info!(address = %port.address, "metrics are at /metrics");
                Some(port)
            }
        };
        let console = match console {
            None => None,
            Some(settings) => {
                let listen = settings.listen();
                let own = if shared == Some(listen) {
                    None
                } else {
                    let port = Port::bind(listen).await;
                    Some(port.map_err(|source| ServeError::Console { listen, source })?)
                };
                Some((settings, own))
            }
        };
        Ok(Self { metrics, console })
    }

    /// Begins to answer. Returns the console, which shows more once the log is
    /// open, and what ends it all.
    pub(super) fn serve(
        self,
        log: &LogAddress,
        approvals: u32,
        metrics: &Metrics,
    ) -> (Option<Arc<Console>>, Serving) {
        let mut serving = Serving::default();
        let mut scraped = metrics::routes(metrics.clone());
        let mut console = None;
        if let Some((settings, own)) = self.console {
            let port = own.as_ref().or(self.metrics.as_ref());
            // One of them listens, or there would be no console.
            let address = port.map_or_else(|| settings.listen(), |port| port.address);
            info!(%address, "the console is at http://{address}/");
            let log = log.clone();
            let shown = Console::new(settings, address, log, approvals, metrics.clone());
            let shown = Arc::new(shown);
            let pages = console::routes(Arc::clone(&shown));
            match own {
                Some(port) => serving.add(port, pages),
                None => scraped = scraped.merge(pages),
            }
            serving.0.push(tokio::spawn(Arc::clone(&shown).watch()));
            console = Some(shown);
        }
        if let Some(port) = self.metrics {
            serving.add(port, scraped);
        }
        (console, serving)
    }
}

impl Serving {
    fn add(&mut self, port: Port, pages: Router) {
        let served = connections::serve(port.listener, pages, connections::OF_PAGES, pending());
        self.0.push(tokio::spawn(served));
    }
}

impl Port {
    async fn bind(listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }
}
