//! The signature doctor, as the console shows it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use ureq::Agent;

/// Says what is wrong with the console's page; nothing if it is the one that was built.
///
/// # Errors
/// If the built one can't be read.
pub(crate) fn problem(console_port: u16, built: &Path) -> Result<Option<String>> {
    let expected = fs::read_to_string(built).with_context(|| built.display().to_string())?;
    let url = format!("http://127.0.0.1:{console_port}/doctor");
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .proxy(None)
        .build()
        .into();
    let shown = agent
        .get(&url)
        .call()
        .and_then(|answer| answer.into_body().read_to_string());
    Ok(match shown {
        Ok(shown) if shown == expected => None,
        Ok(_) => Some(format!("{url} shows another page than {}", built.display())),
        Err(error) => Some(format!("{url}: {error}")),
    })
}
