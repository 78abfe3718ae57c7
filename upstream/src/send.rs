//! `hookgate send`: one delivery as its sender would make it.

mod head;
mod payload;

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hookgate_core::{
    request::RequestHead,
    scheme::Scheme,
    secret::{SecretError, SigningSecret},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use ureq::{
    Agent,
    http::Uri,
    tls::{Certificate, PemItem, RootCerts, TlsConfig},
};

pub(crate) use payload::PayloadError;

use crate::{
    check::{self, GateError},
    cli::SendArgs,
    clock,
    secrets::{self, VariableError},
};

/// How long a whole delivery may take, as long as Stripe waits or longer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most that is read of an answer; Stripe ignores it, and ours are small.
const MAX_ANSWER_BYTES: u64 = 64 * 1_024;

/// Says why nothing was sent, or no answer came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// `--secret-env` names no variable.
    #[error("--secret-env: {0}")]
    Variable(#[from] VariableError),
    /// The secret's variable isn't set.
    #[error(
        "found no environment variable `{variable}`, expected the endpoint's signing secret. Set it, or name another with --secret-env"
    )]
    Unset {
        /// Its name.
        variable: String,
    },
    /// The variable's value can't be a secret.
    #[error("the environment variable `{variable}`: {error}")]
    Secret {
        /// Its name.
        variable: String,
        /// Why.
        error: SecretError,
    },
    /// A file can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// Which; `-` for stdin.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `--gate` tells no scheme.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// No endpoint of `--gate` has the URL's path.
    #[error("found no endpoint with the path `{path}` in `{}`", gate.display())]
    Endpoint {
        /// The path.
        path: String,
        /// The file.
        gate: PathBuf,
    },
    /// The payload can't take another ID.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The certificates can't be used.
    #[error("found no certificate in `{}`, expected PEM", path.display())]
    Certificates {
        /// Where.
        path: PathBuf,
    },
    /// The URL is none that can be sent to.
    #[error("found no URL, expected one such as `http://127.0.0.1:10000/webhooks/stripe`")]
    Url,
    /// No answer came.
    #[error("no answer from {url}: {source}. {}", advice(url))]
    NoAnswer {
        /// Where it was sent.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// The answer can't be printed.
    #[error("can't print the answer: {0}")]
    Print(#[from] io::Error),
}

/// Holds what came back.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    http_status: u16,
    /// `stored`, or the code of the table; `None` for a foreign answer.
    code: Option<String>,
    sequence: Option<u64>,
    /// The ID that was sent; `None` if the payload is no event.
    event_id: Option<String>,
    latency_ms: f64,
}

/// What our answers say, whichever form they have.
#[derive(Debug, Default, Deserialize)]
struct Body {
    code: Option<String>,
    /// A text in the upstream's answers, a number in problems.
    status: Option<serde_json::Value>,
    sequence: Option<u64>,
}

/// Signs a payload and posts it.
///
/// # Errors
/// [`SendError`]. Any answer, whatever its status, is `Ok`.
pub(crate) fn send(args: &SendArgs) -> Result<Answer, SendError> {
    if !is_url(&args.url) {
        return Err(SendError::Url);
    }
    let Sender { scheme, variable } = sender(args)?;
    let secret = secret(&scheme, &variable)?;
    let id = match &args.id {
        Some(id) => id.clone(),
        None if args.keep_id => payload::SAMPLE_ID.to_owned(),
        None => payload::fresh_id()?,
    };
    let payload = payload(args, &id)?;
    let agent = agent(&args.url, args.ca.as_deref())?;

    let age_millis = u64::try_from(args.age.as_millis()).unwrap_or(u64::MAX);
    let signed_at = clock::now().unix_millis().saturating_sub(age_millis);
    let mut head = head::of(&scheme, &id, &args.headers);
    let signed_at = Timestamp::from_unix_millis(signed_at);
    let signature = scheme.sign(&secret, signed_at, RequestHead(&head), &payload);
    let signature = signature.into_iter();
    head.extend(signature.map(|(name, value)| (name, value.into_bytes())));
    let no_answer = |error| SendError::NoAnswer {
        url: args.url.clone(),
        source: Box::new(error),
    };
    let start = Instant::now();
    let mut request = agent.post(&args.url);
    for (name, value) in &head {
        request = request.header(name, value.as_slice());
    }
    let mut response = request.send(payload.as_slice()).map_err(no_answer)?;
    let http_status = response.status().as_u16();
    let text = response
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER_BYTES)
        .read_to_vec()
        .map_err(no_answer)?;
    let latency = start.elapsed();
    let body: Body = serde_json::from_slice(&text).unwrap_or_default();
    let status = body
        .status
        .and_then(|status| status.as_str().map(str::to_owned));
    Ok(Answer {
        http_status,
        code: body.code.or(status),
        sequence: body.sequence,
        event_id: event_id(&scheme, &head, &payload),
        latency_ms: (latency.as_secs_f64() * 10_000.0).round() / 10.0,
    })
}

