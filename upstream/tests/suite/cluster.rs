//! Three nats-servers, of which one may be lost at any moment.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    delivery::{Connection, Delivery},
    harness::{
        PATIENCE, Server, Starting, assert_no_gaps, events, hookgate, output, refusal, until,
    },
    kept::verify,
    load::{Promises, assert_kept},
    nats_cluster::Cluster,
    nats_server::Nats,
    receiver::{Reaction, Receiver},
};

/// How long the loss of a server may be felt.
const RECOVERY: Duration = Duration::from_secs(30);

/// How many servers are lost in one test: each was the leader.
const ROUNDS: usize = 2;

/// How many events have to be acknowledged until something is no luck.
const EVENTS: usize = 40;

fn start(cluster: &Cluster) -> Server {
    Server::start(&cluster.address(), &["--replicas", "3"])
}

/// Senders that repeat each event until it is acknowledged, as Stripe does, at
/// whichever upstream answers.
struct Senders {
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    promises: Arc<Mutex<Promises>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Senders {
    fn start(upstreams: &[Server]) -> Self {
        let addresses: Vec<_> = upstreams.iter().map(|server| server.address).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let refused = Arc::new(AtomicUsize::new(0));
        let promises = Arc::new(Mutex::new(Promises::new()));
        let sender = |sender: usize| {
            let (stop, refused) = (Arc::clone(&stop), Arc::clone(&refused));
            let (promises, addresses) = (Arc::clone(&promises), addresses.clone());
            thread::spawn(move || {
                let mut connections: Vec<Connection> = addresses
                    .iter()
                    .map(|address| Connection::open(*address).unwrap())
                    .collect();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let id = format!("evt_{sender}_{number}");
                    let delivery = Delivery::new(&id);
                    let sequence = (sender..)
                        .find_map(|turn| {
                            let upstream = turn % connections.len();
                            let answer = connections[upstream].send(&delivery).unwrap();
                            if let (200, _, Some(sequence)) = answer.outcome() {
                                return Some(sequence);
                            }
                            assert_eq!(answer.outcome(), (503, "unavailable", None));
                            refused.fetch_add(1, Ordering::Relaxed);
                            None
                        })
                        .unwrap();
                    promises.lock().unwrap().insert(id, Some(sequence));
                }
            })
        };
        let threads = (0..4).map(sender).collect();
        Self {
            stop,
            refused,
            promises,
            threads,
        }
    }

    fn acknowledged(&self) -> usize {
        self.promises.lock().unwrap().len()
    }

    /// Waits until so many more are acknowledged.
    fn more(&self, count: usize) {
        let before = self.acknowledged();
        until("more events are acknowledged", || {
            (self.acknowledged() >= before + count).then_some(())
        });
    }

    /// Waits until every sender has its last event acknowledged.
    fn finish(self) -> (Promises, usize) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let promises = self.promises.lock().unwrap().clone();
        (promises, self.refused.load(Ordering::Relaxed))
    }
}

/// Takes the leader away again and again, and brings it back.
fn survives(
    cluster: &mut Cluster,
    take: impl Fn(&mut Cluster, usize),
    bring_back: impl Fn(&mut Cluster, usize),
) {
    let upstreams = [start(cluster), start(cluster)];
    let senders = Senders::start(&upstreams);
    let mut shortest = PATIENCE;
    for round in 0..ROUNDS {
        senders.more(EVENTS);
        let leader = cluster.leader();
        take(cluster, leader);
        let lost_at = Instant::now();
        // What was under way is answered, and then enough that isn't luck.
        senders.more(EVENTS);
        let felt = lost_at.elapsed();
        shortest = shortest.min(felt);
        eprintln!(
            "round {round}: {EVENTS} events acknowledged {felt:?} after the loss of the leader"
        );
        bring_back(cluster, leader);
        cluster.wait_until_well(leader);
    }
    let (promises, refused) = senders.finish();
    assert!(refused > 0, "nobody felt the loss of the leader");
    // A busy machine may elect one late, and not each time.
    assert!(shortest < RECOVERY, "{shortest:?}");
    let listed = events(&cluster.address());
    // Everything was repeated until it was acknowledged.
    assert_eq!(listed.len(), promises.len());
    assert_kept(&promises, &listed);
    assert_no_gaps(&listed);
    sealed(&cluster.address(), listed.len());
}

/// Waits until so many events are sealed, and are sound.
fn sealed(log: &str, events: usize) {
    until("everything is sealed", || {
        let (code, report) = verify(log, &[]);
        // 2: a stream has no leader yet.
        assert_ne!(code, 1, "{report}");
        (report["sequence"] == events && report["unsealed"] == 0).then_some(())
    });
}

