//! Signatures by Stripe's official Node SDK.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::artefact;
use crate::event::Endpoint;

const PROGRAM: &str = r#"
const Stripe = require('stripe');
const stripe = new Stripe('sk_test_unused');
const text = require('fs').readFileSync(0, 'utf8');
for (const line of text.split('\n').filter(Boolean)) {
  const { secret, payload } = JSON.parse(line);
  console.log(stripe.webhooks.generateTestHeaderString({ payload, secret }));
}
"#;

/// Signs each payload with the endpoint's secret, now, by
/// `generateTestHeaderString`; one run of Node signs them all.
///
/// # Errors
/// No Node, no SDK, or a payload that isn't UTF-8.
pub async fn sign<'a>(
    endpoint: Endpoint,
    payloads: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut count = 0;
    for payload in payloads {
        let payload = std::str::from_utf8(payload).context("the SDK takes text only")?;
        let line = serde_json::json!({ "secret": endpoint.secret, "payload": payload });
        serde_json::to_writer(&mut lines, &line)?;
        lines.push(b'\n');
        count += 1;
    }
    let mut node = Command::new("node")
        .args(["-e", PROGRAM])
        .current_dir(artefact::stripe_node()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run `node`: install Node.js 18 or later")?;
    let mut stdin = node.stdin.take().context("no pipe to node")?;
    stdin.write_all(&lines).await?;
    drop(stdin);
    let output = node.wait_with_output().await?;
    let headers: Vec<String> = String::from_utf8(output.stdout)?
        .lines()
        .map(str::to_owned)
        .collect();
    if !output.status.success() || headers.len() != count {
        bail!(
            "node: {}, {} of {count} signatures
{}",
            output.status,
            headers.len(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, PLATFORM};
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    #[tokio::test]
    async fn the_official_sdk_signs_as_our_own_core_does() -> Result<()> {
        let events = [Event::fresh()?, Event::fresh()?];
        let headers = sign(PLATFORM, events.iter().map(|event| event.payload.as_ref())).await?;
        for (event, header) in events.iter().zip(headers) {
            let seconds: u64 = header
                .strip_prefix("t=")
                .and_then(|rest| rest.split_once(',')?.0.parse().ok())
                .context("no timestamp")?;
            assert!(SystemTime::now() >= UNIX_EPOCH + Duration::from_secs(seconds));
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(header, PLATFORM.sign_at(&event.payload, at)?);
        }
        Ok(())
    }
}
