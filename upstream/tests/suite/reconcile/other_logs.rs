//! Logs that can't look an identity up are read.

use super::{Place, SOURCES, deliver, numbered, origins};
use crate::{
    contract::Backend,
    harness::Server,
    rabbit_server::RabbitLog,
    stripe::{PLATFORM, Script, Stripe},
};

fn a_log_that_knows_no_identities_is_read_instead<B: Backend>() {
    let backend = B::new();
    let log = backend.address();
    let stripe = Stripe::start(Script::default());
    stripe.add(PLATFORM, numbered("a", 120));
    let server = Server::start(&log, &[]);
    deliver(&server, "stripe", &["evt_a_1".to_owned()]);
    let fields = "requests_per_second = 100\naccounts = []";
    let place = Place::new(&log, &stripe, fields, SOURCES);
    place.began_before();
    let first = place.report(&[]);
    assert_eq!(
        (&first["present"], &first["appended"]),
        (&1.into(), &119.into())
    );
    let again = place.report(&["--since", "1d"]);
    assert_eq!(
        (&again["present"], &again["appended"]),
        (&120.into(), &0.into())
    );
    assert_eq!(origins(&log).len(), 120);
}

mod on_rabbitmq {
    #[test]
    fn a_log_that_knows_no_identities_is_read_instead() {
        super::a_log_that_knows_no_identities_is_read_instead::<super::RabbitLog>();
    }
}

#[cfg(feature = "kafka")]
mod on_kafka {
    #[test]
    fn a_log_that_knows_no_identities_is_read_instead() {
        super::a_log_that_knows_no_identities_is_read_instead::<crate::tansu::Tansu>();
    }
}
