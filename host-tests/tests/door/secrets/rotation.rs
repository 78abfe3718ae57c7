//! A secret that is rotated every few seconds under load: the sender signs with
//! both for two refresh intervals, the keyring has the new one only.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use hookgate_host_tests::client::Http1;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::Event;
use hookgate_host_tests::keyring::KeyringFile;
use hookgate_host_tests::script::Script;
use hookgate_host_tests::wait;
use serde_json::Value;
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::kv2::{Manner, Source};
use super::{http, keyring_count, keyring_of, signed_by, verified_by};

const SENDERS: usize = 16;

/// Deliveries over one connection: workers change with connections.
const DELIVERIES_PER_CONNECTION: usize = 20;

/// Between two deliveries of a sender.
const PAUSE: Duration = Duration::from_millis(10);

/// Allowed for a change to reach every worker by a watched file: a hundred
/// times what it takes on a machine at rest.
const FILE_REFRESH: Duration = Duration::from_millis(500);

/// Workers and time: 4 and 30 s in `cargo xtask soak`.
fn form() -> (u32, Duration) {
    if env::var_os("HOOKGATE_SOAK").is_some() {
        (4, Duration::from_secs(30))
    } else {
        (2, Duration::from_secs(8))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_rotation_of_a_renamed_file_refuses_nothing_genuine() -> Result<()> {
    let script = Script::start([]).await?;
    let envoy = start(file_setup(), &script).await?;
    let file = envoy.keyring().clone();
    let plan = Plan {
        period: Duration::from_secs(2),
        overlap: FILE_REFRESH * 3,
        keyring: "file",
        others: 0,
    };
    rotate(&envoy, plan, |keyring| file.replace(&keyring.to_string())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_rotation_of_a_kubernetes_mount_refuses_nothing_genuine() -> Result<()> {
    let script = Script::start([]).await?;
    let envoy = start(file_setup(), &script).await?;
    let mut mount = Mount::over(envoy.keyring(), &keyring_of(&name(0), &secret(0)))?;
    let plan = Plan {
        period: Duration::from_secs(2),
        overlap: FILE_REFRESH * 3,
        keyring: "file",
        others: 0,
    };
    rotate(&envoy, plan, |keyring| mount.swap(&keyring)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_rotation_of_an_http_source_refuses_nothing_genuine() -> Result<()> {
    let script = Script::start([]).await?;
    let source = Source::start(Manner::Secret(keyring_of(&name(0), &secret(0)))).await?;
    let envoy = start(http::setup(&source), &script).await?;
    let plan = Plan {
        period: Duration::from_secs(5),
        overlap: Duration::from_secs(4),
        keyring: "vault",
        others: 1,
    };
    rotate(&envoy, plan, |keyring| {
        source.set(Manner::Secret(keyring));
        Ok(())
    })
    .await
}

/// When a secret is rotated, and for how long both sign.
struct Plan {
    period: Duration,
    overlap: Duration,
    keyring: &'static str,
    /// Threads beside the workers that may load it.
    others: u32,
}

fn name(number: u32) -> String {
    format!("rotated-{number}")
}

fn secret(number: u32) -> String {
    format!("whsec_tests_rotated_{number}_9Qw3")
}

fn file_setup() -> Setup {
    Setup::shipped().keyring(keyring_of(&name(0), &secret(0)).to_string())
}

/// Starts an Envoy and waits until every worker has its first secret: each
/// connection is some worker's.
async fn start(setup: Setup, script: &Script) -> Result<Envoy> {
    let (workers, _) = form();
    let envoy = setup.workers(workers).start(script.address()).await?;
    let mut in_a_row = 0;
    wait::until("the workers' secrets", wait::PATIENCE, async || {
        let delivery = signed_by(&[secret(0)], &Event::fresh()?)?;
        let is_stored = envoy.send(delivery).await?.status == 200;
        in_a_row = if is_stored { in_a_row + 1 } else { 0 };
        Ok((in_a_row == 50).then_some(()))
    })
    .await?;
    Ok(envoy)
}

async fn rotate(
    envoy: &Envoy,
    plan: Plan,
    mut publish: impl FnMut(Value) -> Result<()>,
) -> Result<()> {
    let (workers, time) = form();
    let load = Arc::new(Load::new(envoy.address()));
    let refused = ended(envoy, "refused").await?;
    let committed = ended(envoy, "committed").await?;
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        senders.spawn(send_until_stopped(Arc::clone(&load)));
    }
    let end = Instant::now() + time;
    let mut current = 0;
    while Instant::now() < end {
        let begun = Instant::now();
        let (old, new) = (current, current + 1);
        load.sign_with([secret(old), secret(new)]).await;
        publish(keyring_of(&name(new), &secret(new)))?;
        sleep(plan.overlap).await;
        load.sign_with([secret(new)]).await;
        // A sender ends early by what it was refused.
        if let Some(sender) = senders.try_join_next() {
            sender??;
        }
        let counted = verified_by(envoy, &name(old)).await?;
        sleep_until(begun + plan.period).await;
        assert_eq!(verified_by(envoy, &name(old)).await?, counted, "{new}");
        assert!(verified_by(envoy, &name(new)).await? > 0, "{new}");
        current = new;
    }
    load.stopped.store(true, Ordering::Relaxed);
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    let stored = load.stored.load(Ordering::Relaxed);
    assert!(stored > u64::from(current) * 50, "{stored} are no load");
    assert_eq!(ended(envoy, "refused").await?, refused);
    wait::until("every delivery's count", wait::PATIENCE, async || {
        let now = ended(envoy, "committed").await?;
        Ok((now == committed + stored).then_some(()))
    })
    .await?;
    // Each worker loads each keyring once; Envoy's main thread may ask an API too.
    let loaded = keyring_count(envoy, plan.keyring, "loaded").await?;
    let once = |threads: u32| u64::from(threads) * u64::from(current + 1);
    let expected = once(workers)..=once(workers + plan.others);
    assert!(expected.contains(&loaded), "{loaded}, not {expected:?}");
    for result in ["refused", "failed"] {
        assert_eq!(keyring_count(envoy, plan.keyring, result).await?, 0);
    }
    eprintln!(
        "{current} rotations of keyring {}, {workers} workers: {stored} deliveries, none refused",
        plan.keyring,
    );
    Ok(())
}

/// Returns how many deliveries ended so.
async fn ended(envoy: &Envoy, outcome: &str) -> Result<u64> {
    let part = format!(".outcome.{outcome}.");
    let counts =
        |name: &str| name.starts_with("wasmcustom.hookgate_deliveries.") && name.contains(&part);
    envoy.admin().sum(counts).await
}

/// What the senders share.
struct Load {
    door: SocketAddr,
    /// Held to read while a delivery is under way: who changes it knows that
    /// nothing signed before is still to come.
    signers: RwLock<Vec<String>>,
    stored: AtomicU64,
    stopped: AtomicBool,
}

impl Load {
    fn new(door: SocketAddr) -> Self {
        Self {
            door,
            signers: RwLock::new(vec![secret(0)]),
            stored: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    async fn sign_with(&self, secrets: impl Into<Vec<String>>) {
        *self.signers.write().await = secrets.into();
    }
}

async fn send_until_stopped(load: Arc<Load>) -> Result<()> {
    while !load.stopped.load(Ordering::Relaxed) {
        let mut connection = Http1::connect(load.door).await?;
        for _ in 0..DELIVERIES_PER_CONNECTION {
            let event = Event::fresh()?;
            let signers = load.signers.read().await;
            let answer = connection.send(signed_by(&signers, &event)?).await?;
            let seen = (answer.status, answer.code());
            ensure!(
                seen == (200, "stored".to_owned()),
                "signed by {signers:?}: {answer:?}"
            );
            drop(signers);
            load.stored.fetch_add(1, Ordering::Relaxed);
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// A mounted Secret as the kubelet keeps it: the file is a link into `..data`,
/// and that a link to a folder with a date for its name.
struct Mount {
    folder: PathBuf,
    version: u32,
}

impl Mount {
    /// Makes the mount with this keyring in place of the plain file.
    fn over(file: &KeyringFile, keyring: &Value) -> Result<Self> {
        let mut mount = Self {
            folder: file.folder().to_owned(),
            version: 0,
        };
        mount.swap(keyring)?;
        let link = mount.folder.join("link");
        symlink("..data/keys.json", &link)?;
        fs::rename(link, file.path())?;
        Ok(mount)
    }

    /// Swaps in a new version and removes the one before, as the kubelet does.
    fn swap(&mut self, keyring: &Value) -> Result<()> {
        let dated = |version: u32| format!("..2026_11_24_00_00_00.{version}");
        self.version += 1;
        let new = self.folder.join(dated(self.version));
        fs::create_dir(&new)?;
        fs::write(new.join("keys.json"), keyring.to_string())?;
        let link = self.folder.join("..data_tmp");
        symlink(dated(self.version), &link)?;
        fs::rename(link, self.folder.join("..data"))?;
        let old = self.folder.join(dated(self.version - 1));
        if old.exists() {
            fs::remove_dir_all(old)?;
        }
        Ok(())
    }
}
