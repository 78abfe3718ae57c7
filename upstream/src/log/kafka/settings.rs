//! The topic's settings, and those that would break a promise.

use std::{collections::HashMap, fmt, time::Duration};

use super::HEADER_BYTES;
use crate::kafka::KafkaAddress;

/// Stripe sends an event again for up to 30 days (CLI resends, List Events):
/// the log must remember it for as long.
const MIN_RETENTION: Duration = Duration::from_hours(30 * 24);

/// Replicas that must have an event before it is confirmed, where there are
/// several: one may be lost then.
const MIN_IN_SYNC: usize = 2;

/// Returns the settings of a topic that we make.
pub(super) fn wanted(replicas: usize, max_payload_bytes: usize) -> Vec<(&'static str, String)> {
    let mut wanted = vec![
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", "-1".to_owned()),
        ("retention.bytes", "-1".to_owned()),
        ("max.message.bytes", largest(max_payload_bytes).to_string()),
        ("unclean.leader.election.enable", "false".to_owned()),
        // The broker's clock decides what is old, whatever a producer's says.
        ("message.timestamp.type", "LogAppendTime".to_owned()),
    ];
    wanted.push(durable(replicas));
    wanted
}

/// Returns what makes a confirmed event survive the loss of a machine, or of
/// one machine's power if there is only one.
fn durable(replicas: usize) -> (&'static str, String) {
    if replicas < MIN_IN_SYNC {
        ("flush.messages", "1".to_owned())
    } else {
        ("min.insync.replicas", MIN_IN_SYNC.to_string())
    }
}

const fn largest(max_payload_bytes: usize) -> usize {
    max_payload_bytes.saturating_add(HEADER_BYTES)
}

/// Holds what the brokers say of a topic.
#[derive(Debug, Default)]
pub(super) struct Settings(HashMap<String, String>);

/// Lists settings that would break a promise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongSettings {
    address: KafkaAddress,
    found: Vec<WrongSetting>,
}

/// Names one of them.
#[derive(Debug, PartialEq, Eq)]
struct WrongSetting {
    name: &'static str,
    /// `None`: the broker doesn't say, and it isn't taken on trust.
    found: Option<String>,
    expected: String,
    /// What mends it.
    value: String,
}

impl Settings {
    pub(super) fn insert(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    /// Refuses settings that would break a promise.
    ///
    /// # Errors
    /// [`WrongSettings`].
    pub(super) fn check(
        &self,
        address: &KafkaAddress,
        replicas: usize,
        max_payload_bytes: usize,
    ) -> Result<(), WrongSettings> {
        let found = self.wrong(replicas, max_payload_bytes);
        if found.is_empty() {
            return Ok(());
        }
        let address = address.clone();
        Err(WrongSettings { address, found })
    }

    fn wrong(&self, replicas: usize, max_payload_bytes: usize) -> Vec<WrongSetting> {
        let mut wrong = Vec::new();
        let mut check = |name, holds: &dyn Fn(&str) -> bool, expected: String, value: String| {
            let found = self.0.get(name);
            if !found.is_some_and(|found| holds(found)) {
                wrong.push(WrongSetting {
                    name,
                    found: found.cloned(),
                    expected,
                    value,
                });
            }
        };
        check(
            "cleanup.policy",
            &|it| it == "delete",
            "delete".to_owned(),
            "delete".to_owned(),
        );
        let least = MIN_RETENTION.as_millis();
        check(
            "retention.ms",
            &|it| it == "-1" || it.parse().is_ok_and(|it: u128| it >= least),
            format!("-1 (for ever) or at least {least} (30 days)"),
            "-1".to_owned(),
        );
        check(
            "retention.bytes",
            &|it| it == "-1",
            "-1 (without a limit)".to_owned(),
            "-1".to_owned(),
        );
        let largest = largest(max_payload_bytes);
        check(
            "max.message.bytes",
            &|it| it.parse().is_ok_and(|it: usize| it >= largest),
            format!("at least {largest}"),
            largest.to_string(),
        );
        check(
            "unclean.leader.election.enable",
            &|it| it == "false",
            "false".to_owned(),
            "false".to_owned(),
        );
        if !self.is_durable(replicas) {
            let (name, value) = durable(replicas);
            let expected = if replicas < MIN_IN_SYNC {
                format!("{value}: there is one replica, so each event must be on its disk")
            } else {
                format!("at least {value} of the {replicas} replicas")
            };
            check(name, &|_| false, expected, value);
        }
        wrong
    }

    fn is_durable(&self, replicas: usize) -> bool {
        let number = |name| self.0.get(name).and_then(|it| it.parse::<usize>().ok());
        let in_sync = number("min.insync.replicas").unwrap_or_default();
        number("flush.messages") == Some(1) || (MIN_IN_SYNC..=replicas).contains(&in_sync)
    }
}

impl fmt::Display for WrongSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = self.address.topic();
        writeln!(f, "the topic `{topic}` is not as the log needs it:")?;
        for WrongSetting {
            name,
            found,
            expected,
            ..
        } in &self.found
        {
            let found = found.as_ref().map(|found| format!("`{found}`"));
            let found = found.as_deref().unwrap_or("nothing");
            writeln!(f, "  {name}: found {found}, expected {expected}")?;
        }
        let mended: Vec<String> = (self.found.iter())
            .map(|wrong| format!("{}={}", wrong.name, wrong.value))
            .collect();
        write!(
            f,
            "Mend it, then start hookgate again:\n  kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {topic} --add-config {}",
            self.address.servers(),
            mended.join(",")
        )
    }
}

