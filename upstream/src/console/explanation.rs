//! Says more to who isn't let in, where the head of their request tells why: it
//! decides nothing, and an answer keeps its status and its headers.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_LENGTH, HOST, ORIGIN},
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use maud::Markup;

use super::{Console, answer, entry, page};

/// Most characters of a value that somebody else chose.
const SHOWN: usize = 100;

/// Explains a refusal.
pub(super) async fn explain(
    State(console): State<Arc<Console>>,
    request: Request,
    next: Next,
) -> Response {
    let is_read = *request.method() == Method::GET;
    let here = request.uri().path_and_query().filter(|_| is_read);
    let to = here.map_or("/", |it| it.as_str()).to_owned();
    let elsewhere = elsewhere(request.headers()).filter(|_| !is_read);
    // Who shows a token, or sends the form with one, is answered about that.
    let is_about_token =
        request.headers().contains_key(AUTHORIZATION) || request.uri().path() == "/login";
    let nobody = console.nobody(&request, &to).filter(|_| !is_about_token);
    let response = next.run(request).await;
    let page = match response.status() {
        StatusCode::FORBIDDEN => elsewhere,
        StatusCode::UNAUTHORIZED => nobody,
        _ => None,
    };
    match page {
        None => response,
        Some(page) => replaced(&response, page),
    }
}

impl Console {
    /// Says why nobody can log in here, or not who asks; `to` is where they were.
    pub(super) fn nobody(&self, request: &Request, to: &str) -> Option<Markup> {
        if self.policy.operators.is_empty() {
            return Some(page::no_operators());
        }
        let peer = entry::peer(request).ip();
        let name = self.policy.stranger(peer, request.headers())?;
        let text = format!(
            "The proxy calls you `{}`, who is no operator: whoever runs the server adds that \
             name to [[console.operators]] in hookgate.toml. Until then a token lets you in.",
            bounded(name)
        );
        Some(page::login(to, Some(&text)))
    }
}

/// Says that a proxy asks for another name than the browser.
fn elsewhere(headers: &HeaderMap) -> Option<Markup> {
    let value = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let (origin, host) = (value(ORIGIN)?, value(HOST)?);
    let (_, named) = origin.split_once("://")?;
    if named == host {
        return None;
    }
    let text = format!(
        "Nothing was done: the page is of `{}` (Origin), but the request asks for `{}` (Host). \
         If a proxy stands between, it has to leave the name as it was, with nginx by \
         `proxy_set_header Host $host;`, and the name has to be in `hosts` of [console] in \
         hookgate.toml. If you came from another site's page, open the console itself.",
        bounded(origin),
        bounded(host)
    );
    Some(page::problem("Not from a page of the console", &text))
}

fn bounded(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

fn replaced(response: &Response, page: Markup) -> Response {
    let mut other = answer::page(response.status(), page).into_response();
    for (name, value) in response.headers() {
        if *name != CONTENT_LENGTH {
            other.headers_mut().insert(name, value.clone());
        }
    }
    other
}
