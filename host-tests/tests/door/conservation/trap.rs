//! A VM that traps: what it had open is lost, counted, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use hookgate_core::metric;
use hookgate_core::outcome::Stage;
use hookgate_host_tests::artefact;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::raw;
use hookgate_host_tests::script::{Act, Script};
use hookgate_host_tests::wait;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Door, assert_conserved_with_open, lost};
use crate::assert_problem;

const TRAP: &str = "x-hookgate-test-trap";

/// How many are open in each stage; each worker has some of them.
const HELD: usize = 16;

/// A number's lease, and the ticks until somebody looks.
const BURIAL: Duration = Duration::from_secs(45);

#[test]
fn kill_switch_is_not_in_the_shipped_module() -> Result<()> {
    // What every header begins with that is for tests alone.
    let name = b"x-hookgate-test-";
    let has_it = |module: Vec<u8>| module.windows(name.len()).any(|at| at == name);
    assert!(has_it(fs::read(artefact::trap_module()?)?));
    assert!(!has_it(fs::read(artefact::module()?)?));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_of_a_vm_loses_what_it_had_open_and_counts_it() -> Result<()> {
    let upstream = Script::start([]).await?;
    let setup = Setup::shipped()
        .module(artefact::trap_module()?)
        .lease_and_timeout(12, 10);
    let door = Arc::new(Door::new(setup.start(upstream.address()).await?));
    let held = Held::start(&door, &upstream).await?;
    let mut genuine: BTreeSet<String> = held.events.iter().map(|event| event.id.clone()).collect();
    let before = door.read().await?;
    assert_conserved_with_open(&before)?;

    // Counted by nobody: it traps before it is received.
    let trap = PLATFORM.deliver(&Event::fresh()?)?.header(TRAP, "now")?;
    if let Ok(answer) = door.envoy.send(trap).await {
        assert!(answer.status >= 500, "{answer:?}");
    }
    // Whoever comes while a worker has no VM is refused, or waits for one.
    for _ in 0..20 {
        let forged = PLATFORM.forge(&Event::fresh()?)?;
        if let Ok(answer) = door.envoy.send(forged).await {
            assert!(matches!(answer.status, 400 | 500..600), "{answer:?}");
        }
    }
    held.end();
    serves_again(&door, &mut genuine).await?;
    assert!(door.envoy.admin().vm_reloads().await? > 0);

    let what = "what is lost to be counted";
    let read = wait::until(what, BURIAL, async || {
        let read = door.read().await?;
        let lost = lost(&read, Stage::Unverified)? + lost(&read, Stage::Forwarded)?;
        Ok((lost > 0).then_some(read))
    })
    .await?;
    // All that one worker had open, and nothing of the other's.
    let lost = (
        lost(&read, Stage::Unverified)?,
        lost(&read, Stage::Forwarded)?,
    );
    let workers = before.values(metric::OPEN.name, "worker");
    let owned = workers.iter().map(|worker| open_at(&before, worker));
    let owned = owned.collect::<Result<Vec<_>>>()?;
    assert!(owned.contains(&lost), "lost {lost:?} of {owned:?}");

    again_after_the_lease(&door, &held.events).await?;
    door.expect_open(Stage::Unverified, 0).await?;
    let read = door.expect_open(Stage::Forwarded, 0).await?;
    assert_conserved_with_open(&read)?;
    for received in upstream.received() {
        let id = received.header("ce-id").context("passed unverified")?;
        assert!(genuine.contains(id), "nobody signed {id}");
    }
    Ok(())
}

/// Deliveries that are open, half of them with a body that never ends.
struct Held {
    bodies: Vec<TcpStream>,
    events: Vec<Event>,
    told: Vec<Arc<Notify>>,
    senders: JoinSet<()>,
}

impl Held {
    async fn start(door: &Arc<Door>, upstream: &Script) -> Result<Self> {
        let mut held = Self {
            bodies: Vec::new(),
            events: Vec::new(),
            told: Vec::new(),
            senders: JoinSet::new(),
        };
        for _ in 0..HELD {
            let unfinished = Event::fresh()?;
            let signature = PLATFORM.sign_at(&unfinished.payload, SystemTime::now())?;
            let request = raw::Head::new(&format!("POST {}", PLATFORM.path))
                .header("stripe-signature", signature)
                .sized_body(&unfinished.payload);
            let part = request.get(..request.len() - 1).context("no body")?;
            let mut stream = TcpStream::connect(door.envoy.address()).await?;
            stream.write_all(part).await?;
            held.bodies.push(stream);

            let told = Arc::new(Notify::new());
            upstream.push(Act::HoldThen(Arc::clone(&told), 503));
            held.told.push(told);
            let event = Event::fresh()?;
            let (door, delivery) = (Arc::clone(door), PLATFORM.deliver(&event)?);
            // It ends with its worker's VM, or with the upstream's answer.
            let send = async move { drop(door.envoy.send(delivery).await) };
            held.senders.spawn(send);
            held.events.push(event);
        }
        let count = u64::try_from(HELD)?;
        door.expect_open(Stage::Unverified, count).await?;
        door.expect_open(Stage::Forwarded, count).await?;
        Ok(held)
    }

    /// Lets go of what the other worker still has.
    fn end(&self) {
        self.told.iter().for_each(|told| told.notify_one());
    }
}

/// Fresh deliveries over connections of their own until many in a row are
/// stored: by then every worker has had some.
async fn serves_again(door: &Door, genuine: &mut BTreeSet<String>) -> Result<()> {
    let mut in_a_row = 0;
    wait::until("the door to serve again", wait::PATIENCE, async || {
        let event = Event::fresh()?;
        genuine.insert(event.id.clone());
        let answer = door.envoy.send(PLATFORM.deliver(&event)?).await;
        let is_stored = answer.is_ok_and(|answer| answer.code() == "stored");
        in_a_row = if is_stored { in_a_row + 1 } else { 0 };
        Ok((in_a_row == 20).then_some(()))
    })
    .await
}

/// Every event that was under way can be delivered.
async fn again_after_the_lease(door: &Door, events: &[Event]) -> Result<()> {
    for event in events {
        wait::until("the lease to run out", wait::PATIENCE, async || {
            let answer = door.envoy.send(PLATFORM.deliver(event)?).await?;
            match answer.code().as_str() {
                "stored" => Ok(Some(())),
                "in_progress" => {
                    assert_problem(&answer, 409, "in_progress");
                    Ok(None)
                }
                _ => bail!("neither stored nor held: {answer:?}"),
            }
        })
        .await?;
    }
    Ok(())
}

fn open_at(read: &Exposition, worker: &str) -> Result<(u64, u64)> {
    let of = |stage: Stage| {
        let labels = [("stage", stage.as_str()), ("worker", worker)];
        read.sum(metric::OPEN.name, &labels)
    };
    Ok((of(Stage::Unverified)?, of(Stage::Forwarded)?))
}
