//! Beginning and ending a session.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    response::{IntoResponse as _, Response},
};
use tracing::{info, warn};

use super::{
    Console,
    access::Cookie,
    answer::{self, Problem},
    entry,
    form::{Fields, LOGIN_BYTES},
    page,
};
use crate::clock;

/// Shows the form.
pub(super) async fn form(State(console): State<Arc<Console>>, request: Request) -> Response {
    let nobody = console.nobody(&request, "/");
    answer::found(nobody.unwrap_or_else(|| page::login("/", None)))
}

/// Begins a session for who has the token.
pub(super) async fn begin(
    State(console): State<Arc<Console>>,
    request: Request,
) -> Result<Response, Problem> {
    let peer = entry::peer(&request).ip();
    let cookie = Cookie::of(request.headers());
    let headers = request.headers().clone();
    let fields = Fields::of_body(request.into_body(), LOGIN_BYTES).await?;
    let to = own_path(fields.get("to").unwrap_or("/"));
    let token = fields.get("token").unwrap_or_default();
    let Some(person) = console.policy.operators.with_token(token.as_bytes()) else {
        if let Err(seconds) = console.throttle.admit(peer, clock::now()) {
            return Ok(entry::too_many(seconds));
        }
        console.throttle.failed(peer, clock::now());
        warn!(%peer, "somebody tried to log in with a token that isn't one");
        let form = if console.policy.operators.is_empty() {
            page::no_operators()
        } else {
            page::login(to, Some("No operator has this token."))
        };
        return Ok(answer::page(StatusCode::UNAUTHORIZED, form));
    };
    info!(operator = person.name, %peer, "logged in to the console");
    // Whoever logs in anew leaves what they were before.
    console.sessions.end(&cookie.shown(&headers));
    let session = console.sessions.begin(person, clock::now());
    let session = session.map_err(|error| Problem::Failed(error.to_string()))?;
    Ok(moved(to, &cookie.kept(&session)))
}

/// Ends a session.
pub(super) async fn end(
    State(console): State<Arc<Console>>,
    request: Request,
) -> Result<Response, Problem> {
    let caller = entry::caller(&request)?;
    let headers = request.headers().clone();
    let fields = Fields::of_body(request.into_body(), LOGIN_BYTES).await?;
    caller.may_leave(fields.get("form"))?;
    let cookie = Cookie::of(&headers);
    console.sessions.end(&cookie.shown(&headers));
    Ok(moved("/", &cookie.forgotten()))
}

fn moved(to: &str, cookie: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in [(LOCATION, to), (SET_COOKIE, cookie)] {
        // Both are ASCII without control characters.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Returns a path of ours, whatever a form says: `//evil.example` is none.
fn own_path(text: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let is_own = text.starts_with('/') && !text.starts_with("//") && text.bytes().all(is_plain);
    if is_own { text } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn leads_nowhere_else() {
        assert_eq!(own_path("/event?id=evt_1"), "/event?id=evt_1");
        for text in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
        ] {
            assert_eq!(own_path(text), "/", "{text}");
        }
    }
}