/// Repeats a delivery until the cluster has a quorum for it. Its first copy may
/// be stored and the confirmation come too late: then a repeat is a duplicate.
fn confirmed(delivery: &Delivery, server: &Server, sequence: u64) {
    until("a quorum is back", || {
        let answer = delivery.send(server);
        match answer.outcome() {
            (200, "stored" | "duplicate", Some(found)) => {
                assert_eq!(found, sequence);
                Some(())
            }
            outcome => {
                assert_eq!(outcome, (503, "unavailable", None));
                None
            }
        }
    });
}

#[test]
fn a_redacted_event_is_gone_from_every_copy_and_stays_a_duplicate() {
    let mut cluster = Cluster::start();
    let server = start(&cluster);
    for (id, sequence) in [("evt_1", 1), ("evt_2", 2), ("evt_3", 3)] {
        confirmed(&Delivery::new(id), &server, sequence);
    }
    let needle = "\"id\": \"evt_2\"";
    let holds = |server: &usize| cluster.holds("HOOKGATE", *server, needle);
    until("each server has it", || {
        (0..3).all(|server| holds(&server)).then_some(())
    });
    let mut redact = hookgate();
    redact.args([
        "redact",
        "evt_2",
        "--reason",
        "r",
        "--log",
        &cluster.address(),
    ]);
    output(&mut redact);
    until("no server has it", || {
        (0..3).all(|server| !holds(&server)).then_some(())
    });
    // Also for the next leader.
    let leader = cluster.leader();
    cluster.kill(leader);
    let again = until("there is a leader", || {
        let answer = Delivery::new("evt_2").send(&server);
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(again.outcome(), (200, "duplicate", Some(2)));
    sealed(&cluster.address(), 4);
}

#[test]
fn a_leader_killed_under_load_loses_and_repeats_nothing() {
    let mut cluster = Cluster::start();
    survives(&mut cluster, Cluster::kill, Cluster::restart);
}

#[test]
fn a_leader_frozen_under_load_loses_and_repeats_nothing() {
    let mut cluster = Cluster::start();
    survives(
        &mut cluster,
        |cluster, server| cluster.freeze(server),
        |cluster, server| cluster.thaw(server),
    );
}

#[test]
fn without_a_quorum_nothing_is_stored_and_nothing_a_duplicate() {
    let mut cluster = Cluster::start();
    let server = start(&cluster);
    confirmed(&Delivery::new("evt_1"), &server, 1);
    let leader = cluster.leader();
    for other in cluster.others(leader) {
        cluster.kill(other);
    }
    // The leader has the first copy, and nobody else.
    let unconfirmed = Delivery::new("evt_2");
    for _ in 0..3 {
        let answer = unconfirmed.send(&server);
        assert_eq!(answer.outcome(), (503, "unavailable", None));
    }
    // The two that don't have it are the quorum.
    cluster.kill(leader);
    for other in cluster.others(leader) {
        cluster.restart(other);
    }
    confirmed(&unconfirmed, &server, 2);
    cluster.restart(leader);
    cluster.wait_until_well(leader);
    let again = unconfirmed.send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(2)));
    let listed = events(&cluster.address());
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_no_gaps(&listed);
}

#[test]
fn a_quorum_that_comes_back_says_what_it_has() {
    let mut cluster = Cluster::start();
    let server = start(&cluster);
    let leader = cluster.leader();
    for other in cluster.others(leader) {
        cluster.kill(other);
    }
    let unconfirmed = Delivery::new("evt_1");
    let answer = unconfirmed.send(&server);
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    // The one that has the first copy is of the quorum: it may become durable.
    for other in cluster.others(leader) {
        cluster.restart(other);
    }
    confirmed(&unconfirmed, &server, 1);
    let again = unconfirmed.send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(1)));
    for other in cluster.others(leader) {
        cluster.wait_until_well(other);
    }
    assert_eq!(events(&cluster.address()).len(), 1);
}

#[test]
fn a_reader_sees_everything_while_a_server_catches_up() {
    let mut cluster = Cluster::start();
    let upstreams = [start(&cluster)];
    let senders = Senders::start(&upstreams);
    senders.more(1);
    let behind = cluster.others(cluster.leader()).next().unwrap();
    cluster.kill(behind);
    senders.more(10 * EVENTS);
    let (promises, _) = senders.finish();
    cluster.restart(behind);
    // Some of these are answered by the one that is behind. It may take too long
    // over it, which the command says; what it shows is everything.
    for _ in 0..20 {
        let listed = until("the cluster answers in time", || {
            let mut command = hookgate();
            command.args(["events", "--json", "--limit", "1000000"]);
            let shown = command.args(["--log", &cluster.address()]).output();
            let shown = shown.unwrap();
            let message = String::from_utf8_lossy(&shown.stderr);
            let is_late = message.contains("timed out");
            assert!(shown.status.success() || is_late, "{message}");
            (!is_late).then(|| String::from_utf8(shown.stdout).unwrap())
        });
        assert_eq!(listed.lines().count(), promises.len());
    }
}

