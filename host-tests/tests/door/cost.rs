//! The bench of `docs/performance.md` still measures what it says.

use std::process::Command;

use anyhow::{Result, ensure};

/// In its short form: it fails by itself where a delivery gets another answer
/// than its kind has to, or where nothing was measured.
#[test]
fn the_bench_measures_every_kind_of_delivery() -> Result<()> {
    let bench = Command::new(env!("CARGO_BIN_EXE_bench-gate"))
        .args(["rounds=1", "requests=16", "sizes=2048,65536"])
        // Of a process of this machine: a container's isn't Envoy's.
        .env_remove("HOOKGATE_ENVOY_IMAGE")
        .output()?;
    let (table, errors) = (bench.stdout, String::from_utf8_lossy(&bench.stderr));
    ensure!(bench.status.success(), "{errors}");
    let table = String::from_utf8(table)?;
    for size in [2048, 65536] {
        for kind in ["accepted", "duplicate", "forged", "stale", "missing"] {
            let row = format!("| {kind} | {size} | ");
            assert_eq!(table.matches(&row).count(), 1, "{table}");
        }
    }
    Ok(())
}
