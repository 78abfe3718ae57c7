//! A destination of Hookgate, as small as one may be.
//!
//! Hookgate delivers at least once: after a crash, or when an answer got lost,
//! the same event comes again under the same `webhook-id`. So a consumer does
//! two things, in this order:
//!
//! 1. it verifies the delivery ([`delivery`]);
//! 2. it commits the effect *and* the delivery's identity in one transaction
//!    ([`ledger`]), and answers 2xx only after that.
//!
//! Then each event has one effect, whatever is killed and whenever.

mod delivery;
mod ledger;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use clap::Parser;
use hookgate_core::time::Timestamp;

use crate::{
    delivery::{Door, Refusal},
    ledger::{Booked, Ledger},
};

/// Largest payload; the shipped gate lets no larger one through.
const MAX_BODY_BYTES: usize = 2 * 1_024 * 1_024;

/// Credits connected accounts for the payments that Hookgate delivers
#[derive(Debug, Parser)]
#[command(
    name = "hookgate-consumer",
    after_help = "\
The destination's signing secret comes from the environment: HOOKGATE_DESTINATION_SECRET=whsec_…

POST /         a delivery: 204 the effect is committed (now, or when this event came
               before); 400 not signed by our Hookgate, or not an event; 503 not committed:
               deliver it again
GET /accounts  what each account has

Example, with `url = \"http://127.0.0.1:9000/\"` as a destination in hookgate.toml:
  HOOKGATE_DESTINATION_SECRET=whsec_… hookgate-consumer --ledger ./ledger.db --listen 127.0.0.1:9000"
)]
struct Arguments {
    /// The SQLite file with accounts and identities; made if it isn't there
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
}

/// Serves deliveries.
struct Consumer {
    door: Door,
    ledger: Mutex<Ledger>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let secret = std::env::var("HOOKGATE_DESTINATION_SECRET")
        .context("set HOOKGATE_DESTINATION_SECRET to the destination's signing secret")?;
    let consumer = Arc::new(Consumer {
        door: Door::new(secret.as_bytes()).context("HOOKGATE_DESTINATION_SECRET")?,
        ledger: Mutex::new(Ledger::open(&arguments.ledger)?),
    });
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    let routes = Router::new()
        .route("/", post(receive))
        .route("/accounts", get(accounts))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(consumer);
    axum::serve(listener, routes)
        .with_graceful_shutdown(async { _ = tokio::signal::ctrl_c().await })
        .await?;
    Ok(())
}

async fn receive(
    State(consumer): State<Arc<Consumer>>,
    headers: HeaderMap,
    payload: Bytes,
) -> StatusCode {
    let booked = tokio::task::spawn_blocking(move || consumer.take(&headers, &payload));
    match booked.await {
        Ok(Ok(_)) => StatusCode::NO_CONTENT,
        Ok(Err(NotTaken::Refused(refusal))) => {
            eprintln!("refused a delivery: {refusal}");
            StatusCode::BAD_REQUEST
        }
        Ok(Err(NotTaken::Ledger(error))) => {
            eprintln!("the ledger did not commit: {error}");
            StatusCode::SERVICE_UNAVAILABLE
        }
        Err(defect) => {
            eprintln!("a delivery could not be taken: {defect}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

async fn accounts(
    State(consumer): State<Arc<Consumer>>,
) -> Result<Json<BTreeMap<String, i64>>, StatusCode> {
    let accounts = consumer.ledger().accounts();
    accounts
        .map(Json)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

/// Says why a delivery had no effect.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Ledger(#[from] rusqlite::Error),
}

impl Consumer {
    fn take(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Booked, NotTaken> {
        let delivery = self.door.open(headers, payload, now())?;
        Ok(self.ledger().book(&delivery)?)
    }

    /// A panic while it is held rolls its transaction back.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_unix_seconds(since_epoch.unwrap_or_default().as_secs())
}