impl std::error::Error for WrongSettings {}

#[cfg(test)]
mod tests {
    use super::{Settings, wanted};

    const PAYLOAD: usize = 1_000_000;

    /// The settings of a topic that we make, some of them changed.
    fn settings(replicas: usize, changes: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in wanted(replicas, PAYLOAD) {
            settings.insert(name.to_owned(), value);
        }
        for (name, value) in changes {
            settings.insert((*name).to_owned(), (*value).to_owned());
        }
        settings
    }

    fn names(settings: &Settings, replicas: usize) -> Vec<&'static str> {
        let wrong = settings.wrong(replicas, PAYLOAD);
        wrong.iter().map(|wrong| wrong.name).collect()
    }

    #[test]
    fn takes_the_topic_that_it_makes() {
        for replicas in 1..=3 {
            let made = settings(replicas, &[]);
            assert_eq!(names(&made, replicas), Vec::<&str>::new(), "{replicas}");
        }
    }

    #[test]
    fn refuses_what_would_forget_or_not_take_an_event() {
        for (name, value, takes) in [
            ("retention.ms", "2592000000", true),
            ("retention.ms", "2591999999", false),
            ("retention.ms", "-2", false),
            ("retention.bytes", "1073741824", false),
            ("cleanup.policy", "compact", false),
            ("cleanup.policy", "compact,delete", false),
            ("max.message.bytes", "1016384", true),
            ("max.message.bytes", "1016383", false),
            ("unclean.leader.election.enable", "true", false),
        ] {
            let wrong = if takes { vec![] } else { vec![name] };
            let changed = settings(3, &[(name, value)]);
            assert_eq!(names(&changed, 3), wrong, "{name}={value}");
        }
    }

    #[test]
    fn refuses_a_confirmation_that_one_machine_gives_from_memory() {
        for (replicas, in_sync, flush, wrong) in [
            (3, "2", "9223372036854775807", None),
            (3, "1", "9223372036854775807", Some("min.insync.replicas")),
            (3, "1", "1", None),
            // Nothing could ever be confirmed.
            (2, "3", "9223372036854775807", Some("min.insync.replicas")),
            (1, "1", "1", None),
            (1, "1", "9223372036854775807", Some("flush.messages")),
        ] {
            let changes = [("min.insync.replicas", in_sync), ("flush.messages", flush)];
            let changed = settings(replicas, &changes);
            let wrong: Vec<&str> = wrong.into_iter().collect();
            assert_eq!(names(&changed, replicas), wrong, "{replicas} {changes:?}");
        }
    }

    #[test]
    fn says_how_to_mend_a_topic() {
        let mut settings = settings(3, &[("retention.ms", "604800000")]);
        settings.0.remove("retention.bytes");
        let address = "kafka://a:9092,b:9092/events".parse().unwrap();
        let wrong = settings.check(&address, 3, PAYLOAD).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "the topic `events` is not as the log needs it:\n  \
               retention.ms: found `604800000`, expected -1 (for ever) or at least 2592000000 (30 days)\n  \
               retention.bytes: found nothing, expected -1 (without a limit)\n\
             Mend it, then start hookgate again:\n  \
               kafka-configs.sh --bootstrap-server a:9092,b:9092 --alter --entity-type topics \
             --entity-name events --add-config retention.ms=-1,retention.bytes=-1"
        );
    }
}
