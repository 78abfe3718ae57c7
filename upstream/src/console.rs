//! The console: what a person on call opens first, and decides in.
//!
//! Pages are made here, whole, by the server; a browser needs no script to read
//! them. [`access`] says who may do what, [`entry`] asks it before anything else
//! of a request is looked at, and each page reads a bounded part of the log and of
//! the schedule, on threads of its own. Decisions are those of the
//! [desk](crate::review::Desk), under names that the configuration gives.

mod access;
mod answer;
mod decision;
mod doctor;
mod entry;
mod explanation;
mod flow;
mod form;
mod login;
mod look;
mod mask;
mod page;
mod pool;
mod settings;
mod views;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock, Weak},
};

use axum::{
    Router, middleware,
    routing::{get, post},
};

pub(crate) use self::{
    access::{OperatorsError, token_digest},
    entry::Peer,
    settings::Settings,
};
use self::{
    access::{Policy, Sessions, Throttle},
    doctor::DoctorPage,
    flow::Flow,
    pool::Pool,
};
use crate::{
    deliver::engine::Watched,
    expect::View,
    log::{Kept, LogAddress},
    metrics::Metrics,
    reconcile::Reports,
    server::Appender,
};

/// Shows a server to people.
#[derive(Debug)]
pub(crate) struct Console {
    policy: Policy,
    sessions: Sessions,
    throttle: Throttle,
    pool: Pool,
    log: Kept,
    approvals: u32,
    metrics: Metrics,
    flow: Flow,
    doctor: Option<DoctorPage>,
    running: OnceLock<Running>,
}

/// Holds what there is once the log is open.
#[derive(Debug)]
struct Running {
    appender: Weak<Appender>,
    watched: Vec<Watched>,
    reports: Option<Reports>,
    expected: View,
}

impl Console {
    /// Makes one; `listen` is where it is served.
    pub(crate) fn new(
        mut settings: Settings,
        listen: SocketAddr,
        log: LogAddress,
        approvals: u32,
        metrics: Metrics,
    ) -> Self {
        Self {
            doctor: settings.doctor.take(),
            policy: settings.policy(listen.ip()),
            sessions: Sessions::default(),
            throttle: Throttle::new(),
            pool: Pool::new(),
            log: Kept::new(log),
            approvals,
            flow: Flow::new(metrics.clone()),
            metrics,
            running: OnceLock::new(),
        }
    }

    /// Shows what there is once the log is open.
    pub(crate) fn attach(
        &self,
        appender: &Arc<Appender>,
        watched: Vec<Watched>,
        reports: Option<Reports>,
        expected: View,
    ) {
        let appender = Arc::downgrade(appender);
        let running = Running {
            appender,
            watched,
            reports,
            expected,
        };
        // Once, when the server starts.
        let _ = self.running.set(running);
    }

    /// Takes a sample of what is stored each minute, for as long as it is polled.
    pub(crate) async fn watch(self: Arc<Self>) {
        self.flow.watch().await;
    }

    /// Tells whether the log is open.
    fn is_open(&self) -> bool {
        self.running.get().is_some()
    }

    fn watched(&self) -> &[Watched] {
        self.running.get().map_or(&[], |running| &running.watched)
    }

    fn reports(&self) -> Option<&Reports> {
        self.running.get()?.reports.as_ref()
    }

    /// What is expected, and what is told.
    fn expected(&self) -> Option<&View> {
        Some(&self.running.get()?.expected)
    }

    /// Tells whether an event could be confirmed now.
    async fn is_ready(&self) -> bool {
        let appender = self.running.get().and_then(|it| it.appender.upgrade());
        match appender {
            Some(appender) => appender.is_ready().await,
            None => false,
        }
    }
}

/// Serves the console's pages.
pub(crate) fn routes(console: Arc<Console>) -> Router {
    let entry = middleware::from_fn_with_state(Arc::clone(&console), entry::enter);
    let explain = middleware::from_fn_with_state(Arc::clone(&console), explanation::explain);
    Router::new()
        .route("/", get(views::overview))
        .route("/live", get(views::live))
        .route("/destination", get(views::destination))
        .route("/review", get(views::review))
        .route("/review/preview", post(decision::preview))
        .route("/review/decide", post(decision::decide))
        .route("/event", get(views::event))
        .route("/event/payload", post(look::look))
        .route("/search", get(views::search))
        .route("/reconciliation", get(views::reconciliation))
        .route("/audit", get(views::audit))
        .route("/doctor", get(doctor::show))
        .route("/login", get(login::form).post(login::begin))
        .route("/logout", post(login::end))
        .route("/assets/console.css", get(answer::style))
        .route("/assets/console.js", get(answer::script))
        .route("/assets/icon.svg", get(answer::icon))
        .fallback(answer::no_page)
        .method_not_allowed_fallback(answer::no_method)
        .layer(entry)
        .layer(explain)
        .with_state(console)
}
