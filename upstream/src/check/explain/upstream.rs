//! What an upstream's configuration does.

use crate::{
    config::{Config, Console, Destination, Listen, Operator, Role},
    deliver::destination::Order,
};

/// Says what a server does, and where each thing that it keeps lies.
pub(super) fn about(config: &Config) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut add = |name: &str, text: String| lines.push((name.to_owned(), text));
    match &config.log {
        Some(log) => add("log", log.to_string()),
        None => add("log", "as --log or HOOKGATE_LOG says".to_owned()),
    }
    if let Some(gate) = &config.gate {
        add(
            "verifies",
            format!("as the gate of `{}` does", gate.display()),
        );
    }
    if let Some(file) = &config.gate_token_file {
        let file = file.display();
        add(
            "takes",
            format!("events from who shows a token of `{file}`"),
        );
    }
    match config.retention.keep {
        Some(keep) => add(
            "keeps",
            format!("events for {keep}, their identities for 30d or longer"),
        ),
        None => add("keeps", "events for ever".to_owned()),
    }
    if let Some(reconcile) = &config.reconcile {
        let (every, most) = (reconcile.every, reconcile.requests_per_second);
        add(
            "compares",
            format!("with Stripe's list of events every {every}, by {most} requests a second"),
        );
    }
    if let Some(state) = config.log.as_ref().and_then(|log| log.deliveries())
        && !config.destinations.is_empty()
    {
        add("deliveries", format!("their state is in {state}"));
    }
    let approvals = config.review.approvals;
    if approvals.value() > 1 {
        add(
            "redelivers",
            format!("what is parked after {approvals} people have approved"),
        );
    }
    if let Some(text) = console(&config.console) {
        add("shows", text);
    }
    for destination in &config.destinations {
        add(
            &format!("-> {}", destination.name),
            destination.url.to_string(),
        );
        for (name, text) in about_destination(destination) {
            add(&format!("   {name}"), text);
        }
    }
    lines
}

/// Says who may look; `None`: as shipped.
fn console(console: &Console) -> Option<String> {
    let place = match console.listen {
        Some(Listen::Off) => return Some("no console".to_owned()),
        Some(Listen::At(address)) => format!("a console on {address}"),
        None if console.operators.is_empty() => return None,
        None => "a console beside the metrics".to_owned(),
    };
    let may_act = |it: &&Operator| it.role == Role::Operate;
    let acting = console.operators.iter().filter(may_act).count();
    let reading = console.operators.len() - acting;
    Some(format!("{place}; {acting} may decide, {reading} only read"))
}

fn about_destination(destination: &Destination) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(secondary) = &destination.secondary {
        lines.push((
            "secondary",
            format!("{secondary}, while the first is unavailable"),
        ));
    }
    lines.push(("events", wanted(destination)));
    lines.push(("from", destination.from.to_string()));
    let signed = match destination.secrets.len() {
        0 => "not".to_owned(),
        1 => "with 1 secret".to_owned(),
        number => format!("with {number} secrets"),
    };
    lines.push(("signed", signed));
    if let Some(path) = &destination.ca_file {
        lines.push(("trusts", format!("certificates of `{}`", path.display())));
    }
    if let Some(proxy) = &destination.proxy {
        lines.push(("through", proxy.to_string()));
    }
    let rate = destination.rate;
    let rate = rate.map_or_else(String::new, |rate| format!(", {rate} a second"));
    let order = match destination.order {
        Order::None => "",
        Order::Object => ", in order for each object",
    };
    let concurrency = destination.concurrency;
    lines.push(("at once", format!("up to {concurrency}{rate}{order}")));
    let retry = destination.retry;
    let attempts = retry
        .attempts
        .map_or_else(String::new, |most| format!("{most} attempts or "));
    let (initial, factor) = (retry.initial, retry.factor);
    let (longest, end) = (retry.longest, retry.give_up_after);
    lines.push((
        "retries",
        format!("after {initial}, then × {factor} up to {longest}; parked after {attempts}{end}"),
    ));
    lines
}

fn wanted(destination: &Destination) -> String {
    let filter = destination.filter();
    let mut parts = Vec::new();
    let mut list = |name: &str, texts: Vec<&str>| {
        if !texts.is_empty() {
            parts.push(format!("{name} {}", texts.join(", ")));
        }
    };
    list(
        "of",
        filter
            .sources
            .iter()
            .map(|source| source.as_str())
            .collect(),
    );
    list(
        "of type",
        filter
            .types
            .iter()
            .map(|pattern| pattern.as_str())
            .collect(),
    );
    list(
        "of account",
        filter.accounts.iter().map(String::as_str).collect(),
    );
    match filter.livemode {
        Some(true) => parts.push("of live mode".to_owned()),
        Some(false) => parts.push("of test mode".to_owned()),
        None => {}
    }
    if parts.is_empty() {
        "all".to_owned()
    } else {
        parts.join("; ")
    }
}
