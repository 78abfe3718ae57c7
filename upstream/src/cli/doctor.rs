//! `hookgate doctor`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use hookgate_core::time::Timestamp;
use hookgate_doctor::fix::Framework;

/// `hookgate doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Says why a signature verifies or not (\"No signatures found matching the expected signature for
payload\"). What is called proven was tried: undone, the delivery verifies. Nothing is sent
anywhere, and no secret is shown. Parts of the payload are.

Without secrets it takes those of STRIPE_WEBHOOK_SECRET and, as another endpoint's,
STRIPE_CONNECT_WEBHOOK_SECRET, each if it is set. A secret's file is taken as it is: a line end in
it is one of the things that are looked for.

A saved request is an HTTP message, a HAR, an event of API Gateway, a `curl` command, or what
`curl -v` prints.

Examples:
  hookgate doctor payload.json --signature 't=1760000000,v1=5257a8…'
  hookgate doctor --saved request.har
  hookgate doctor --saved request.txt --secret-file /run/secrets/stripe --framework express
  hookgate doctor payload.json --header webhook-id=msg_1 --header webhook-timestamp=1760000000 \
    --header 'webhook-signature=v1,K5oZ…' --secret-env SHOP_SECRET --json")]
pub(crate) struct DoctorArgs {
    /// The payload: a file, or `-` for stdin; without it the one of --saved
    #[arg(required_unless_present = "saved")]
    pub(crate) payload: Option<PathBuf>,
    /// A saved request with headers and payload: a file, or `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) saved: Option<PathBuf>,
    /// The value of the signature header; which header it is, is told by its form
    #[arg(long, value_name = "VALUE")]
    pub(crate) signature: Option<String>,
    /// A header of the delivery; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// An environment variable with a secret of the endpoint; may be repeated
    #[arg(long = "secret-env", value_name = "VARIABLE")]
    pub(crate) secret_env: Vec<String>,
    /// A file with a secret of the endpoint; may be repeated
    #[arg(long = "secret-file", value_name = "FILE")]
    pub(crate) secret_file: Vec<PathBuf>,
    /// An environment variable with a secret of another endpoint; may be repeated
    #[arg(long = "other-secret-env", value_name = "VARIABLE")]
    pub(crate) other_secret_env: Vec<String>,
    /// A file with a secret of another endpoint; may be repeated
    #[arg(long = "other-secret-file", value_name = "FILE")]
    pub(crate) other_secret_file: Vec<PathBuf>,
    /// Look at it as of this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    pub(crate) at: Option<Timestamp>,
    /// How far the signature's time may lie from then
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) tolerance: Duration,
    /// Show the code that verifies rightly in this framework
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) framework: Option<FrameworkName>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// The frameworks that there is code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FrameworkName {
    /// Express
    Express,
    /// Next.js
    Nextjs,
    /// Ruby on Rails
    Rails,
    /// Django
    Django,
    /// Spring
    Spring,
    /// Laravel
    Laravel,
    /// ASP.NET Core
    Aspnet,
    /// AWS API Gateway with Lambda
    ApiGateway,
}

impl From<FrameworkName> for Framework {
    fn from(name: FrameworkName) -> Self {
        match name {
            FrameworkName::Express => Self::Express,
            FrameworkName::Nextjs => Self::NextJs,
            FrameworkName::Rails => Self::Rails,
            FrameworkName::Django => Self::Django,
            FrameworkName::Spring => Self::Spring,
            FrameworkName::Laravel => Self::Laravel,
            FrameworkName::Aspnet => Self::AspNet,
            FrameworkName::ApiGateway => Self::ApiGateway,
        }
    }
}

/// Takes a header as it is: what is wrong with it is what is looked for.
fn header(text: &str) -> Result<(String, Vec<u8>), &'static str> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("expected NAME=VALUE, for example webhook-id=msg_1")?;
    Ok((name.to_owned(), value.as_bytes().to_vec()))
}
