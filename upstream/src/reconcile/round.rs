//! One comparison with Stripe: which account's page is asked for next, and when
//! there is no more.
//!
//! Without clock and network. A round can be written down after each page and
//! goes on from there in another process: events come newest first, and `until`
//! keeps new ones out, so that a page is what follows the last event of the page
//! before it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use hookgate_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::account::Account;

/// How old an event must be before its absence says anything: until then it may
/// be on its way.
pub(crate) const TOO_YOUNG: Duration = Duration::from_mins(15);

/// How long Stripe lists events.
pub(crate) const LISTED: Duration = Duration::from_hours(30 * 24);

/// Compares the events of some accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Unix seconds; events that happened later are not looked at.
    until: u64,
    accounts: BTreeMap<Account, Progress>,
    /// Who is asked next.
    queue: VecDeque<Account>,
}

/// Holds how far one account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// Unix seconds of the oldest event that is looked at.
    since: u64,
    /// Everything from here to `until` is compared, Unix seconds.
    reached: u64,
    /// The last event of the last page.
    after: Option<String>,
    end: Option<End>,
}

/// Says how an account ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum End {
    /// Everything is compared.
    Whole,
    /// It is no account of the platform any more: 403 or 404.
    Gone,
}

/// Asks for one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Whose.
    pub(crate) account: Account,
    /// Unix seconds, inclusive.
    pub(crate) since: u64,
    /// Unix seconds, inclusive.
    pub(crate) until: u64,
    /// The event that the page follows.
    pub(crate) after: Option<String>,
}

/// Says where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Last {
    /// The ID of its last event.
    pub(crate) id: String,
    /// When that happened, Unix seconds.
    pub(crate) created: u64,
}

impl Round {
    /// Begins a round that looks at what happened before `now` less
    /// [`TOO_YOUNG`], for each account from its own time on.
    pub(crate) fn new(
        now: Timestamp,
        accounts: impl IntoIterator<Item = (Account, Timestamp)>,
    ) -> Self {
        let until = earlier(now, TOO_YOUNG).unix_seconds();
        let oldest = earlier(now, LISTED).unix_seconds();
        let accounts: BTreeMap<_, _> = accounts
            .into_iter()
            .map(|(account, since)| {
                let since = since.unix_seconds().max(oldest);
                let progress = Progress {
                    since,
                    reached: until.max(since),
                    after: None,
                    // Nothing of it is old enough.
                    end: (since > until).then_some(End::Whole),
                };
                (account, progress)
            })
            .collect();
        let open = accounts.iter().filter(|(_, it)| it.end.is_none());
        let queue = open.map(|(account, _)| account.clone()).collect();
        Self {
            until,
            accounts,
            queue,
        }
    }

    /// Returns what to ask next; `None` once every account has ended. Call one
    /// of the three that follow with the answer, or this one again.
    pub(crate) fn next(&self) -> Option<Ask> {
        let account = self.queue.front()?;
        let progress = self.accounts.get(account)?;
        Some(Ask {
            account: account.clone(),
            since: progress.since,
            until: self.until,
            after: progress.after.clone(),
        })
    }

    /// Takes note of a page whose events are all in the log now: the account
    /// waits behind the others.
    pub(crate) fn compared(&mut self, last: Option<Last>, has_more: bool) {
        let Some(account) = self.queue.pop_front() else {
            return;
        };
        let Some(progress) = self.accounts.get_mut(&account) else {
            return;
        };
        match last {
            Some(last) if has_more => {
                progress.after = Some(last.id);
                progress.reached = last.created.clamp(progress.since, progress.reached);
                self.queue.push_back(account);
            }
            // Without an event there is nothing to go on from.
            _ => progress.finish(End::Whole),
        }
    }

    /// Takes note that the account is gone.
    pub(crate) fn gone(&mut self) {
        let account = self.queue.pop_front();
        if let Some(progress) = account.and_then(|account| self.accounts.get_mut(&account)) {
            progress.finish(End::Gone);
        }
    }

    /// Takes note that Stripe doesn't know the event any more that the page was
    /// to follow: the account begins anew.
    pub(crate) fn lost_place(&mut self) {
        let account = self.queue.front();
        if let Some(progress) = account.and_then(|account| self.accounts.get_mut(account)) {
            progress.after = None;
        }
    }

