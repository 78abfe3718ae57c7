//! Signature headers of every kind: the door's verdict is core's, and only what
//! covers the payload passes.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::{Context, Result};
use bytes::Bytes;
use hookgate_core::secret::SigningSecret;
use hookgate_core::signature::{MAX_SIGNATURES, Tolerance, verify};
use hookgate_core::time::Timestamp;
use hookgate_host_tests::client::Delivery;
use hookgate_host_tests::client::Http2;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::script::Script;

use crate::on_script;

/// How many headers are made by chance.
const HEADERS: usize = 800;

/// A small generator (xorshift64): the same headers in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap_or(1)).unwrap_or_default()
    }
}

/// Starts a door at which failures are free: all come from one address.
async fn open() -> Result<(Envoy, Script)> {
    let quota = r#""quotas": {"sources": {"rate": 60, "per_seconds": 60, "burst": 100}},"#;
    on_script(Setup::shipped().edit(quota, ""), []).await
}

/// Sends a payload with this header, and none if it is `None`.
async fn verdict(connection: &mut Http2, payload: Bytes, header: Option<&[u8]>) -> Result<String> {
    let mut delivery = Delivery::post(PLATFORM.path, payload);
    if let Some(header) = header {
        delivery = delivery.header("stripe-signature", header)?;
    }
    Ok(connection.send(delivery).await?.code())
}

/// Returns what core says.
fn expected(payload: &[u8], header: Option<&[u8]>, now: Timestamp) -> Result<&'static str> {
    let Some(header) = header else {
        return Ok("signature_missing");
    };
    // What surrounds a value belongs to HTTP, not to it.
    let header = header.trim_ascii();
    let secret = [SigningSecret::new("only", PLATFORM.secret.as_bytes())?];
    Ok(
        match verify(header, payload, &secret, now, Tolerance::default()) {
            Ok(_) => "stored",
            Err(error) => error.code().as_str(),
        },
    )
}

fn now() -> Result<u64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(now.as_secs())
}

fn parts(payload: &[u8]) -> Result<(String, String)> {
    let header = PLATFORM.sign_at(payload, SystemTime::now())?;
    let (t, v1) = header.split_once(",v1=").context("no signature")?;
    Ok((t.to_owned(), v1.to_owned()))
}

#[tokio::test]
async fn every_flipped_bit_of_a_signature_is_refused() -> Result<()> {
    let (envoy, script) = open().await?;
    let mut connection = Http2::connect(envoy.address()).await?;
    let event = Event::fresh()?;
    let (t, v1) = parts(&event.payload)?;
    let tag = hex::decode(&v1)?;
    for bit in 0..8 * tag.len() {
        let mut flipped = tag.clone();
        if let Some(byte) = flipped.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        let header = format!("{t},v1={}", hex::encode(&flipped));
        let code = verdict(
            &mut connection,
            event.payload.clone(),
            Some(header.as_bytes()),
        )
        .await?;
        assert_eq!(code, "signature_mismatch", "bit {bit}");
    }
    script.expect_received(0).await?;
    let header = format!("{t},v1={v1}");
    let code = verdict(&mut connection, event.payload, Some(header.as_bytes())).await?;
    assert_eq!(code, "stored");
    Ok(())
}

#[tokio::test]
async fn a_signature_that_is_cut_short_is_refused_at_every_length() -> Result<()> {
    let (envoy, script) = open().await?;
    let mut connection = Http2::connect(envoy.address()).await?;
    let event = Event::fresh()?;
    let (t, v1) = parts(&event.payload)?;
    // 32 digits are the 128 bits to which some cut a tag.
    for digits in 0..v1.len() {
        let cut = v1.get(..digits).unwrap_or_default();
        // What replaces the rest differs from it: it may be zeros, too.
        let rest = v1.get(digits..).unwrap_or_default();
        let other = if rest.bytes().all(|digit| digit == b'0') {
            "1"
        } else {
            "0"
        };
        for header in [
            format!("{t},v1={cut}"),
            format!("{t},v1={cut}{}", other.repeat(rest.len())),
        ] {
            let payload = event.payload.clone();
            let code = verdict(&mut connection, payload, Some(header.as_bytes())).await?;
            assert_eq!(code, "signature_mismatch", "{digits} digits");
        }
    }
    script.expect_received(0).await.map(drop)
}

