//! The way in: each request of the console passes here, and each answer.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, RETRY_AFTER,
            WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tracing::warn;

use super::{
    Console,
    access::{Caller, Refusal},
    answer, page,
};
use crate::clock;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What a page may do: load our style, script and icon, ask us, and send forms to
/// us. Nothing is inline, nothing is of elsewhere, nobody frames it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
    require-trusted-types-for 'script'";

/// What every answer says to the browser.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // With `no-referrer` a browser would say `Origin: null` of our own forms.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Lets a request in that may, and says to the browser what holds for every page.
pub(super) async fn enter(
    State(console): State<Arc<Console>>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match console.admit(&mut request) {
        Ok(()) if console.is_open() || is_public(&request) => next.run(request).await,
        Ok(()) => answer::Problem::NotYet.into_response(),
        Err(refusal) => console.refuse(&request, refusal),
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        // One page has a stricter policy of its own.
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Tells whether a request is for what everybody may have: the way in, and what
/// pages look like.
fn is_public(request: &Request) -> bool {
    let path = request.uri().path();
    path == "/login" || path.starts_with("/assets/")
}

impl Console {
    /// Finds out who asks, which the pages then find in the request.
    fn admit(&self, request: &mut Request) -> Result<(), Refusal> {
        self.policy.admit_host(request.headers())?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            self.policy.admit_origin(request.headers())?;
        }
        if is_public(request) {
            return Ok(());
        }
        let peer = peer(request).ip();
        let now = clock::now();
        // A right token is let in whoever tries wrong ones beside it: nobody can
        // keep others out.
        let found = (self.policy).identify(peer, request.headers(), &self.sessions, now);
        if found == Err(Refusal::WrongToken) && self.throttle.admit(peer, now).is_ok() {
            self.throttle.failed(peer, now);
            warn!(%peer, "somebody showed the console a token that isn't one");
        }
        request.extensions_mut().insert(found?);
        Ok(())
    }

    /// Answers what isn't let in.
    pub(super) fn refuse(&self, request: &Request<Body>, refusal: Refusal) -> Response {
        let peer = peer(request).ip();
        let wait = self.throttle.admit(peer, clock::now()).err();
        match (refusal, wait) {
            (Refusal::WrongToken, Some(seconds)) => too_many(seconds),
            (Refusal::Unknown, _) if *request.method() == Method::GET => {
                let here = request.uri().path_and_query();
                let form = page::login(here.map_or("/", |it| it.as_str()), None);
                unauthorized(answer::page(StatusCode::UNAUTHORIZED, form))
            }
            _ => refused(refusal),
        }
    }
}

/// Answers a request that isn't let in, whatever it asked for.
pub(super) fn refused(refusal: Refusal) -> Response {
    let (status, title, text) = match refusal {
        Refusal::Host => (
            StatusCode::MISDIRECTED_REQUEST,
            "Not under this name",
            "The console answers to localhost, to addresses of loopback, and to the names in \
             `hosts` of [console] in hookgate.toml.",
        ),
        Refusal::Unknown => (
            StatusCode::UNAUTHORIZED,
            "Log in first",
            "Nothing was done: log in with a token, and try again.",
        ),
        Refusal::WrongToken => (
            StatusCode::UNAUTHORIZED,
            "No such token",
            "No operator of the configuration has this token.",
        ),
        Refusal::Role => (
            StatusCode::FORBIDDEN,
            "Not with this role",
            "Nothing was done: your role is to read. Somebody with the role operate has to do it.",
        ),
        Refusal::Forged => (
            StatusCode::FORBIDDEN,
            "Not from a page of the console",
            "Nothing was done: the request came from elsewhere, or from a page that was opened \
             before you logged in. Open the page again, and try again.",
        ),
    };
    let response = answer::page(status, page::problem(title, text));
    if status == StatusCode::UNAUTHORIZED {
        unauthorized(response)
    } else {
        response
    }
}

/// Answers somebody who tried too often.
pub(super) fn too_many(seconds: u64) -> Response {
    let text =
        format!("Too many tokens that are none came from your address. Try again in {seconds} s.");
    let page = page::problem("Too many attempts", &text);
    let retry = [(RETRY_AFTER, seconds.to_string())];
    (retry, answer::page(StatusCode::TOO_MANY_REQUESTS, page)).into_response()
}

/// Says how somebody who is no browser can come in.
fn unauthorized(mut response: Response) -> Response {
    let bearer = HeaderValue::from_static("Bearer realm=\"hookgate\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    response
}

/// Returns where a request comes from. Each connection says it; nobody else can.
pub(super) fn peer(request: &Request<Body>) -> SocketAddr {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    let peer = request.extensions().get::<Peer>();
    peer.map_or(unknown, |Peer(address)| *address)
}

/// Returns who asks; [`enter`] has found out.
pub(super) fn caller(request: &Request<Body>) -> Result<Caller, Refusal> {
    request.extensions().get().cloned().ok_or(Refusal::Unknown)
}
