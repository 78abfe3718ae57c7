//! Measures what the gate costs: CPU time a request, beside the same Envoy
//! without it and beside an authorization service that does the same.
//!
//! `cargo xtask bench gate` builds what this needs and runs it; it prints
//! Markdown for `docs/performance.md`. Arguments, any of them:
//! `kinds=accepted,stale`, `sizes=512,2048`, `rounds=9`, `requests=2000`, and
//! `module=FILE` (again and again), another build of the module to compare with.
//! `watch=500` measures so many ticks of the watch instead.

mod authz;
mod door;
mod plan;
mod request;
mod sender;
mod table;
mod watch;

use std::env;

use anyhow::{Context, Result, ensure};
use hookgate_host_tests::measure;
use hookgate_host_tests::sink::Sink;

use door::{Cost, Door, Running};
use plan::Plan;
use request::{Kind, Request};
use table::Rounds;

// One thread: what the sender takes, Envoy doesn't have.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, keyring, ready] = arguments.as_slice()
        && first == authz::ARGUMENT
    {
        return authz::serve(keyring.as_ref(), ready.as_ref()).await;
    }
    let plan = Plan::of(&arguments)?;
    if let Some(ticks) = plan.ticks {
        return watch::measure(ticks, plan.rounds).await;
    }
    let sink = Sink::start().await?;
    let mut doors = Vec::new();
    for door in &plan.doors {
        doors.push(Running::start(door, sink.address()).await?);
    }
    println!("{}\n", measure::machine()?);
    println!("{}", table::head(&plan.doors));
    for size in &plan.sizes {
        for (kind, rounds) in measure(&plan, &doors, *size).await? {
            println!("{}", rounds.row(kind, *size));
        }
    }
    for door in &mut doors {
        door.discard_output();
    }
    Ok(())
}

/// Takes the doors in turns, so that each meets the same weather.
async fn measure(plan: &Plan, doors: &[Running], size: usize) -> Result<Vec<(Kind, Rounds)>> {
    let mut results: Vec<_> = (plan.kinds.iter())
        .map(|kind| (*kind, Rounds::of(doors.len())))
        .collect();
    // The first round warms up: connections, caches, the compiler.
    for round in 0..=plan.rounds {
        for (kind, rounds) in &mut results {
            // Who comes first changes: it finds what the one before left in caches.
            let turns = plan.doors.iter().zip(doors).enumerate();
            let turns = turns.cycle().skip(round).take(doors.len());
            for (index, (door, running)) in turns {
                if !door.takes(*kind) {
                    continue;
                }
                let requests = Request::make(*kind, plan.requests, size)?;
                let cost = cost(door, running, *kind, requests)
                    .await
                    .with_context(|| format!("{}, {}", door.name(), kind.as_str()))?;
                if round > 0 {
                    rounds.add(index, cost);
                }
            }
        }
    }
    Ok(results)
}

/// Sends the requests and returns what each has cost.
async fn cost(door: &Door, running: &Running, kind: Kind, requests: Vec<Request>) -> Result<Cost> {
    let (address, protocol) = (running.address(), kind.protocol());
    if kind == Kind::Duplicate {
        let first = door.status(Kind::Accepted);
        sender::send(address, protocol, requests.clone(), first).await?;
    }
    let count = u32::try_from(requests.len())?;
    let before = running.cpu_time()?;
    sender::send(address, protocol, requests, door.status(kind)).await?;
    let cost = running.cpu_time()?.since(before).each_of(count);
    ensure!(cost.envoy > 0.0, "no time was taken");
    Ok(cost)
}
