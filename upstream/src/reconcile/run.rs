//! A round from its first request to its report.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hookgate_core::{policy::TypePattern, time::Timestamp};
use serde::Deserialize;
use tokio::time::sleep;
use tracing::warn;

use super::{
    account::Account,
    answer::{Again, Answer, Refused, Resource},
    compare::{CompareError, Comparison},
    known::Known,
    pace::{Exhausted, Pace},
    page::{Page, PageError},
    round::{Ask, LISTED, Round, TOO_YOUNG, earlier},
    settings::{ApiKeyError, Settings},
    state::{Pending, State, StateError},
    stripe::Key,
    tally::Tally,
    wanted::Enabled,
};
use crate::{
    cli::History,
    clock,
    log::{Origin, ReadError},
    server::Appender,
};

/// Says what is to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// How far back.
    pub(crate) window: Window,
    /// Whose events.
    pub(crate) whose: Whose,
    /// What becomes of events that happened before the log began.
    pub(crate) history: History,
}

/// Says how far back a round goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// To where each account's last round ended, and a little further.
    Marks,
    /// So far, whatever was compared before.
    Back(Duration),
    /// As far as Stripe lists, and the log goes.
    Whole,
}

/// Says whose events are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The platform's, and those of the configured accounts.
    Configured,
    /// The platform's, and those of all connected accounts.
    All,
    /// Those of some connected accounts.
    Only(Vec<String>),
}

/// Compares.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// What is compared, and how.
    pub(crate) settings: &'a Settings,
    /// Where to append; `None`: a dry run, which leaves no trace.
    pub(crate) appender: Option<&'a Appender>,
    /// Largest payload that the log takes.
    pub(crate) max_payload_bytes: usize,
    /// Told after each page how far the round is.
    pub(crate) watch: &'a dyn Watch,
}

/// Watches a round.
pub(crate) trait Watch: std::fmt::Debug {
    /// A request was answered.
    fn requested(&self, outcome: &'static str);

    /// A page is compared.
    fn compared(&self, round: &Round, page: &Tally);
}

/// Says why a round ended early. What is compared is written down: the next one
/// goes on there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// There is no API key.
    #[error(transparent)]
    Key(#[from] ApiKeyError),
    /// Stripe gives nothing.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Stripe answers with something else.
    #[error("Stripe's answer is {0}")]
    Page(#[from] PageError),
    /// Stripe was asked often enough.
    #[error(
        "{last}, and so often in a row that this ends here. Start it again: it goes on where it was"
    )]
    Exhausted {
        /// The last answer.
        last: Again,
    },
    /// The log failed.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It can't be kept how far comparison came.
    #[error(transparent)]
    State(#[from] StateError),
    /// A person has to decide.
    #[error(
        "the log began at {began}, and --since goes back to {since}: say --store-only to keep what happened before, or --deliver to deliver it like everything else"
    )]
    History {
        /// The beginning of the log.
        began: Timestamp,
        /// As asked for.
        since: Timestamp,
    },
}

#[derive(Deserialize)]
struct WebhookEndpoint {
    enabled_events: Vec<String>,
}

/// What a round needs beside its state.
struct Asking<'a> {
    run: &'a Run<'a>,
    key: Key,
    pace: Pace,
    tally: Tally,
}

