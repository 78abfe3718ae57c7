//! An attempt over HTTP.

use std::{
    error::Error as _,
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
    redirect,
};

use super::Answer;
use crate::deliver::{
    job::{MAX_ANSWER_BYTES, Outcome},
    message::Message,
};

/// Longest that a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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
    pub(crate) fn new(url: Url, timeout: Duration) -> reqwest::Result<Self> {
        let client = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(CONNECT_TIMEOUT))
            // Where an event goes is said in the configuration, not by a receiver.
            .redirect(redirect::Policy::none())
            // A retry that we don't know of would be an attempt not counted.
            .retry(reqwest::retry::never())
            .user_agent(concat!("hookgate/", env!("CARGO_PKG_VERSION")))
            .build()?;
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

/// Reads what is kept of an answer, and no more: an endless one ends here.
async fn beginning(mut response: Response) -> Bytes {
    let mut text = BytesMut::new();
    while text.len() < MAX_ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    text.truncate(MAX_ANSWER_BYTES);
    text.freeze()
}

fn failure(error: reqwest::Error) -> Answer {
    let outcome = if error.is_timeout() && !error.is_connect() {
        Outcome::TimedOut
    } else {
        Outcome::Unavailable
    };
    // The URL may hold a key.
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    Answer::without_status(outcome, text)
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
