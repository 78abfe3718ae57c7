//! How other people's servers are reached over HTTP.

use std::{
    error::Error as _,
    time::{Duration, SystemTime},
};

use reqwest::{
    Certificate, Client, ClientBuilder,
    header::{HeaderMap, RETRY_AFTER},
    redirect,
};
use tracing::warn;

/// Longest that a connection may take; never more than half of a request, so
/// that it is known which of both took so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection that requests share (HTTP/2) may be silent before it is
/// asked whether it lives, and how long it has to answer; never more than half of
/// a request, so that the next one finds a new one.
const SILENCE: Duration = Duration::from_secs(5);

/// Prepares a client whose requests take `timeout` at most, and go where they
/// are told.
pub(crate) fn builder(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .timeout(timeout)
        .connect_timeout((timeout / 2).min(CONNECT_TIMEOUT))
        .http2_keep_alive_interval((timeout / 2).min(SILENCE))
        .http2_keep_alive_timeout((timeout / 2).min(SILENCE))
        // Where a request goes, and over whom, is said in the configuration:
        // not by a receiver, nor by a variable.
        .redirect(redirect::Policy::none())
        .no_proxy()
        // A retry that we don't know of would be an attempt not counted.
        .retry(reqwest::retry::never())
        .user_agent(concat!("hookgate/", env!("CARGO_PKG_VERSION")))
}

/// Makes a client that trusts this machine's certificate authorities, or
/// Mozilla's on a machine that has none; `mend` says what else to do there.
///
/// # Errors
/// [`reqwest::Error`].
pub(crate) fn trusting(
    prepared: impl Fn() -> reqwest::Result<ClientBuilder>,
    mend: &str,
) -> reqwest::Result<Client> {
    match prepared()?.build() {
        Ok(client) => Ok(client),
        Err(error) => {
            warn!(
                error = chain(&error),
                "this machine knows no certificate authorities: those of Mozilla are used, as \
                 they were when hookgate was built. {mend}"
            );
            prepared()?.tls_certs_only(built_in()?).build()
        }
    }
}

/// Returns the authorities that Mozilla trusts.
fn built_in() -> reqwest::Result<Vec<Certificate>> {
    let authorities = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    authorities
        .map(|certificate| Certificate::from_der(certificate))
        .collect()
}

/// Reads seconds or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Says an error with its causes: the client's own text leaves them out.
pub(crate) fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use reqwest::header::{HeaderMap, RETRY_AFTER};

    use super::retry_after;

    #[test]
    fn reads_both_forms_of_retry_after() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:17 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
    }
}
