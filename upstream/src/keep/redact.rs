//! `hookgate redact`: a payload is removed, and everybody can see that it was.

use std::io::{self, Write as _};

use serde_json::json;

use crate::{
    cli::{ArgumentError, RedactArgs},
    clock,
    log::{self, RedactError, RedactRequest, Redacted},
};

/// Says why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedactCommandError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] RedactError),
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

/// Removes one payload and says so.
///
/// # Errors
/// [`RedactCommandError`].
pub(crate) async fn redact(args: &RedactArgs) -> Result<(), RedactCommandError> {
    let request = RedactRequest {
        target: args.target(),
        reason: &args.reason,
        by: args.by.as_deref(),
        at: clock::now(),
    };
    let redacted = log::redact(&args.log.address()?, &request).await?;
    let (state, redaction) = match &redacted {
        Redacted::Now(redaction) => ("redacted", redaction),
        Redacted::Before(redaction) => ("already_redacted", redaction),
    };
    let mut out = io::stdout().lock();
    if args.json {
        let line = json!({
            "state": state,
            "sequence": redaction.sequence,
            "source": redaction.source.as_str(),
            "id": redaction.id,
            "sha256": redaction.sha256.to_string(),
            "number": redaction.number,
            "reason": redaction.reason,
            "by": redaction.by,
            "at": redaction.at.to_string(),
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    let already = match redacted {
        Redacted::Now(_) => "is",
        Redacted::Before(_) => "was already",
    };
    writeln!(
        out,
        "{redaction} {already} redacted: {} by {}, reason: {}",
        redaction.at,
        redaction.by.as_deref().unwrap_or("-").escape_debug(),
        redaction.reason.escape_debug()
    )?;
    Ok(())
}