#[test]
fn deliveries_go_on_without_the_leader() {
    let mut cluster = Cluster::start();
    // Half of the events wait for their second attempt, in a stream of their own.
    let receiver = Receiver::start(|got, _| match got.attempt() {
        1 if got.id().ends_with(['1', '3', '5', '7', '9']) => Reaction::Status(500),
        _ => Reaction::Status(200),
    });
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("hookgate.toml");
    let text = format!(
        "log = \"{}\"\nreplicas = 3\n[[destinations]]\nname = \"orders\"\nurl = \"{}\"\n\
         timeout = \"1s\"\n[destinations.retry]\ninitial = \"3s\"\n",
        cluster.address(),
        receiver.url()
    );
    fs::write(&configuration, text).unwrap();
    let serve = || {
        let mut command = hookgate();
        command.args(["serve", "--config"]).arg(&configuration);
        Server::spawn(command)
    };
    let upstreams = [serve(), serve()];
    let senders = Senders::start(&upstreams);
    senders.more(EVENTS);
    let leader = cluster.leader();
    cluster.kill(leader);
    senders.more(EVENTS);
    let (promises, _) = senders.finish();
    until("each event is delivered", || {
        let got = receiver.got();
        let delivered = got
            .iter()
            .filter(|got| got.attempt() > 1 || got.id().ends_with(['0', '2', '4', '6', '8']));
        let mut ids: Vec<&str> = delivered.map(crate::receiver::Got::id).collect();
        ids.sort_unstable();
        ids.dedup();
        (ids.len() == promises.len()).then_some(())
    });
}

#[test]
fn refuses_streams_with_fewer_copies_than_asked_for() {
    let cluster = Cluster::start();
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("hookgate.toml");
    let text = format!(
        "[[destinations]]\nname = \"orders\"\nurl = \"{}\"\n",
        receiver.url()
    );
    fs::write(&configuration, text).unwrap();
    let configuration = configuration.to_str().unwrap();
    let options = ["--config", configuration, "--replicas", "3"];
    let (single, _) = options.split_at(2);

    let server = Server::start(&cluster.address(), single);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
    assert!(
        server.stderr().contains("the stream has one copy"),
        "{}",
        server.stderr()
    );
    drop(server);
    for (stream, flag) in [
        ("HOOKGATE", "--replicas=3"),
        ("HOOKGATE_EVIDENCE", "--replicas=3"),
        ("HOOKGATE_RETRY", "--replicas=3"),
        ("HOOKGATE_REVIEW", "--replicas=3"),
        ("HOOKGATE_ATTEMPTS", "--replicas=3"),
        ("HOOKGATE_AUDIT", "--replicas=3"),
    ] {
        let message = refusal(&cluster.address(), &options);
        let shown = cluster.address().replace(",1", ",nats://1");
        let mend = format!("nats --server {shown} stream edit {stream} {flag}");
        assert!(message.contains(&mend), "{mend}: {message}");
        cluster.set_replicas(stream, 3);
    }
    let server = Server::start(&cluster.address(), &options);
    confirmed(&Delivery::new("evt_2"), &server, 2);
    assert!(
        !server.stderr().contains("the stream has one copy"),
        "{}",
        server.stderr()
    );
}

#[test]
fn waits_for_a_quorum_at_the_start() {
    let mut cluster = Cluster::start();
    // Without a stream, and with one.
    for outcome in ["stored", "duplicate"] {
        for away in [0, 1] {
            cluster.kill(away);
        }
        let waiting = Starting::start(&cluster.address(), &["--replicas", "3"]);
        // The one that is left may hold itself to be the leader for a while.
        until("it waits, or believes that one", || {
            let said = waiting.stderr();
            let said = ["answering 503", "listening"].map(|line| said.contains(line));
            said.contains(&true).then_some(())
        });
        for away in [0, 1] {
            cluster.restart(away);
        }
        let server = waiting.until_served(PATIENCE);
        let mut refused = 0;
        let answer = until("the event is acknowledged", || {
            let answer = Delivery::new("evt_1").send(&server);
            refused += usize::from(answer.status != 200);
            (answer.status == 200).then_some(answer)
        });
        // What was refused may be stored all the same, confirmed too late.
        if refused == 0 || outcome == "duplicate" {
            assert_eq!(answer.outcome().1, outcome);
        }
        assert_eq!(answer.outcome().2, Some(1));
        for away in [0, 1] {
            cluster.wait_until_well(away);
        }
    }
}

#[test]
fn refuses_more_copies_than_there_are_servers() {
    let nats = Nats::start();
    let message = refusal(&nats.address(), &["--replicas", "3"]);
    assert!(
        message.contains("--replicas 3 needs a cluster of at least 3 servers"),
        "{message}"
    );
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let message = refusal(&log, &["--replicas", "3"]);
    assert!(
        message.contains("--replicas: the file has one copy"),
        "{message}"
    );
    assert!(!folder.path().join("log.db").exists());
    Server::start(&nats.address(), &["--replicas", "1"]);
}
