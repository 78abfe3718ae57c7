//! An attempt over HTTP.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use reqwest::{Client, Proxy, Response, StatusCode, Url, header::HeaderMap};

use super::Answer;
use crate::{
    deliver::{
        destination::Destination,
        job::{MAX_ANSWER_BYTES, Outcome},
        message::Message,
    },
    http_client::{self, chain, retry_after},
};

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
            let client = http_client::builder(timeout);
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
            None => http_client::trusting(
                prepared,
                "Install ca-certificates, or set the destination's ca_file",
            )?,
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
    use reqwest::{StatusCode, header::HeaderMap};

    use super::{Outcome, outcome};

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
}
