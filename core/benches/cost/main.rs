//! Measures what core costs on this machine, natively, as the upstream and an
//! embedder have it. `cargo xtask bench core` runs this; it prints Markdown for
//! `docs/performance.md`.

mod table;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use hookgate_core::event::Event;
use hookgate_core::secret::SigningSecret;
use hookgate_core::signature::{self, Tolerance};
use hookgate_core::time::Timestamp;
use sha2::Sha256;

/// Rounds, and how long each side of a comparison has in one.
const ROUNDS: usize = 31;
const ROUND: Duration = Duration::from_millis(30);

const SIZES: [usize; 4] = [512, 2_048, 16_384, 65_536];
const KEY: &[u8] = b"whsec_bench_5vKq0Zr8H3m9Xw2d5vKq0Zr8H3";

fn main() -> Result<(), Box<dyn Error>> {
    println!("| what | bytes | µs | beside, µs | ratio |");
    println!("|---|---|---|---|---|");
    for size in SIZES {
        verification(size)?;
    }
    extraction(2_048)?;
    table::measure()
}

/// Verification beside the HMAC alone, of the same crate, over the same bytes.
fn verification(size: usize) -> Result<(), Box<dyn Error>> {
    let payload = event(size)?;
    let secret = SigningSecret::new("bench", KEY)?;
    let now = Timestamp::from_unix_seconds(1_760_000_000);
    let header = signature::sign(&secret, now, &payload);
    let secrets = [secret];
    let header = header.as_bytes();
    let verify = || {
        let verified = signature::verify(header, &payload, &secrets, now, Tolerance::default());
        black_box(verified).is_ok()
    };
    if !verify() {
        return Err("the signature was refused".into());
    }
    let keyed: Hmac<Sha256> = Hmac::new_from_slice(KEY)?;
    let hmac_of = |mut mac: Hmac<Sha256>| {
        mac.update(b"1760000000.");
        mac.update(&payload);
        mac.finalize().into_bytes()
    };
    let ready = || black_box(hmac_of(keyed.clone()));
    compare(
        "verification, beside the HMAC with a key made ready",
        size,
        verify,
        ready,
    );
    if size == 2_048 {
        let anew = || Hmac::new_from_slice(KEY).map(|mac| black_box(hmac_of(mac)));
        compare(
            "verification, beside keying and the HMAC",
            size,
            verify,
            anew,
        );
    }
    Ok(())
}

fn extraction(size: usize) -> Result<(), Box<dyn Error>> {
    let payload = event(size)?;
    Event::from_payload(&payload)?;
    let read = || black_box(Event::from_payload(black_box(&payload)));
    let (read, _) = rounds(read, || ());
    println!("| extraction | {size} | {:.2} | | |", median(read));
    Ok(())
}

/// Makes an event of exactly `size` bytes, indented as Stripe sends it.
fn event(size: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    const LINES: [&str; 6] = [
        r#""customer_reference": "cus_QX8f2Lk1vB7nRt","#,
        r#""amount_received": 148230,"#,
        r#""next_action": null,"#,
        r#""shipping": {"city": "K\u00f6ln", "country": "DE", "line1": "Am Hof 3", "line2": null},"#,
        r#""description": "Bestellung 48-1123, zwei St\"ck","#,
        r#""payment_method_types": ["card", "sepa_debit", "link"],"#,
    ];
    let mut payload = String::from(
        "{\n  \"id\": \"evt_1TbenchbenchbenchbenchA\",\n  \"object\": \"event\",\n  \
         \"account\": \"acct_1TestSeller0001\",\n  \"created\": 1759300000,\n  \
         \"data\": {\n    \"object\": {\n",
    );
    let last = "      \"id\": \"";
    let tail =
        "\"\n    }\n  },\n  \"livemode\": false,\n  \"type\": \"payment_intent.succeeded\"\n}";
    for line in LINES.iter().cycle() {
        let line = format!("      {line}\n");
        if payload.len() + line.len() + last.len() + tail.len() > size {
            break;
        }
        payload.push_str(&line);
    }
    payload.push_str(last);
    let missing = size.checked_sub(payload.len() + tail.len());
    payload.push_str(&"p".repeat(missing.ok_or("smaller than an event")?));
    payload.push_str(tail);
    Ok(payload.into_bytes())
}

fn compare<A, B>(what: &str, size: usize, ours: impl FnMut() -> A, other: impl FnMut() -> B) {
    let (ours, other) = rounds(ours, other);
    let ratios = ours.iter().zip(&other).map(|(ours, other)| ours / other);
    let ratio = median(ratios.collect());
    let (ours, other) = (median(ours), median(other));
    println!("| {what} | {size} | {ours:.2} | {other:.2} | {ratio:.2} |");
}

/// Takes both in turns, so that both meet the same weather, and returns the
/// microseconds of each in each round.
fn rounds<A, B>(mut a: impl FnMut() -> A, mut b: impl FnMut() -> B) -> (Vec<f64>, Vec<f64>) {
    (0..ROUNDS).map(|_| (each(&mut a), each(&mut b))).unzip()
}

fn each<T>(mut run: impl FnMut() -> T) -> f64 {
    let (start, mut count) = (Instant::now(), 0.0);
    while start.elapsed() < ROUND {
        // The clock is dearer than what is measured.
        for _ in 0..64 {
            black_box(run());
        }
        count += 64.0;
    }
    start.elapsed().as_secs_f64() * 1e6 / count
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
