//! `hookgate check-config`.

use std::path::PathBuf;

use clap::Args;

/// `hookgate check-config`
#[derive(Debug, Args)]
#[command(after_help = "\
FILE is the upstream's configuration (hookgate.toml), the plugin's (JSON), a whole Envoy
configuration with static listeners (YAML or JSON), or a patch with the filter (EnvoyFilter,
EnvoyPatchPolicy; the filter alone).

Every finding says where, what, why it matters, and what to write instead. Without errors it
says what the configuration does. Secrets are found and never shown.

Examples:
  hookgate check-config envoy/envoy.yaml
  hookgate check-config --strict --json envoy.yaml | jq -r '.findings[] | .code'
  helm template gateway | hookgate check-config -
  hookgate check-config plugin.json
  hookgate check-config hookgate.toml")]
pub(crate) struct CheckArgs {
    /// The configuration; `-` for stdin
    pub(crate) file: PathBuf,
    /// Fail for warnings too
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