impl Run<'_> {
    /// Makes one round, or ends one that was interrupted.
    ///
    /// # Errors
    /// [`RunError`].
    pub(crate) async fn round(&self, request: &Request) -> Result<(Round, Tally), RunError> {
        let path = &self.settings.state;
        let mut state = State::read(path)?;
        let now = clock::now();
        let mut known = Known::open(&self.settings.log).await?;
        let began = match state.installed_at {
            Some(seconds) => Timestamp::from_unix_seconds(seconds),
            None => known.oldest().await?.unwrap_or(now),
        };
        // A second is all that Stripe says of its events.
        let installed_at = Timestamp::from_unix_seconds(began.unix_seconds());
        state.installed_at = Some(installed_at.unix_seconds());
        self.demand_a_decision(request, installed_at, now)?;
        let mut asking = Asking {
            run: self,
            key: self.settings.key()?,
            pace: Pace::new(self.settings.per_second),
            tally: Tally::default(),
        };
        let name = format!("{:?} of {:?}", request.window, request.whose);
        let pending = state.pending.take().filter(|it| it.request == name);
        // A dry run goes on with nothing: it wrote nothing down.
        let mut round = match pending.filter(|_| self.appender.is_some()) {
            Some(pending) => {
                asking.tally = pending.tally;
                pending.round
            }
            None => {
                let accounts = asking.accounts(&request.whose).await?;
                let accounts = accounts.into_iter().map(|account| {
                    let since = since(&state, &account, request.window, now);
                    (account, since)
                });
                Round::new(now, accounts)
            }
        };
        let comparison = Comparison {
            subscriptions: &self.settings.subscriptions,
            enabled: asking.enabled().await?,
            installed_at,
            history: match request.history {
                History::Deliver => Origin::Reconciliation,
                History::Unsaid | History::StoreOnly => Origin::StoredOnly,
            },
            max_payload_bytes: self.max_payload_bytes,
            appender: self.appender,
        };
        known.read_from(round.oldest().unwrap_or(now)).await?;
        while let Some(ask) = round.next() {
            match asking.events(&ask).await? {
                Listed::Page(page) => {
                    let mut tally = Tally::default();
                    comparison
                        .page(&ask.account, &page, &mut known, &mut tally)
                        .await?;
                    asking.tally.add(&tally);
                    round.compared(page.last()?, page.has_more);
                    self.watch.compared(&round, &tally);
                }
                Listed::AccountGone => {
                    warn!(account = %ask.account, "skipped an account that is gone");
                    round.gone();
                }
                Listed::PlaceLost => round.lost_place(),
            }
            if self.appender.is_some() {
                state.pending = Some(Pending {
                    request: name.clone(),
                    round: round.clone(),
                    tally: asking.tally.clone(),
                });
                state.write(path)?;
            }
        }
        if self.appender.is_some() {
            state.pending = None;
            state.advance(&round);
            if request.window == Window::Whole {
                state.whole_at = Some(now.unix_seconds());
            }
            state.write(path)?;
        }
        Ok((round, asking.tally))
    }

    /// Refuses to append what happened before the log began until somebody has
    /// said what becomes of it.
    fn demand_a_decision(
        &self,
        request: &Request,
        installed_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), RunError> {
        match request.window {
            Window::Back(by)
                if earlier(now, by) < installed_at
                    && request.history == History::Unsaid
                    && self.appender.is_some() =>
            {
                Err(RunError::History {
                    began: installed_at,
                    since: earlier(now, by),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Returns from when on an account is compared.
fn since(state: &State, account: &Account, window: Window, now: Timestamp) -> Timestamp {
    let began = Timestamp::from_unix_seconds(state.installed_at.unwrap_or_default());
    match window {
        Window::Marks => {
            let mark = state.mark(account).unwrap_or(began);
            earlier(mark, TOO_YOUNG).max(began)
        }
        Window::Back(by) => earlier(now, by),
        Window::Whole => earlier(now, LISTED).max(began),
    }
}

/// Says what came of asking for a page of events.
enum Listed {
    Page(Page),
    AccountGone,
    PlaceLost,
}

impl Asking<'_> {
    /// Lists the accounts whose events are compared.
    async fn accounts(&mut self, whose: &Whose) -> Result<Vec<Account>, RunError> {
        let is_concerned = |account: &Account| {
            let mut subscriptions = self.run.settings.subscriptions.iter();
            subscriptions.any(|subscription| subscription.concerns(account))
        };
        let listed = match whose {
            Whose::Only(listed) => {
                return Ok(listed.iter().cloned().map(Account::Connected).collect());
            }
            Whose::Configured => self.run.settings.accounts.clone(),
            Whose::All => None,
        };
        let mut accounts = Vec::new();
        if is_concerned(&Account::Platform) {
            accounts.push(Account::Platform);
        }
        if is_concerned(&Account::Connected(String::new())) {
            let connected = match listed {
                Some(listed) => listed,
                None => self.connected().await?,
            };
            accounts.extend(connected.into_iter().map(Account::Connected));
        }
        Ok(accounts)
    }

    async fn connected(&mut self) -> Result<Vec<String>, RunError> {
        let (mut ids, mut has_more) = (Vec::<String>::new(), true);
        while has_more {
            let (stripe, after) = (&self.run.settings.stripe, ids.last().cloned());
            let answer = self
                .ask(async |key| stripe.accounts(key, after.as_deref()).await)
                .await?;
            let page = Page::read(&found(answer, Resource::Accounts)?)?;
            has_more = page.has_more && !page.items.is_empty();
            ids.extend(page.ids()?);
        }
        Ok(ids)
    }

    /// Asks which types Stripe sends to the configured webhook endpoints.
    async fn enabled(&mut self) -> Result<Enabled, RunError> {
        let mut enabled = Enabled::new();
        let subscriptions = &self.run.settings.subscriptions;
        let ids = subscriptions.iter().filter_map(|it| it.webhook_endpoint());
        for id in ids {
            let stripe = &self.run.settings.stripe;
            let answer = self
                .ask(async |key| stripe.webhook_endpoint(key, id).await)
                .await?;
            let body = found(answer, Resource::WebhookEndpoint)?;
            let endpoint: WebhookEndpoint = serde_json::from_slice(&body).map_err(|_| PageError)?;
            let types = endpoint.enabled_events.iter();
            let types = types.filter_map(|text| TypePattern::new(text));
            enabled.insert(id.to_owned(), types.collect());
        }
        Ok(enabled)
    }

    async fn events(&mut self, ask: &Ask) -> Result<Listed, RunError> {
        let stripe = &self.run.settings.stripe;
        let answer = self.ask(async |key| stripe.events(key, ask).await).await?;
        Ok(match answer {
            Answer::AccountGone => Listed::AccountGone,
            Answer::PlaceLost if ask.after.is_some() => Listed::PlaceLost,
            answer => Listed::Page(Page::read(&found(answer, Resource::Events)?)?),
        })
    }

    /// Asks within the budget, and again after what passes by itself.
    async fn ask(&mut self, ask: impl AsyncFn(&Key) -> Answer) -> Result<Answer, RunError> {
        loop {
            sleep(self.pace.wait(Instant::now())).await;
            self.pace.sent(Instant::now());
            self.tally.requested();
            let answer = ask(&self.key).await;
            self.run.watch.requested(answer.outcome());
            let Answer::Again { retry_after, why } = answer else {
                self.pace.answered();
                return Ok(answer);
            };
            warn!("{why}: asking again later");
            let chance = fastrand::f64();
            let waiting = self.pace.failed(Instant::now(), retry_after, chance);
            waiting.map_err(|Exhausted| RunError::Exhausted { last: why })?;
        }
    }
}

/// Returns what was asked for.
fn found(answer: Answer, resource: Resource) -> Result<Bytes, Refused> {
    match answer {
        Answer::Found(body) => Ok(body),
        Answer::Refused(refused) => Err(refused),
        Answer::AccountGone | Answer::PlaceLost | Answer::Again { .. } => {
            Err(Refused::Missing(resource))
        }
    }
}
