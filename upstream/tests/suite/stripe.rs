//! Stripe's API as its documentation has it, as far as reconciliation reads it.
//!
//! Sources: <https://docs.stripe.com/api/events/list>, <https://docs.stripe.com/api/pagination>,
//! <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/rate-limits>,
//! <https://docs.stripe.com/api/connected-accounts>. Stripe's own Python library
//! is held against it in [`crate::reconcile::library`].

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Instant,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
};
use serde_json::{Value, json};

/// The key that the server knows.
pub(crate) const KEY: &str = "rk_test_51Hookgate";

/// What the platform's own events are kept under.
pub(crate) const PLATFORM: &str = "";

/// One request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) account: Option<String>,
    pub(crate) status: u16,
}

/// What the server does beside what it is documented to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Every so many requests are answered 429, and every so many 500.
    pub(crate) limits: Option<usize>,
    pub(crate) fails: Option<usize>,
    /// `Retry-After` of a 429, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// Accounts that are not the platform's any more, and how that is said.
    pub(crate) gone: BTreeMap<String, u16>,
    /// A path that the key may not read, with the permission.
    pub(crate) lacks: Option<(&'static str, &'static str)>,
    /// What webhook endpoints are subscribed to.
    pub(crate) endpoints: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default)]
struct Content {
    /// Of each account, the newest first.
    events: BTreeMap<String, Vec<Value>>,
    script: Script,
    asked: Vec<Asked>,
}

/// A server on a free port; it ends with the test's process.
#[derive(Clone)]
pub(crate) struct Stripe {
    content: Arc<Mutex<Content>>,
    pub(crate) address: SocketAddr,
}

impl Stripe {
    pub(crate) fn start(script: Script) -> Self {
        let content = Arc::new(Mutex::new(Content {
            script,
            ..Content::default()
        }));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&content));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, routes).await.unwrap();
            });
        });
        Self { content, address }
    }

    /// Makes events of an account, as snapshots; they may be in any order.
    pub(crate) fn add(&self, account: &str, events: impl IntoIterator<Item = Value>) {
        let mut content = self.content();
        let all = content.events.entry(account.to_owned()).or_default();
        all.extend(events);
        let created = |event: &Value| event["created"].as_u64();
        all.sort_by_key(|event| std::cmp::Reverse(created(event)));
    }

    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.content().script);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.content().asked.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.content().asked.len()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }
}

/// An event as Stripe lists it.
pub(crate) fn event(id: &str, type_name: &str, created: u64) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": "2025-09-30.clover",
        "created": created,
        "data": {"object": {"id": format!("in_{id}"), "object": "invoice"}},
        "livemode": false,
        "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null},
        "type": type_name,
    })
}

/// A status with the body of Stripe's errors.
struct Problem(u16, Value);

impl Problem {
    fn new(status: u16, kind: &str, more: Value) -> Self {
        let mut error = more;
        error["type"] = json!(kind);
        Self(status, json!({ "error": error }))
    }

    fn request(status: u16, code: &str, param: &str, message: &str) -> Self {
        let more = json!({"code": code, "param": param, "message": message});
        Self::new(status, "invalid_request_error", more)
    }
}

async fn answer(State(content): State<Arc<Mutex<Content>>>, request: Request) -> Response<Body> {
    let mut content = content.lock().unwrap();
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default();
    let query: BTreeMap<String, String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    let account = header("stripe-account");
    let number = content.asked.len() + 1;
    let script = content.script.clone();
    let is_due = |every: Option<usize>| every.is_some_and(|every| number.is_multiple_of(every));
    let (status, body) = if request.method() != "GET" {
        (405, json!({}))
    } else if header("authorization") != Some(format!("Bearer {KEY}")) {
        let more = json!({"message": "Invalid API Key provided: rk_test_******"});
        let Problem(status, body) = Problem::new(401, "invalid_request_error", more);
        (status, body)
    } else if is_due(script.limits) {
        let more = json!({"code": "rate_limit", "message": "Too many requests"});
        let Problem(status, body) = Problem::new(429, "invalid_request_error", more);
        (status, body)
    } else if is_due(script.fails) {
        let Problem(status, body) = Problem::new(500, "api_error", json!({"message": "Oops"}));
        (status, body)
    } else {
        match content.serve(&path, &query, account.as_deref()) {
            Ok(body) => (200, body),
            Err(Problem(status, body)) => (status, body),
        }
    };
    content.asked.push(Asked {
        at: Instant::now(),
        path,
        query,
        account,
        status,
    });
    let mut response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("content-type", "application/json")
        .header("request-id", format!("req_{number}"));
    if status == 429 {
        response = response.header("stripe-rate-limited-reason", "endpoint-rate");
        if let Some(seconds) = script.retry_after {
            response = response.header("retry-after", seconds);
        }
    }
    let body = serde_json::to_string_pretty(&body).unwrap();
    response.body(body.into()).unwrap()
}

