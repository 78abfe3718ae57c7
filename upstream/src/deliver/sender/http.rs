//! An attempt over HTTP.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Certificate, Client, Proxy, Response, StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
    redirect,
};
use tracing::warn;

use super::{Answer, chain};
use crate::deliver::{
    destination::Destination,
    job::{MAX_ANSWER_BYTES, Outcome},
    message::Message,
};

/// Longest that a connection may take; never more than half of an attempt, so
/// that it is known which of both took so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection that attempts share (HTTP/2) may be silent before it is
/// asked whether it lives, and how long it has to answer; never more than half of
/// an attempt, so that the next attempt finds a new one.
const SILENCE: Duration = Duration::from_secs(5);

/// Most of an answer that is read: more than any that says something.
const MAX_READ_BYTES: usize = 64 * 1_024;

/// Posts to one URL.
#[derive(Debug)]
pub(crate) struct HttpSender {
    client: Client,
    url: Url,
}

impl HttpSender {
    /// Makes a client with its own connections.
    ///
    /// # Errors
    /// [`reqwest::Error`].
    pub(crate) fn new(url: Url, destination: &Destination) -> reqwest::Result<Self> {
        let timeout = destination.timeout;
        let prepared = || {
            let client = Client::builder()
                .timeout(timeout)
                .connect_timeout((timeout / 2).min(CONNECT_TIMEOUT))
                .http2_keep_alive_interval((timeout / 2).min(SILENCE))
                .http2_keep_alive_timeout((timeout / 2).min(SILENCE))
                // Where an event goes, and over whom, is said in the
                // configuration: not by a receiver, nor by a variable.
                .redirect(redirect::Policy::none())
                .no_proxy()
                // A retry that we don't know of would be an attempt not counted.
                .retry(reqwest::retry::never())
                .user_agent(concat!("hookgate/", env!("CARGO_PKG_VERSION")));
            match &destination.proxy {
                Some(proxy) => Ok(client.proxy(Proxy::all(proxy.clone())?)),
                None => Ok(client),
            }
        };
        let by_tls = [Some(&url), destination.proxy.as_ref()]
            .into_iter()
            .flatten()
            .any(|url| url.scheme() == "https");
        let client = match &destination.authorities {
            Some(authorities) => prepared()?.tls_certs_only(authorities.clone()).build()?,
            // A machine without authorities is no hindrance.
            None if !by_tls => prepared()?.tls_certs_only([]).build()?,
            None => match prepared()?.build() {
                Ok(client) => client,
                Err(error) => {
                    warn!(
                        error = chain(&error),
                        "this machine knows no certificate authorities: those of Mozilla are \
                         used, as they were when hookgate was built. Install ca-certificates, or \
                         set the destination's ca_file"
                    );
                    prepared()?.tls_certs_only(built_in()?).build()?
                }
            },
        };
        Ok(Self { client, url })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, message: &Message) -> Answer {
        let mut request = self
            .client
            .post(self.url.clone())
            .body(message.payload.clone());
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        match request.send().await {
            Ok(response) => answer(response).await,
            Err(error) => failure(error),
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

async fn answer(response: Response) -> Answer {
    let status = response.status();
    let outcome = outcome(status, response.headers());
    Answer {
        outcome,
        status: Some(status.as_u16()),
        text: beginning(response).await,
    }
}

fn outcome(status: StatusCode, headers: &HeaderMap) -> Outcome {
    match status.as_u16() {
        200..=299 => Outcome::Delivered,
        429 => Outcome::Throttled {
            retry_after: retry_after(headers, SystemTime::now()),
        },
        503 => Outcome::Unavailable,
        // "Try again", in so many words.
        408 | 425 | 500..=599 => Outcome::Failed,
        _ => Outcome::Refused,
    }
}

/// Reads seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Reads what is kept of an answer, and throws away what follows, so that the
/// connection can be used again; an endless one ends here, and with it.
async fn beginning(mut response: Response) -> Bytes {
    let mut text = BytesMut::new();
    let mut read = 0;
    while read < MAX_READ_BYTES {
        let Ok(Some(chunk)) = response.chunk().await else {
            break;
        };
        read += chunk.len();
        let room = MAX_ANSWER_BYTES.saturating_sub(text.len());
        text.extend(chunk.iter().take(room));
    }
    text.freeze()
}

fn failure(error: reqwest::Error) -> Answer {
    let outcome = if error.is_timeout() && !error.is_connect() {
        Outcome::TimedOut
    } else {
        Outcome::Unavailable
    };
    // The URL may hold a key.
    Answer::without_status(outcome, chain(&error.without_url()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use reqwest::{
        StatusCode,
        header::{HeaderMap, RETRY_AFTER},
    };

    use super::{Outcome, outcome, retry_after};

    #[test]
    fn judges_by_status() {
        let throttled = Outcome::Throttled { retry_after: None };
        for (status, expected) in [
            (200, Outcome::Delivered),
            (204, Outcome::Delivered),
            (301, Outcome::Refused),
            (400, Outcome::Refused),
            (404, Outcome::Refused),
            (408, Outcome::Failed),
            (410, Outcome::Refused),
            (425, Outcome::Failed),
            (429, throttled),
            (500, Outcome::Failed),
            (502, Outcome::Failed),
            (503, Outcome::Unavailable),
            (504, Outcome::Failed),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(outcome(status, &HeaderMap::new()), expected, "{status}");
        }
    }

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
