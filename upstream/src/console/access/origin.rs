//! Whether a request that changes something is of a page of ours.
//!
//! Two things that a browser says and a page can't change: `Sec-Fetch-Site`
//! (W3C Fetch Metadata) and `Origin` (RFC 6454, section 7). Who says neither is
//! no browser of the last years; the token of the form decides then.

use axum::http::{
    HeaderMap, HeaderValue,
    header::{HOST, ORIGIN},
};

use super::Hosts;

/// Tells whether nothing says that a request comes from elsewhere.
pub(super) fn is_own(headers: &HeaderMap, hosts: &Hosts) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_own_site = site.is_none_or(|site| matches!(site, b"same-origin" | b"none"));
    let Some(origin) = headers.get(ORIGIN) else {
        return is_own_site;
    };
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let is_own_origin = origin.to_str().is_ok_and(|origin| {
        let rest = origin.strip_prefix("https://");
        let named = rest.or_else(|| origin.strip_prefix("http://"));
        named.is_some_and(|named| hosts.allow(named.as_bytes()) && Some(named.as_bytes()) == host)
    });
    is_own_site && is_own_origin
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Hosts, is_own};

    fn headers(values: &[(&'static str, &'static str)]) -> HeaderMap {
        let host = ("host", "localhost:9464");
        let values = [host].into_iter().chain(values.iter().copied());
        values
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn takes_what_is_of_one_origin_and_nothing_that_says_otherwise() {
        let hosts = Hosts::new(Vec::new(), [127, 0, 0, 1].into());
        let own = ("origin", "http://localhost:9464");
        for values in [
            &[][..],
            &[own],
            &[own, ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(is_own(&headers(values), &hosts), "{values:?}");
        }
        for values in [
            &[("origin", "http://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "http://localhost:3000")],
            &[("origin", "http://127.0.0.1:9464")],
            &[("origin", "file://localhost:9464")],
            &[own, ("sec-fetch-site", "cross-site")],
            &[own, ("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
        ] {
            assert!(!is_own(&headers(values), &hosts), "{values:?}");
        }
    }
}
