//! The page that Prometheus reads.

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
