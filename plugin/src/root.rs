//! The configured gate of one worker.

use std::{cell::Cell, env, error::Error, rc::Rc, time::Duration};

use hookgate_core::{config::Config, gate::Gate, metric};
use log::{error, info, warn};
use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext, RootContext},
    types::ContextType,
};
use zeroize::Zeroizing;

use crate::{
    counters::{self, Counters},
    held::Held,
    host,
    keyrings::{self, Keyrings},
    stream::Stream,
    vm,
    watching::{Answered, Watching},
};

/// How often a worker looks whether there is something to do.
const TICK: Duration = Duration::from_millis(250);

/// Makes a stream for each request, once a configuration was accepted.
#[derive(Default)]
pub(crate) struct Root {
    ready: Option<Ready>,
    /// Whether this VM ever had a request.
    is_serving: Cell<bool>,
}

/// Holds what all streams of a configuration share.
#[derive(Clone)]
pub(crate) struct Ready {
    pub(crate) gate: Rc<Gate>,
    pub(crate) counters: Rc<Counters>,
    pub(crate) keyrings: Rc<Keyrings>,
    pub(crate) held: Rc<Held>,
    pub(crate) watching: Option<Rc<Watching>>,
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, _: usize, body_bytes: usize, _: usize) {
        let Some(ready) = &self.ready else {
            return;
        };
        let status = self.get_http_call_response_header_bytes(":status");
        if let Some(watching) = &ready.watching {
            let number = status.as_deref().map(str::from_utf8);
            let number = number.and_then(|text| text.ok()?.parse().ok());
            let worth_reading = watching.worth_reading(token, body_bytes);
            let body =
                (worth_reading > 0).then(|| self.get_http_call_response_body(0, worth_reading));
            let answer = Answered {
                status: number.unwrap_or_default(),
                body: body.flatten().unwrap_or_default(),
            };
            if watching.answered(token, &answer) {
                return;
            }
        }
        let is_ok = status.is_some_and(|status| status == b"200");
        let answer = is_ok
            .then(|| self.get_http_call_response_body(0, keyrings::worth_reading(body_bytes)))
            // The host has nothing to show of an empty body.
            .map(|body| Zeroizing::new(body.unwrap_or_default()));
        let is_serving = self.is_serving.get();
        ready
            .keyrings
            .answered(token, answer, is_serving, host::now());
        ready.show_secrets();
    }
}

impl RootContext for Root {
    // A refusal makes Envoy keep the configuration before, or end at start.
    fn on_configure(&mut self, _: usize) -> bool {
        let json = self.get_plugin_configuration().unwrap_or_default();
        match configure(&json) {
            Ok(ready) => {
                announce(&ready.gate);
                let watching = ready.watching.as_ref();
                let period = watching.map_or(TICK, |it| it.period().min(TICK));
                self.ready = Some(ready);
                self.set_tick_period(period);
                true
            }
            Err(error) => {
                error!("configuration refused: {error}");
                false
            }
        }
    }

    // Calls go out from here and never from on_configure, which ends Envoy now
    // and then.
    fn on_tick(&mut self) {
        #[cfg(feature = "trap")]
        crate::trap::on_tick();
        let now = host::now();
        vm::tick(now);
        if let Some(ready) = &self.ready {
            ready.keyrings.poll(now, self.is_serving.get());
            ready.show_secrets();
            if let Some(watching) = &ready.watching {
                watching.tick(now, self.is_serving.get());
                ready.gate.protect(Watching::protection());
            }
            // Last: the context is another one afterwards.
            ready.held.tick();
        }
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        self.is_serving.set(true);
        Some(Box::new(Stream::new(self.ready.clone()?, context)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Ready {
    /// Exports how many secrets each endpoint can use now. A worker with an old
    /// keyring says nothing: it would contradict those that have the new one.
    fn show_secrets(&self) {
        let now = host::now();
        for endpoint in self.gate.endpoints() {
            let keyring = endpoint.config.keyring;
            if keyring.is_some_and(|index| !self.keyrings.is_current(index)) {
                continue;
            }
            let usable = endpoint.signers(now).len();
            if let Ok(gauge) = counters::define(&metric::SECRETS, &[&endpoint.config.name]) {
                let usable = u64::try_from(usable).unwrap_or(u64::MAX);
                _ = hostcalls::record_metric(gauge, usable);
            }
        }
    }
}

fn configure(json: &[u8]) -> Result<Ready, Box<dyn Error>> {
    let config = Config::from_json(json)?;
    let watch = config.watch.clone();
    let gate = Gate::load(config, |variable| {
        env::var_os(variable).map(|value| value.into_encoded_bytes())
    })?;
    let gate = Rc::new(gate);
    let refused = |status| format!("the host refused to define a counter: {status:?}");
    let counters = Counters::define(&gate).map_err(refused)?;
    let ready = Ready {
        keyrings: Rc::new(Keyrings::new(Rc::clone(&gate))),
        counters: Rc::new(counters),
        held: Rc::default(),
        watching: watch.map(Watching::start).transpose().map_err(refused)?,
        gate,
    };
    ready.show_secrets();
    Ok(ready)
}

fn announce(gate: &Gate) {
    for endpoint in gate.endpoints() {
        let config = &endpoint.config;
        let keyring = config
            .keyring
            .and_then(|index| gate.keyrings().nth(index))
            .map_or("none", |keyring| keyring.name.as_str());
        info!(
            "endpoint {} at {}: scheme {}, {} secrets in the environment, keyring {keyring}",
            config.name,
            config.path,
            config.scheme.as_str(),
            config.secrets.len(),
        );
    }
    for (endpoint, secret) in gate.missing_secrets() {
        warn!(
            "endpoint {}: secret {} is not there: set its variable in Envoy's environment and list it in host_env_keys",
            endpoint.config.name, secret.name,
        );
    }
    let now = host::now();
    for endpoint in gate.endpoints() {
        if endpoint.has_been_loaded() && endpoint.signers(now).is_empty() {
            warn!(
                "endpoint {} has no secret at all and answers 503 to everything",
                endpoint.config.name,
            );
        }
    }
}
