//! Whether anybody holds what a gate marks to be held.

use hookgate_core::config::Config;

use crate::log::{Capability, LogAddress};

/// Says why what a gate marks to be held waits for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unheld {
    /// The log is one that parks nothing.
    #[error(
        "the gate's `watch.protect.secret_suspect` marks events to wait for a person, and beside this log nothing waits: its consumers get them at once, and have to look at `ce-heldfor`"
    )]
    Log,
    /// Nothing is delivered.
    #[error(
        "the gate's `watch.protect.secret_suspect` marks events to wait for a person, and without destinations nothing waits: whoever reads the log has to look at `ce-heldfor`"
    )]
    NoDestinations,
}

/// Checks that what a gate marks waits beside a log with so many destinations; `None`
/// for a log that isn't known here.
///
/// # Errors
/// [`Unheld`].
pub(crate) fn check(
    gate: &Config,
    log: Option<&LogAddress>,
    destinations: usize,
) -> Result<(), Unheld> {
    let marks = (gate.watch.as_ref()).is_some_and(|watch| watch.protect.secret_suspect);
    if !marks {
        Ok(())
    } else if log.is_some_and(|log| !log.can(Capability::Review)) {
        Err(Unheld::Log)
    } else if destinations == 0 {
        Err(Unheld::NoDestinations)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hookgate_core::config::Config;

    use super::{Unheld, check};

    #[test]
    fn only_destinations_beside_a_file_or_nats_hold_what_is_marked() {
        let gate = |watch: &str| {
            let json = format!(
                r#"{{"endpoints": [{{"name": "a", "path": "/a", "secrets": [{{"name": "a", "env": "A"}}]}}]{watch}}}"#
            );
            Config::from_json(json.as_bytes()).unwrap()
        };
        let marks = gate(r#", "watch": {"protect": {"secret_suspect": true}}"#);
        let log = |text: &str| Some(text.parse().unwrap());
        for (log, destinations, expected) in [
            (log("sqlite:log.db"), 1, Ok(())),
            (log("nats://nats:4222"), 1, Ok(())),
            (None, 1, Ok(())),
            (log("sqlite:log.db"), 0, Err(Unheld::NoDestinations)),
            (None, 0, Err(Unheld::NoDestinations)),
            (log("amqp://rabbit:5672/"), 0, Err(Unheld::Log)),
        ] {
            assert_eq!(check(&marks, log.as_ref(), destinations), expected);
            for other in ["", r#", "watch": {"protect": {"cascade": true}}"#] {
                assert_eq!(check(&gate(other), log.as_ref(), destinations), Ok(()));
            }
        }
    }
}
