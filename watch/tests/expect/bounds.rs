//! Whatever is sent, memory has a bound and nothing panics.

use hookgate_watch::expect::{Event, Expectations, Got, Outcome};

fn event<'a>(sequence: u64, objects: &'a [u64], name: &'a str, at_millis: u64) -> Event<'a> {
    Event {
        sequence,
        event: sequence,
        objects,
        type_name: name,
        at_millis,
        in_time: true,
    }
}

#[test]
fn no_number_of_objects_types_and_destinations_makes_it_grow() {
    let mut expectations = Expectations::new();
    for sequence in 0..200_000_u64 {
        // Of one type and nothing that is known to follow, so that all of them wait.
        let other = format!("type.{}", sequence % 1_000);
        let name = if sequence % 4 == 0 { &other } else { "a" };
        let objects = [sequence, 1 << 60 | sequence, 1 << 61 | sequence];
        expectations.observe(&event(sequence, &objects, name, sequence));
        if sequence % 8 == 0 {
            expectations.reported(&Outcome {
                event: sequence,
                destination: &other,
                got_millis: None,
                at_millis: sequence + 5,
                completed: sequence % 16 == 0,
            });
        }
    }
    let counts = expectations.counts();
    assert_eq!((counts.objects, counts.waiting), (65_536, 65_536));
    assert!(counts.unjudged > 0, "what isn't judged is counted");
    let saved = expectations.save().len();
    assert!(saved < 24 << 20, "{saved}");
}

#[test]
fn one_object_with_endless_events_stays_small() {
    let mut expectations = Expectations::new();
    for sequence in 0..20_000 {
        expectations.observe(&event(sequence, &[7], "subscription.updated", sequence));
    }
    assert!(
        expectations.counts().waiting <= 33,
        "{:?}",
        expectations.counts()
    );
}

#[test]
fn odd_times_and_repeated_events_are_taken() {
    let mut expectations = Expectations::new();
    let times = [5, u64::MAX, 0, 1 << 60, 5, u64::MAX - 1, 7];
    for (sequence, at) in times.into_iter().cycle().take(2_000).enumerate() {
        let sequence = sequence as u64 / 2;
        expectations.observe(&event(sequence, &[sequence % 5], "a", at));
        expectations.tick(at, &mut |_, _| Got::At(u64::MAX));
        expectations.reported(&Outcome {
            event: sequence,
            destination: "d",
            got_millis: Some(at),
            at_millis: 3,
            completed: true,
        });
    }
    expectations.tick(u64::MAX, &mut |_, _| Got::Unknown);
    let saved = expectations.save();
    assert_eq!(Expectations::restore(&saved).as_ref(), Ok(&expectations));
}
