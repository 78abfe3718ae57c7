//! A configuration with its secrets.

use std::rc::Rc;

use hookgate_core::{
    config::{Config, KeyringSource},
    forward::Attributes,
    gate::{self, Endpoint, Refresh},
    genuine::Genuine,
    reply::Code,
    request::RequestHead,
    time::Timestamp,
};
use wasm_bindgen::prelude::wasm_bindgen;
use zeroize::Zeroizing;

use crate::{
    answer::{self, Next, Refusal},
    input, verdict,
};

/// Holds a checked configuration and its secrets, which never come out again.
#[wasm_bindgen]
pub struct Gate {
    pub(crate) gate: Rc<gate::Gate>,
}

#[wasm_bindgen]
impl Gate {
    /// Takes the gate's configuration in JSON, whose endpoints all use one
    /// keyring in filter state, and that keyring's text.
    ///
    /// # Errors
    /// What is wrong, as text: of the configuration with its path, of the
    /// keyring without anything of its text.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, keyring: String) -> Result<Self, String> {
        let keyring = Zeroizing::new(keyring);
        let config = Config::from_json(config.as_bytes()).map_err(|error| error.to_string())?;
        if config.pass_unknown_paths {
            return Err(
                "pass_unknown_paths: found `true`, expected `false`: nothing passes here unverified"
                    .to_owned(),
            );
        }
        let is_ours = |keyring: &hookgate_core::config::Keyring| {
            matches!(keyring.source, KeyringSource::FilterState(_))
        };
        if !config.keyrings.iter().all(is_ours) {
            return Err("keyrings: expected `secrets` in their place".to_owned());
        }
        let gate = gate::Gate::load(config, |_| None).map_err(|error| error.to_string())?;
        let gate = Self {
            gate: Rc::new(gate),
        };
        gate.refresh(keyring)?;
        Ok(gate)
    }

    /// Takes other secrets.
    ///
    /// # Errors
    /// What is wrong with the keyring; the secrets before stay in use.
    pub fn rotate(&self, keyring: String) -> Result<(), String> {
        self.refresh(Zeroizing::new(keyring))
    }

    /// Returns the answer to a sender whose event the upstream has not answered.
    #[must_use]
    pub fn unavailable(&self) -> String {
        answer::json(&Next::reply(Code::Unavailable.into()))
    }

    /// Returns the most bytes that any endpoint's payload may have.
    #[wasm_bindgen(getter, js_name = maxBodyBytes)]
    #[must_use]
    pub fn max_body_bytes(&self) -> f64 {
        let bounds = self.gate.endpoints().map(|it| it.config.max_body_bytes);
        bounds
            .max()
            .and_then(|it| u32::try_from(it).ok())
            .unwrap_or(u32::MAX)
            .into()
    }

    /// Returns the name of the header that carries the first endpoint's
    /// signature.
    #[wasm_bindgen(getter, js_name = signatureHeader)]
    #[must_use]
    pub fn signature_header(&self) -> String {
        self.endpoint()
            .map_or("", |it| it.config.scheme.signature_header())
            .to_owned()
    }

    /// Verifies a delivery under the first endpoint's secrets, and nothing else;
    /// returns a refusal in JSON, or an event in lines.
    #[must_use]
    pub fn verify(&self, head_bytes: usize, payload_bytes: usize, now_millis: f64) -> String {
        let Some(endpoint) = self.endpoint() else {
            return String::new();
        };
        let now = timestamp(now_millis);
        let verified = input::with(head_bytes, payload_bytes, |head, payload| {
            let headers = input::headers(head);
            Genuine::verify(endpoint, RequestHead(&headers), payload, now)
        });
        verdict::text(&verified)
    }

    /// Returns the CloudEvents attributes of an event that [`Self::verify`] has
    /// answered, as a list of names and values in JSON.
    #[must_use]
    pub fn attributes(&self, verdict: &str, received_at: f64) -> String {
        let endpoint = self.endpoint().zip(verdict::read(verdict));
        let headers = endpoint.map(|(endpoint, (event, signed_at, secret_name))| {
            Attributes {
                endpoint,
                secret_name,
                event: &event,
                delivery_id: &event.id,
                signed_at,
                received_at: timestamp(received_at),
            }
            .headers()
        });
        answer::json(&headers.unwrap_or_default())
    }

    /// Signs a payload as the first endpoint's sender would, by its first
    /// secret; returns the headers as a list of names and values in JSON.
    #[must_use]
    pub fn sign(&self, head_bytes: usize, payload_bytes: usize, at_millis: f64) -> String {
        let at = timestamp(at_millis);
        let signed = self.endpoint().and_then(|endpoint| {
            let signer = endpoint.signers(at).into_iter().next()?;
            Some(input::with(head_bytes, payload_bytes, |head, payload| {
                let headers = input::headers(head);
                let head = RequestHead(&headers);
                endpoint
                    .config
                    .scheme
                    .sign(&signer.secret, at, head, payload)
            }))
        });
        answer::json(&signed.unwrap_or_default())
    }
}

impl Gate {
    fn endpoint(&self) -> Option<&Endpoint> {
        self.gate.endpoints().next()
    }

    fn refresh(&self, keyring: Zeroizing<String>) -> Result<(), String> {
        match self.gate.refresh(0, keyring.as_bytes()) {
            Refresh::Loaded | Refresh::Unchanged => Ok(()),
            Refresh::Refused(error) => Err(error.to_string()),
        }
    }
}

/// Returns what `verify` answers for a code of the table, where the delivery
/// didn't get as far as the core; an unknown code is `unavailable`.
#[wasm_bindgen]
#[must_use]
pub fn refusal(code: &str) -> String {
    let mut codes = Code::ALL.iter().copied();
    let code = codes.find(|it| it.as_str() == code);
    answer::json(&Refusal::of(code.unwrap_or(Code::Unavailable)))
}

/// Takes milliseconds since 1970 as JavaScript counts them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is no time becomes the first or the last one"
)]
pub(crate) const fn timestamp(millis: f64) -> Timestamp {
    Timestamp::from_unix_millis(millis as u64)
}
