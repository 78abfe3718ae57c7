//! What the watch costs in the module: CPU time and memory, for each series and tick.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hookgate_host_tests::artefact;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::keeper::Keeper;
use hookgate_host_tests::measure;
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::wait;
use hookgate_watch::parts;
use hookgate_watch::time::Time;
use hookgate_watch::watch::Watch;
use serde_json::json;

/// Time that passes five hundred times as fast.
const TICK_MILLIS: u64 = 20;

/// Envoys of each kind whose memory is compared.
const PAIRS: usize = 7;

/// As many as there can be: 64 types, 64 accounts, and all together.
const SERIES: u64 = 129;

/// Ticks after which every ring of the backstop is full.
const LEARNT: u64 = 25_000;

/// Prints what a tick costs, with one series and with all, in turns.
pub(crate) async fn measure(ticks: usize, rounds: usize) -> Result<()> {
    let learnt = |is_full| tokio::task::spawn_blocking(move || learnt(is_full));
    let (little, much) = (learnt(false).await?, learnt(true).await?);
    let state_bytes: usize = much.iter().map(Bytes::len).sum();
    let mut memory = Vec::new();
    // Of a process's memory some is chance.
    for _ in 0..PAIRS {
        let (few, many) = (Watched::start(&little).await?, Watched::start(&much).await?);
        let more = many.resident as f64 - few.resident as f64;
        memory.push(more / (SERIES - 1) as f64);
    }
    let (few, many) = (Watched::start(&little).await?, Watched::start(&much).await?);
    let (mut few_micros, mut more) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let one = few.micros_of_a_tick(ticks).await?;
        few_micros.push(one);
        more.push((many.micros_of_a_tick(ticks).await? - one) / (SERIES - 1) as f64);
    }
    println!("{}\n", measure::machine()?);
    println!("| what | figure |\n|---|---|");
    let micros = measure::median(&few_micros);
    println!(
        "| a tick of Envoy with one series, beside all that Envoy does in 20 ms | {micros:.0} µs |"
    );
    let micros = measure::median(&more);
    println!("| a tick of each series more, rings full | {micros:.2} µs |");
    let (least, most) = memory
        .iter()
        .fold((f64::MAX, f64::MIN), |(least, most), it| {
            (it.min(least), it.max(most))
        });
    println!(
        "| memory of Envoy for each series more, restored and saved | {:.0} KB ({:.0} to {:.0}) |",
        measure::median(&memory) / 1e3,
        least / 1e3,
        most / 1e3
    );
    println!("| state of {SERIES} series | {} KB |", state_bytes / 1_000);
    let counted = nanos_of_a_count(rounds).await?;
    println!(
        "| counting a delivery, in the module | {:.3} µs |",
        measure::median(&counted) / 1e3
    );
    Ok(())
}

/// Returns how long a module of Envoy takes to count a delivery, as it says itself.
async fn nanos_of_a_count(rounds: usize) -> Result<Vec<f64>> {
    let keeper = Keeper::start().await?;
    let gate = json!({
        "endpoints": [{"name": "stripe", "path": "/webhooks/stripe", "keyring": "file"}],
        "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
        "watch": {},
    });
    let module = artefact::measuring_module()?;
    let setup = Setup::shipped().workers(1).gate(gate).module(module);
    let mut envoy = setup.start(keeper.address()).await?;
    for _ in 0..rounds {
        let ask = PLATFORM.deliver(&Event::fresh()?)?;
        let answer = envoy
            .send(ask.header("x-hookgate-test-measure", "1")?)
            .await?;
        ensure!(answer.status == 200, "answered {}", answer.status);
    }
    let said = envoy.output()?;
    envoy.discard_output();
    let figures = said.lines().filter_map(|line| {
        let (_, rest) = line.split_once("counting a delivery takes ")?;
        rest.split_once(" ns")?.0.parse().ok()
    });
    let figures: Vec<f64> = figures.collect();
    ensure!(figures.len() == rounds, "measured {} times", figures.len());
    Ok(figures)
}

struct Watched {
    envoy: Envoy,
    _keeper: Keeper,
    resident: u64,
}

impl Watched {
    /// Starts a gate that has learnt, and waits until it has saved that again.
    async fn start(state: &[Bytes]) -> Result<Self> {
        let keeper = Keeper::start().await?;
        keeper.kept().state = Some(state.to_vec());
        let gate = json!({
            "endpoints": [{"name": "stripe", "path": "/webhooks/stripe", "keyring": "file"}],
            "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
            "watch": {"tick_milliseconds": TICK_MILLIS, "upstream": {"cluster": "upstream"}},
        });
        let setup = Setup::shipped().workers(1).gate(gate);
        let mut envoy = setup.start(keeper.address()).await?;
        wait::until("a state that is saved", wait::A_LONG_TIME, async || {
            Ok((keeper.kept().saved.len() > 1).then_some(()))
        })
        .await?;
        // Saving is not of a tick, but of five minutes.
        envoy.discard_output();
        Ok(Self {
            resident: envoy.resident_bytes()?,
            envoy,
            _keeper: keeper,
        })
    }

    async fn ticked(&self) -> Result<u64> {
        let page = self.envoy.admin().page("/stats/prometheus").await?;
        Exposition::parse(&page)?.sum("hookgate_watch", &[("result", "ticked")])
    }

    /// Returns the CPU time of Envoy for a tick.
    async fn micros_of_a_tick(&self, ticks: usize) -> Result<f64> {
        let process = self.envoy.process_id()?;
        let (before, begun) = (measure::cpu_time_of_threads(process)?, self.ticked().await?);
        let time = u64::try_from(ticks)? * TICK_MILLIS;
        tokio::time::sleep(Duration::from_millis(time)).await;
        let (after, ended) = (measure::cpu_time_of_threads(process)?, self.ticked().await?);
        let ticks = ended.checked_sub(begun).context("no tick")?.max(1);
        Ok((after - before).as_secs_f64() * 1e6 / ticks as f64)
    }
}

/// Returns what was learnt of one series, or of as many as there can be.
fn learnt(is_full: bool) -> Vec<Bytes> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let turn = now.unwrap_or_default().as_millis() as u64 / TICK_MILLIS;
    let time = |turn: u64| Time::from_unix_seconds(turn * 10);
    let mut watch = Watch::new(time(turn - LEARNT));
    for turn in turn - LEARNT + 1..=turn {
        for number in 0..64 {
            if is_full {
                let (name, account) = (format!("type.{number}"), format!("acct_{number}"));
                watch.came(&name, Some(&account), (turn ^ number) % 3);
            } else {
                watch.came_unnamed((turn ^ number) % 3);
            }
        }
        watch.tick(time(turn));
    }
    let parts = parts::all(1, &watch);
    parts.into_iter().map(Bytes::from).collect()
}