#[tokio::test]
async fn as_many_signatures_count_as_a_header_may_carry_and_more_are_refused() -> Result<()> {
    let (envoy, script) = open().await?;
    let mut connection = Http2::connect(envoy.address()).await?;
    let mut stored = 0;
    for count in [1, 2, 8, 15, 16, 17, 32, 100, 500, 600, 1_000] {
        let event = Event::fresh()?;
        let (t, v1) = parts(&event.payload)?;
        let others = format!(",v1={}", "0".repeat(64)).repeat(count - 1);
        // The genuine one last: all before it have been tried.
        let header = format!("{t}{others},v1={v1}");
        let answer = verdict(
            &mut connection,
            event.payload.clone(),
            Some(header.as_bytes()),
        );
        let code = match answer.await {
            Ok(code) => code,
            // Envoy takes 60 KiB of headers.
            Err(_) if count >= 850 => {
                connection = Http2::connect(envoy.address()).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if count <= MAX_SIGNATURES {
            assert_eq!(code, "stored", "{count}");
            stored += 1;
        } else if count < 850 {
            assert_eq!(code, "signature_malformed", "{count}");
        }
    }
    script.expect_received(stored).await?;
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    Ok(())
}

#[tokio::test]
async fn headers_by_chance_get_the_verdict_of_core_and_harm_nobody() -> Result<()> {
    let (envoy, script) = open().await?;
    let mut connection = Http2::connect(envoy.address()).await?;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut seen = BTreeMap::<String, u32>::new();
    let mut forwarded = 0;
    for _ in 0..HEADERS {
        let event = Event::fresh()?;
        let header = by_chance(&mut dice, &event)?;
        let before = now()?;
        let code = verdict(&mut connection, event.payload.clone(), header.as_deref()).await?;
        let header = header.as_deref();
        let wanted = [before, now()?]
            .map(|at| expected(&event.payload, header, Timestamp::from_unix_seconds(at)));
        let [first, second] = wanted;
        assert!(
            [first?, second?].contains(&code.as_str()),
            "{code}: {:?}",
            header.map(String::from_utf8_lossy)
        );
        forwarded += usize::from(code == "stored");
        *seen.entry(code).or_default() += 1;
    }
    eprintln!("{seen:?}");
    script.expect_received(forwarded).await?;
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    // A run that never gets somewhere says nothing about it.
    for code in [
        "stored",
        "signature_missing",
        "signature_malformed",
        "signature_mismatch",
        "timestamp_out_of_tolerance",
    ] {
        assert!(
            seen.get(code).is_some_and(|count| *count > 1),
            "{code}: {seen:?}"
        );
    }
    Ok(())
}

/// Makes a header out of what genuine ones are made of, and damages it or not.
fn by_chance(dice: &mut Dice, event: &Event) -> Result<Option<Vec<u8>>> {
    let (t, v1) = parts(&event.payload)?;
    let mut items: Vec<String> = Vec::new();
    for _ in 0..=dice.below(5) {
        items.push(match dice.below(12) {
            0..=2 => t.clone(),
            3..=6 => format!("v1={v1}"),
            7 => format!("v1={}", "0".repeat(dice.below(80))),
            8 => format!("v0={v1}"),
            9 => format!(
                "t={}",
                now()?.saturating_sub(200) + u64::try_from(dice.below(800))?
            ),
            10 => format!(" {t} "),
            _ => ["", "=", "t", "v1", "a=b", "T=1", "v1 = x", "\t"]
                .get(dice.below(8))
                .map_or_else(String::new, |text| (*text).to_owned()),
        });
    }
    if dice.below(2) == 0 {
        // Mostly right: order and company are all that differs.
        items = vec![t, format!("v1={v1}")];
        if dice.below(2) == 0 {
            items.reverse();
        }
    }
    let mut header = items.join(
        [",", ",", ",", ", ", ";", ",,"]
            .get(dice.below(6))
            .unwrap_or(&","),
    );
    if dice.below(20) == 0 {
        return Ok(None);
    }
    if dice.below(20) == 0 {
        header.clear();
    }
    let mut header = header.into_bytes();
    for _ in 0..dice.below(3) {
        if dice.below(4) > 0 || header.is_empty() {
            continue;
        }
        let at = dice.below(header.len());
        // Any byte that a header may carry.
        let byte = match u8::try_from(dice.below(256)).unwrap_or_default() {
            0..=31 | 127 => b'~',
            byte => byte,
        };
        if let Some(place) = header.get_mut(at) {
            *place = byte;
        }
    }
    Ok(Some(header))
}
