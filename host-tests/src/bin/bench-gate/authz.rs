//! An authorization service for Envoy's `ext_authz` that decides as the gate
//! does, with the same code: what the gate is compared with.
//!
//! It hears nothing of the upstream's answer, so it takes each event that it
//! lets through as stored: the same work, and a worse promise.

mod service;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bytes::Bytes;
use hookgate_core::config::Config;
use hookgate_core::delivery::{Arrival, Delivery, Entropy, Origin, Step};
use hookgate_core::gate::Gate;
use hookgate_core::request::RequestHead;
use hookgate_core::shared::{Address, SharedStore, StoreError, Version};
use hookgate_core::time::Timestamp;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};

pub(crate) use service::Service;

/// Makes this program the service, with a keyring's file and one for its address.
pub(crate) const ARGUMENT: &str = "serve-authz";

/// Says of a duplicate that it must not go on: Envoy takes 200 for "let through".
pub(crate) const NOT_AGAIN: u16 = 208;

const CONFIGURATION: &str = r#"{
    "endpoints": [{"name": "stripe", "path": "/webhooks/stripe", "keyring": "file"}],
    "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
    "quotas": {"sources": {"rate": 1000000, "per_seconds": 1, "burst": 1000000}},
    "dedup": {"max_entries": 1000000, "retention_seconds": 259200, "lease_seconds": 30},
    "upstream_timeout_seconds": 10
}"#;

/// Serves until it is ended.
pub(crate) async fn serve(keyring: &Path, ready: &Path) -> Result<()> {
    let gate = Gate::load(Config::from_json(CONFIGURATION.as_bytes())?, |_| None)?;
    gate.refresh(0, &fs::read(keyring)?);
    let decider = Rc::new(Decider {
        gate,
        store: RefCell::default(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    fs::write(ready, format!("{}\n", listener.local_addr()?))?;
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let decider = Rc::clone(&decider);
            let decide = service_fn(move |request| Rc::clone(&decider).decide(request));
            spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), decide));
        }
    };
    LocalSet::new().run_until(accept).await
}

struct Decider {
    gate: Gate,
    store: RefCell<Memory>,
}

impl Decider {
    async fn decide(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let payload = body.collect().await?.to_bytes();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let now = Timestamp::from_unix_millis(u64::try_from(now)?);
        let mut headers = vec![
            (":method".to_owned(), head.method.as_str().into()),
            (":path".to_owned(), head.uri.path().into()),
        ];
        for (name, value) in &head.headers {
            headers.push((name.as_str().to_owned(), value.as_bytes().to_vec()));
        }
        let arrival = Arrival {
            head: RequestHead(&headers),
            source: Some([127, 0, 0, 1].into()),
            now,
        };
        let store = &mut *self.store.borrow_mut();
        let mut delivery = Delivery::default();
        let mut step = delivery.headers(&self.gate, arrival, store);
        if step == Step::Hold {
            step = delivery.body(&payload, now, store);
        }
        if step == Step::Hold {
            let mut entropy = [0; 32];
            getrandom::fill(&mut entropy)?;
            step = delivery.end(&payload, now, Some(Entropy(entropy)), store);
        }
        let mut response = Response::new(Full::default());
        match step {
            Step::Forward(forward) => {
                delivery.answered(200, Origin::Upstream, now, store);
                for (name, value) in forward.set {
                    response.headers_mut().insert(name, value.try_into()?);
                }
            }
            Step::Reply(reply) => {
                let status = reply.code.status();
                let status = if status == 200 { NOT_AGAIN } else { status };
                *response.status_mut() = status.try_into()?;
                *response.body_mut() = Full::from(reply.code.problem_json());
            }
            Step::Hold | Step::Pass { .. } => *response.status_mut() = 500_u16.try_into()?,
        }
        Ok(response)
    }
}

/// The tables. One thread has them: no store ever meets another.
#[derive(Default)]
struct Memory {
    buckets: BTreeMap<Address, (Vec<u8>, u32)>,
}

impl SharedStore for Memory {
    fn load(&mut self, at: Address) -> Result<(Vec<u8>, Version), StoreError> {
        Ok(match self.buckets.get(&at) {
            Some((bytes, version)) => (bytes.clone(), Version::Is(*version)),
            None => (Vec::new(), Version::Absent),
        })
    }

    fn store(&mut self, at: Address, bytes: &[u8], _: Version) -> Result<(), StoreError> {
        let (held, version) = self.buckets.entry(at).or_default();
        held.clear();
        held.extend_from_slice(bytes);
        *version += 1;
        Ok(())
    }
}
