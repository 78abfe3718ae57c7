//! Stripe's API, as far as reconciliation reads it.
//!
//! Source: <https://docs.stripe.com/api/events/list>. Never with
//! `delivery_success`: it is false while any endpoint is pending, and true when
//! we answered 2xx and lost the event all the same.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Client, Url, header::AUTHORIZATION};
use zeroize::Zeroizing;

use super::{
    answer::{Again, Answer, Resource},
    round::Ask,
};
use crate::http_client::{self, chain};

/// How long an answer may take: Stripe's own libraries wait 80 s.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Items of a page: the most that Stripe gives.
const LIMIT: &str = "100";

/// Largest answer: a hundred events of the largest size that were seen.
const MAX_ANSWER_BYTES: usize = 128 * 1_024 * 1_024;

/// Asks Stripe.
#[derive(Debug)]
pub(crate) struct Stripe {
    client: Client,
    base: Url,
}

/// Holds what a request shows to be let in; `Debug` hides it.
pub(crate) struct Key(Zeroizing<String>);

/// Says that a text is no API key; never shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("found another text, expected an API key of Stripe's, `rk_…` or `sk_…`")]
pub(crate) struct KeyError;

impl Key {
    /// Takes a key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn new(text: &str) -> Result<Self, KeyError> {
        let is_key = text.starts_with("rk_") || text.starts_with("sk_");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !is_key || !text.bytes().all(plain) {
            return Err(KeyError);
        }
        Ok(Self(Zeroizing::new(format!("Bearer {text}"))))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Stripe {
    /// Prepares a client; nothing is connected yet.
    ///
    /// # Errors
    /// [`reqwest::Error`].
    pub(crate) fn new(base: Url) -> reqwest::Result<Self> {
        let prepared = || Ok(http_client::builder(TIMEOUT));
        let client = if base.scheme() == "https" {
            http_client::trusting(prepared, "Install ca-certificates")?
        } else {
            prepared()?.tls_certs_only([]).build()?
        };
        Ok(Self { client, base })
    }

    /// Asks for a page of events.
    pub(crate) async fn events(&self, key: &Key, ask: &Ask) -> Answer {
        let mut url = self.url("/v1/events");
        url.query_pairs_mut()
            .append_pair("limit", LIMIT)
            .append_pair("created[gte]", &ask.since.to_string())
            .append_pair("created[lte]", &ask.until.to_string())
            .extend_pairs(ask.after.iter().map(|after| ("starting_after", after)));
        let account = ask.account.connected();
        self.get(key, Resource::Events, url, account).await
    }

    /// Asks for a page of connected accounts.
    pub(crate) async fn accounts(&self, key: &Key, after: Option<&str>) -> Answer {
        let mut url = self.url("/v1/accounts");
        url.query_pairs_mut()
            .append_pair("limit", LIMIT)
            .extend_pairs(after.iter().map(|after| ("starting_after", after)));
        self.get(key, Resource::Accounts, url, None).await
    }

    /// Asks for a webhook endpoint.
    pub(crate) async fn webhook_endpoint(&self, key: &Key, id: &str) -> Answer {
        let url = self.url(&format!("/v1/webhook_endpoints/{id}"));
        self.get(key, Resource::WebhookEndpoint, url, None).await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    async fn get(&self, key: &Key, resource: Resource, url: Url, account: Option<&str>) -> Answer {
        let mut request = self.client.get(url).header(AUTHORIZATION, key.0.as_str());
        if let Some(account) = account {
            request = request.header("Stripe-Account", account);
        }
        let silence = |error: reqwest::Error| Answer::Again {
            retry_after: None,
            why: Again::Silence(chain(&error.without_url())),
        };
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return silence(error),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        while body.len() < MAX_ANSWER_BYTES {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return silence(error),
            }
        }
        let body: Bytes = body.freeze();
        Answer::of(resource, account.is_some(), status, &headers, body)
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, KeyError};

    #[test]
    fn takes_keys_and_shows_none() {
        for text in ["rk_live_1", "sk_test_abcDEF"] {
            assert_eq!(format!("{:?}", Key::new(text).unwrap()), "Key(…)");
        }
        for text in ["", "pk_live_1", "whsec_1", "rk_live_1\n", "rk_a b"] {
            assert_eq!(Key::new(text).unwrap_err(), KeyError, "{text}");
        }
    }
}
