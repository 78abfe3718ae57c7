//! The page that Prometheus reads.

use std::{net::SocketAddr, str::FromStr};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};

use super::Metrics;
use crate::clock;

/// The format of the page, see <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Says where Prometheus reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scrape {
    /// Nowhere.
    Off,
    /// On this address; port 0 lets the system choose.
    At(SocketAddr),
}

impl FromStr for Scrape {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address = text.parse().map(Self::At);
        address.map_err(|_| "expected IP:PORT, for example 127.0.0.1:9464, or `off`")
    }
}

/// Serves `GET /metrics`.
pub(crate) fn routes(metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(page))
        .with_state(metrics)
}

async fn page(State(metrics): State<Metrics>) -> Response {
    match metrics.page(clock::now()) {
        Ok(page) => ([(CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        // Writing to memory doesn't fail; a scrape that does must be seen.
        Err(std::fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
