//! Up to which record of the audit trail something was done, kept beside what
//! was done and written together with it.

use async_nats::{HeaderMap, header, jetstream::stream::Stream};

use crate::{
    evidence::Link,
    log::nats::{self, Outgoing},
};

/// Is such a place in the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The link of the last record; `None` before the first.
    pub(super) link: Option<Link>,
    /// Where the stream has this position; 0 if nowhere.
    place: u64,
}

impl Position {
    /// Reads the one under a subject.
    ///
    /// # Errors
    /// The server doesn't show it, or it is none.
    pub(super) async fn read(stream: &Stream, subject: &str) -> Result<Self, async_nats::Error> {
        let Some(message) = nats::newest(stream, subject).await? else {
            let (link, place) = (None, 0);
            return Ok(Self { link, place });
        };
        let link: Link = std::str::from_utf8(&message.payload)?.parse()?;
        Ok(Self {
            link: Some(link),
            place: message.sequence,
        })
    }

    /// Returns the number of the last record; 0 before the first.
    pub(super) fn number(&self) -> u64 {
        self.link.map_or(0, |link| link.sequence)
    }

    /// Writes the next one, which the server takes only after this one.
    pub(super) fn next(&self, subject: &str, link: Link) -> Outgoing {
        let mut headers = HeaderMap::new();
        let after = self.place.to_string();
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, after);
        Outgoing {
            subject: subject.to_owned(),
            headers,
            payload: link.to_string().into(),
        }
    }
}
