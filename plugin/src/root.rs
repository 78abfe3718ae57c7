//! The configured gate of one worker.

use std::{env, error::Error, rc::Rc};

use hookgate_core::{config::Config, gate::Gate};
use log::{error, info, warn};
use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::ContextType,
};

use crate::{counters::Counters, stream::Stream};

/// Makes a stream for each request, once a configuration was accepted.
#[derive(Default)]
pub(crate) struct Root {
    ready: Option<(Rc<Gate>, Rc<Counters>)>,
}

impl Context for Root {}

impl RootContext for Root {
    // A refusal makes Envoy keep the configuration before, or end at start.
    fn on_configure(&mut self, _: usize) -> bool {
        let json = self.get_plugin_configuration().unwrap_or_default();
        match configure(&json) {
            Ok((gate, counters)) => {
                announce(&gate);
                self.ready = Some((Rc::new(gate), Rc::new(counters)));
                true
            }
            Err(error) => {
                error!("configuration refused: {error}");
                false
            }
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let (gate, counters) = self.ready.clone()?;
        Some(Box::new(Stream::new(gate, counters)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

fn configure(json: &[u8]) -> Result<(Gate, Counters), Box<dyn Error>> {
    let config = Config::from_json(json)?;
    let gate = Gate::load(config, |variable| {
        env::var_os(variable).map(|value| value.into_encoded_bytes())
    })?;
    let counters = Counters::define(&gate)
        .map_err(|status| format!("the host refused to define a counter: {status:?}"))?;
    Ok((gate, counters))
}

fn announce(gate: &Gate) {
    for endpoint in gate.endpoints() {
        info!(
            "endpoint {} at {} with {} of {} secrets",
            endpoint.config.name,
            endpoint.config.path,
            endpoint.secrets.len(),
            endpoint.config.secrets.len(),
        );
    }
    for (endpoint, secret) in gate.missing_secrets() {
        warn!(
            "endpoint {}: secret {} is not there: set its variable in Envoy's environment and list it in host_env_keys",
            endpoint.config.name, secret.name,
        );
    }
    for endpoint in gate.closed_endpoints() {
        warn!(
            "endpoint {} has no secret at all and answers 503 to everything",
            endpoint.config.name,
        );
    }
}
