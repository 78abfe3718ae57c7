//! The cookie that holds a session.
//!
//! `Lax`, so that a link in a page or a chat leads into the session: nothing that
//! is read changes anything, and what changes something asks for its origin and
//! the form's token. Browsers ask for no TLS on their own machine; under any other
//! name it is `Secure`, and called so that no other name of the domain can set it
//! (RFC 6265bis, section 4.1.3.2).

use axum::http::{
    HeaderMap, HeaderValue,
    header::{COOKIE as COOKIE_HEADER, HOST},
};

use super::{Hosts, session::COOKIE};

/// What holds for it under every name.
const ATTRIBUTES: &str = "Path=/; HttpOnly; SameSite=Lax";

/// Writes and reads it, under the name that a request came by.
#[derive(Debug, Clone, Copy)]
pub(in crate::console) struct Cookie {
    prefix: &'static str,
    secure: &'static str,
}

impl Cookie {
    /// Returns that of a request's `Host`.
    pub(in crate::console) fn of(headers: &HeaderMap) -> Self {
        let host = headers.get(HOST);
        let is_local = host.is_none_or(|it| Hosts::is_local(it.as_bytes()));
        let (prefix, secure) = if is_local {
            ("", "")
        } else {
            ("__Host-", "; Secure")
        };
        Self { prefix, secure }
    }

    /// Writes what makes a browser keep a session.
    pub(in crate::console) fn kept(self, session: &str) -> String {
        let Self { prefix, secure } = self;
        format!("{prefix}{COOKIE}={session}; {ATTRIBUTES}{secure}")
    }

    /// Writes what makes a browser forget it.
    pub(in crate::console) fn forgotten(self) -> String {
        format!("{}; Max-Age=0", self.kept(""))
    }

    /// Returns what a browser shows of it, and of no other cookie, as
    /// [`Sessions`](super::Sessions) reads it.
    pub(in crate::console) fn shown(self, headers: &HeaderMap) -> HeaderMap {
        let cookies = headers.get_all(COOKIE_HEADER).iter();
        let cookies = cookies.filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';'));
        let session = pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name.strip_prefix(self.prefix)? == COOKIE).then_some(value)
        });
        let value = session.map(|it| HeaderValue::from_str(&format!("{COOKIE}={it}")));
        let value = value.and_then(Result::ok);
        value.map(|it| (COOKIE_HEADER, it)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{
        HeaderMap, HeaderValue,
        header::{COOKIE as COOKIE_HEADER, HOST},
    };

    use super::Cookie;

    fn shown(host: &'static str, cookie: &'static str) -> Option<HeaderValue> {
        let values = [(HOST, host), (COOKIE_HEADER, cookie)];
        let values = values.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let headers: HeaderMap = values.into_iter().collect();
        let shown = Cookie::of(&headers).shown(&headers);
        shown.get(COOKIE_HEADER).cloned()
    }

    #[test]
    fn under_a_name_of_the_network_only_the_host_itself_can_have_set_it() {
        let one = Some(HeaderValue::from_static("hookgate-console=1"));
        for (host, cookie, found) in [
            ("localhost:9464", "a=b; hookgate-console=1", &one),
            ("localhost:9464", "__Host-hookgate-console=1", &None),
            (
                "console.example.com",
                "__Host-hookgate-console=1; a=b",
                &one,
            ),
            ("console.example.com", "hookgate-console=1", &None),
            (
                "console.example.com",
                "hookgate-console=2; __Host-hookgate-console=1",
                &one,
            ),
        ] {
            assert_eq!(&shown(host, cookie), found, "{host}: {cookie}");
        }
    }
}
