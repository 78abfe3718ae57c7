//! What one request is to the watch.

use std::net::IpAddr;

use hookgate_core::{
    delivery::{Count, Identified},
    outcome::Outcome,
    reply::Code,
};
use hookgate_watch::{source::Network, stranger::Signed, tally::Open, upstream::Answer};

use super::with_worker;

/// One request, as the watch sees it.
#[derive(Default)]
pub(crate) struct Seen {
    network: Option<Network>,
    open: Option<Open>,
    buffered: usize,
    /// What the answer's status says of the upstream.
    answer: Option<Answer>,
}

impl Seen {
    /// A request whose headers were admitted, and whose body is awaited.
    pub(crate) fn opened(&mut self) {
        self.open = with_worker(|worker| worker.tally.opened());
    }

    /// Where a request comes from.
    pub(crate) fn came_from(&mut self, address: Option<IpAddr>) {
        self.network = address.map(Network::of);
    }

    /// `buffered` bytes of the body have come in all.
    pub(crate) fn brought(&mut self, buffered: usize) {
        let bytes = buffered.saturating_sub(self.buffered);
        self.buffered = buffered;
        if let Some(open) = &mut self.open {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            with_worker(|worker| worker.tally.brought(open, bytes));
        }
    }

    /// The request is whole, answered, or gone.
    pub(crate) fn closed(&mut self) {
        if let Some(open) = self.open.take() {
            with_worker(|worker| worker.tally.closed(open));
        }
    }

    /// The upstream, or the host for it, answered with this status. One that refuses has
    /// decided: whoever can have events refused makes no upstream overloaded.
    pub(crate) fn answered(&mut self, status: u16) {
        self.answer = Some(match status {
            200..=428 | 430..=499 => Answer::Answered,
            _ => Answer::Failed,
        });
    }

    /// Counts what a delivery gave.
    pub(crate) fn count(&self, counts: &[Count], identified: Option<&Identified>) {
        let (mut verified, mut ended, mut millis) = (false, None, None);
        for count in counts {
            match count {
                Count::Verified { .. } => verified = true,
                Count::Ended(outcome) => ended = Some(*outcome),
                Count::UpstreamMillis(took) => millis = Some(*took),
                _ => {}
            }
        }
        with_worker(|worker| {
            let tally = &mut worker.tally;
            if let (true, Some(identified), Some(network)) = (verified, identified, self.network) {
                let signed = Signed {
                    network,
                    api_version: identified.api_version.as_deref(),
                    type_name: &identified.event_type,
                    account: identified.account.as_deref(),
                };
                let is_known = matches!(ended, Some(Outcome::Duplicate | Outcome::InProgress));
                tally.signed(&signed, is_known);
            }
            if let (Some(answer), Some(millis)) = (self.answer, millis) {
                tally.answered(answer, millis);
            }
            if let (Some(Outcome::Refused(code)), Some(network)) = (ended, self.network)
                && is_forged(code)
            {
                tally.refused(network, 1);
            }
        });
    }
}

/// Tells whether a refusal says that nobody signed. A sender whose failures are used
/// up is refused for those that it had.
const fn is_forged(code: Code) -> bool {
    matches!(
        code,
        Code::SignatureMissing
            | Code::SignatureMalformed
            | Code::SignatureMismatch
            | Code::TimestampOutOfTolerance
            | Code::RateLimited
    )
}