impl Answer {
    /// Tells whether Stripe would take this as delivered.
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.http_status, 200..=299)
    }

    /// Prints it on stdout.
    ///
    /// # Errors
    /// [`SendError::Print`].
    pub(crate) fn print(&self, json: bool) -> Result<(), SendError> {
        let mut out = io::stdout().lock();
        if json {
            serde_json::to_writer(&mut out, self).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            let code = self.code.as_deref().unwrap_or("(no code)");
            let event_id = self.event_id.as_deref().unwrap_or("(no event ID)");
            write!(out, "{} {code}  {event_id}", self.http_status)?;
            if let Some(sequence) = self.sequence {
                write!(out, "  sequence {sequence}")?;
            }
            writeln!(out, "  {} ms", self.latency_ms)?;
        }
        Ok(())
    }
}

/// Who is imitated.
struct Sender {
    scheme: Scheme,
    /// The environment variable with the secret.
    variable: String,
}

fn sender(args: &SendArgs) -> Result<Sender, SendError> {
    let asked_for = match &args.secret_env {
        Some(variable) => Some(secrets::variable_name(variable)?.to_owned()),
        None => None,
    };
    let usual = if args.url.ends_with("/connect") {
        "STRIPE_CONNECT_WEBHOOK_SECRET"
    } else {
        "STRIPE_WEBHOOK_SECRET"
    };
    let Some(gate) = &args.gate else {
        return Ok(Sender {
            scheme: args.scheme.into(),
            variable: asked_for.unwrap_or_else(|| usual.to_owned()),
        });
    };
    let uri: Option<Uri> = args.url.parse().ok();
    let path = uri.as_ref().map(Uri::path).unwrap_or_default();
    let mut endpoints = check::gate(gate)?.endpoints.into_iter();
    let endpoint = endpoints
        .find(|endpoint| endpoint.path == path)
        .ok_or_else(|| SendError::Endpoint {
            path: path.to_owned(),
            gate: gate.clone(),
        })?;
    let own = endpoint.secrets.first().map(|secret| secret.env.clone());
    Ok(Sender {
        scheme: endpoint.scheme,
        variable: asked_for.or(own).unwrap_or_else(|| usual.to_owned()),
    })
}

/// Names the event as the gate will.
fn event_id(scheme: &Scheme, head: &[(String, Vec<u8>)], payload: &[u8]) -> Option<String> {
    let signed = scheme.read(RequestHead(head)).ok()?;
    scheme.event(&signed, payload).ok().map(|event| event.id)
}

fn secret(scheme: &Scheme, variable: &str) -> Result<SigningSecret, SendError> {
    let value = env::var(variable).map_err(|_| SendError::Unset {
        variable: variable.to_owned(),
    })?;
    let secret = scheme.secret(variable, value.as_bytes());
    secret.map_err(|error| SendError::Secret {
        variable: variable.to_owned(),
        error,
    })
}

fn payload(args: &SendArgs, id: &str) -> Result<Vec<u8>, SendError> {
    let Some(path) = &args.file else {
        return Ok(payload::with_id(payload::SAMPLE, id)?);
    };
    let read_error = |source| SendError::Read {
        path: path.clone(),
        source,
    };
    let mut payload = Vec::new();
    if path == Path::new("-") {
        io::stdin().read_to_end(&mut payload).map_err(read_error)?;
    } else {
        payload = fs::read(path).map_err(read_error)?;
    }
    match &args.id {
        Some(id) => Ok(payload::with_id(&payload, id)?),
        None => Ok(payload),
    }
}

fn agent(url: &str, ca: Option<&Path>) -> Result<Agent, SendError> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = ca {
        tls = tls.root_certs(RootCerts::from(certificates(path)?));
    }
    let mut config = Agent::config_builder();
    if is_local(url) {
        // A proxy of the environment could only reach its own loopback.
        config = config.proxy(None);
    }
    let config = config
        .tls_config(tls.build())
        .timeout_global(Some(TIMEOUT))
        // A redirect is a failed delivery for Stripe.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .build();
    Ok(config.into())
}

fn is_url(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// Says what to look at when no answer came.
fn advice(url: &str) -> &'static str {
    if url.starts_with("https:") {
        "Does anything listen there with TLS, and is its certificate a public authority's, or one of --ca FILE?"
    } else {
        "Does anything listen there, without TLS?"
    }
}

fn is_local(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, SendError> {
    let pem = fs::read(path).map_err(|source| SendError::Read {
        path: path.into(),
        source,
    })?;
    let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(SendError::Certificates { path: path.into() });
    }
    Ok(certificates)
}