impl Content {
    fn serve(
        &self,
        path: &str,
        query: &BTreeMap<String, String>,
        account: Option<&str>,
    ) -> Result<Value, Problem> {
        if let Some(account) = account {
            self.admit(account)?;
        }
        if let Some((lacking, permission)) = self.script.lacks
            && path.starts_with(lacking)
        {
            let message = format!(
                "The provided key 'rk_test_******gate' does not have the required permissions \
                 for this endpoint on account '{}'. Having the '{permission}' permission would \
                 allow this request to continue.",
                account.unwrap_or("acct_platform")
            );
            let more = json!({ "message": message });
            return Err(Problem::new(403, "invalid_request_error", more));
        }
        if let Some(id) = path.strip_prefix("/v1/webhook_endpoints/") {
            let found = self.script.endpoints.get(id).ok_or_else(|| {
                Problem::request(404, "resource_missing", "id", "No such webhook endpoint")
            })?;
            return Ok(
                json!({"id": id, "object": "webhook_endpoint", "enabled_events": found,
                "livemode": false, "status": "enabled", "url": "https://example.com/webhooks"}),
            );
        }
        match path {
            "/v1/accounts" => {
                let ids = self.events.keys().filter(|id| *id != PLATFORM);
                let accounts = ids.map(|id| json!({"id": id, "object": "account"}));
                page(path, query, &["limit"], accounts.collect())
            }
            "/v1/events" => {
                let none = Vec::new();
                let account = account.unwrap_or(PLATFORM);
                let events = self.events.get(account).unwrap_or(&none).iter();
                let bound = |name: &str| query.get(name).map(|it| it.parse::<u64>());
                let (from, to) = (bound("created[gte]"), bound("created[lte]"));
                let wrong = |_| Problem::request(400, "parameter_invalid_integer", "created", "");
                let from = from.transpose().map_err(wrong)?.unwrap_or(0);
                let to = to.transpose().map_err(wrong)?.unwrap_or(u64::MAX);
                let events = events.filter(|event| {
                    let created = event["created"].as_u64().unwrap();
                    from <= created && created <= to
                });
                let known = ["limit", "created[gte]", "created[lte]"];
                page(path, query, &known, events.cloned().collect())
            }
            _ => {
                let message = format!("Unrecognized request URL (GET: {path})");
                Err(Problem::request(404, "", "", &message))
            }
        }
    }

    fn admit(&self, account: &str) -> Result<(), Problem> {
        let message = format!(
            "The provided key 'rk_test_******gate' does not have access to account '{account}' \
             (or that account does not exist). Application access may have been revoked."
        );
        let status = match self.script.gone.get(account) {
            Some(status) => *status,
            None if self.events.contains_key(account) => return Ok(()),
            None => 403,
        };
        let more = json!({"code": "account_invalid", "message": message});
        Err(Problem::new(status, "invalid_request_error", more))
    }
}

/// A page of a list: cursors are the IDs of objects.
fn page(
    path: &str,
    query: &BTreeMap<String, String>,
    known: &[&str],
    all: Vec<Value>,
) -> Result<Value, Problem> {
    let is_known = |name: &&String| known.contains(&name.as_str()) || *name == "starting_after";
    if let Some(name) = query.keys().find(|name| !is_known(name)) {
        let message = format!("Received unknown parameter: {name}");
        return Err(Problem::request(400, "parameter_unknown", name, &message));
    }
    let limit = query.get("limit").map_or(Ok(10), |it| it.parse());
    let limit: usize = limit
        .ok()
        .filter(|it| (1..=100).contains(it))
        .ok_or_else(|| {
            Problem::request(400, "parameter_invalid_integer", "limit", "Invalid integer")
        })?;
    let start = match query.get("starting_after") {
        None => 0,
        Some(id) => {
            let place = all.iter().position(|object| object["id"] == id.as_str());
            let missing = || {
                let message = format!("No such object: '{id}'");
                Problem::request(400, "resource_missing", "starting_after", &message)
            };
            place.ok_or_else(missing)? + 1
        }
    };
    let data: Vec<Value> = all.iter().skip(start).take(limit).cloned().collect();
    let has_more = start + data.len() < all.len();
    Ok(json!({"object": "list", "url": path, "has_more": has_more, "data": data}))
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text)
        .decode_utf8()
        .unwrap()
        .into_owned()
}