    /// Returns until when events are looked at.
    pub(crate) const fn until(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.until)
    }

    /// Returns the oldest time that is looked at.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let oldest = self.accounts.values().map(|it| it.since).min();
        oldest.map(Timestamp::from_unix_seconds)
    }

    /// Returns the accounts that are compared whole, each with the Unix seconds
    /// from which on.
    pub(crate) fn whole(&self) -> impl Iterator<Item = (&Account, u64)> {
        let accounts = self.accounts.iter();
        let accounts = accounts.filter(|(_, progress)| progress.end == Some(End::Whole));
        accounts.map(|(account, progress)| (account, progress.since))
    }

    /// Tells whether Stripe lists nothing from before some Unix seconds.
    pub(crate) fn is_all_that_is_listed(&self, since: u64) -> bool {
        let listed = LISTED.saturating_sub(TOO_YOUNG).as_secs();
        since <= self.until.saturating_sub(listed)
    }

    /// Returns the accounts that are gone.
    pub(crate) fn lost(&self) -> Vec<&Account> {
        let accounts = self.accounts.iter();
        let accounts = accounts.filter(|(_, progress)| progress.end == Some(End::Gone));
        accounts.map(|(account, _)| account).collect()
    }

    /// Returns how many accounts there are.
    pub(crate) fn size(&self) -> usize {
        self.accounts.len()
    }

    /// Returns how much is compared of how much, in hours of an account.
    pub(crate) fn hours(&self) -> (u64, u64) {
        let seconds = |of: fn(&Progress) -> u64| {
            let each = self.accounts.values();
            let each = each.map(|progress| self.until.saturating_sub(of(progress)));
            each.sum::<u64>()
        };
        let (done, all) = (seconds(|it| it.reached), seconds(|it| it.since));
        (done / 3_600, all.div_ceil(3_600))
    }
}

impl Progress {
    fn finish(&mut self, end: End) {
        self.end = Some(end);
        self.reached = self.since;
        self.after = None;
    }
}

/// Takes a duration from a time.
pub(crate) fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_unix_millis(time.unix_millis().saturating_sub(millis))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use hookgate_core::time::Timestamp;

    use super::{Account, Ask, LISTED, Last, Round, TOO_YOUNG, earlier};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_760_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn account(number: u32) -> Account {
        Account::Connected(format!("acct_{number}"))
    }

    fn last(number: u64) -> Last {
        Last {
            id: format!("evt_{number}"),
            created: NOW.unix_seconds() - 3_600 * number,
        }
    }

    fn round(accounts: u32) -> Round {
        let accounts = (0..accounts).map(account);
        Round::new(NOW, accounts.map(|it| (it, earlier(NOW, DAY))))
    }

    #[test]
    fn asks_every_account_in_turn_and_goes_on_behind_the_last_event() {
        let mut round = round(3);
        let mut asked = Vec::new();
        for page in 1..=6 {
            let ask = round.next().unwrap();
            asked.push((ask.account, ask.after));
            round.compared(Some(last(page)), page < 4);
        }
        let after = |number: u64| Some(format!("evt_{number}"));
        assert_eq!(
            asked,
            [
                (account(0), None),
                (account(1), None),
                (account(2), None),
                (account(0), after(1)),
                (account(1), after(2)),
                (account(2), after(3)),
            ]
        );
        assert_eq!(round.next(), None);
        assert_eq!(round.whole().count(), 3);
    }

    #[test]
    fn looks_at_nothing_young_and_at_nothing_that_is_not_listed() {
        let since = [
            (Account::Platform, earlier(NOW, 2 * LISTED)),
            (account(1), earlier(NOW, DAY)),
            (account(2), earlier(NOW, TOO_YOUNG / 2)),
        ];
        let mut round = Round::new(NOW, since);
        let mut windows = BTreeSet::new();
        while let Some(Ask { since, until, .. }) = round.next() {
            windows.insert((NOW.unix_seconds() - since, NOW.unix_seconds() - until));
            round.compared(None, false);
        }
        let (day, young) = (DAY.as_secs(), TOO_YOUNG.as_secs());
        assert_eq!(windows, [(day, young), (LISTED.as_secs(), young)].into());
        assert_eq!(round.whole().count(), 3);
        assert_eq!(round.until(), earlier(NOW, TOO_YOUNG));
    }

    #[test]
    fn skips_an_account_that_is_gone_and_compares_the_others() {
        let mut round = round(2);
        round.gone();
        assert_eq!(round.next().unwrap().account, account(1));
        round.compared(Some(last(1)), false);
        assert_eq!(round.next(), None);
        assert_eq!(round.lost(), [&account(0)]);
        let whole: Vec<_> = round.whole().map(|(account, _)| account).collect();
        assert_eq!(whole, [&account(1)]);
    }

    #[test]
    fn begins_an_account_anew_whose_place_is_lost() {
        let mut round = round(1);
        round.compared(Some(last(1)), true);
        assert_eq!(round.next().unwrap().after.as_deref(), Some("evt_1"));
        round.lost_place();
        assert_eq!(round.next().unwrap().after, None);
    }

    #[test]
    fn ends_with_a_page_that_says_more_and_has_nothing() {
        let mut round = round(1);
        round.compared(None, true);
        assert_eq!(round.next(), None);
    }

    #[test]
    fn goes_on_in_another_process_where_it_was() {
        let mut round = round(2);
        round.compared(Some(last(1)), true);
        round.compared(Some(last(2)), false);
        let text = serde_json::to_string(&round).unwrap();
        let again: Round = serde_json::from_str(&text).unwrap();
        assert_eq!(again, round);
        assert_eq!(again.next().unwrap().after.as_deref(), Some("evt_1"));
    }

    #[test]
    fn says_how_far_it_is() {
        let mut round = round(2);
        assert_eq!(round.hours(), (0, 48));
        round.compared(Some(last(12)), true);
        assert_eq!(round.hours(), (11, 48));
        round.compared(None, false);
        round.compared(None, false);
        assert_eq!(round.hours(), (47, 48));
    }
}
