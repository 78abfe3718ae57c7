//! What `verify` answers.

use std::fmt::Write as _;

use hookgate_core::{event::Event, genuine::Genuine, reply::Code, time::Timestamp};

use crate::answer::{self, Refusal};

/// Bytes of an ordinary answer, and some.
const USUAL_BYTES: usize = 160;

/// Writes a refusal as JSON, and a genuine event as lines: as JSON it cost as
/// much as the hash of a small payload. None of the values has a line feed,
/// whatever was signed: each is a name, a number or a word of ours.
///
/// ```text
/// id, type, account, livemode, created, signed at, secret, unsigned
/// ```
/// Times are in unix milliseconds; what an event doesn't have is empty.
pub(crate) fn text(verified: &Result<Genuine, Code>) -> String {
    let Genuine {
        event,
        signer,
        signed_at,
    } = match verified {
        Ok(genuine) => genuine,
        Err(code) => return answer::json(&Refusal::of(*code)),
    };
    let mut out = String::with_capacity(USUAL_BYTES);
    out.push_str(&event.id);
    line(&mut out, &event.type_name);
    line(&mut out, event.account.as_deref().unwrap_or_default());
    line(&mut out, event.livemode.map_or("", truth));
    time(&mut out, event.created);
    time(&mut out, *signed_at);
    line(&mut out, signer.secret.name());
    line(&mut out, truth(event.unsigned_attributes));
    out
}

/// Reads back what [`text`] has written of an event: the event, when it was
/// signed, and the secret's name.
pub(crate) fn read(text: &str) -> Option<(Event, Option<Timestamp>, &str)> {
    let mut lines = text.split('\n');
    let mut next = || lines.next();
    let id = next()?.to_owned();
    let type_name = next()?.to_owned();
    let account = next()?;
    let livemode = next()?.parse().ok();
    let millis = |text: &str| text.parse().ok().map(Timestamp::from_unix_millis);
    let created = millis(next()?);
    let signed_at = millis(next()?);
    let secret = next()?;
    let unsigned_attributes = next()? == truth(true);
    let event = Event {
        id,
        type_name,
        account: (!account.is_empty()).then(|| account.to_owned()),
        created,
        livemode,
        form: None,
        unsigned_attributes,
    };
    Some((event, signed_at, secret))
}

const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn line(out: &mut String, value: &str) {
    out.push('\n');
    out.push_str(value);
}

fn time(out: &mut String, at: Option<Timestamp>) {
    out.push('\n');
    if let Some(at) = at {
        // Writing to a string doesn't fail.
        _ = write!(out, "{}", at.unix_millis());
    }
}
