//! On JetStream: a stream of what watches have learnt, and one of verdicts.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    pin::pin,
    time::Duration,
};

use async_nats::{
    HeaderMap, header,
    jetstream::{
        self,
        context::Context,
        stream::{Config, DiscardPolicy, Stream},
    },
};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use hookgate_core::time::Timestamp;
use hookgate_watch::parts::Head;
use tokio::{sync::OnceCell, time::timeout};

use super::{GateName, MAX_SHOWN, MAX_VERDICT_BYTES, MAX_VERDICTS, StoreError, Verdict};
use crate::log::nats::{self, Servers, Walk};

/// Names the stream of what was learnt, and that of verdicts.
const STATES: &str = "HOOKGATE_WATCH";
const VERDICTS: &str = "HOOKGATE_VERDICTS";

/// What verdicts are published under.
const SUBJECT: &str = "hookgate.verdict";

/// What parts are published under, with gate, save and number; and with the gate alone
/// which save began last, and which is whole.
const STATE: &str = "hookgate.watch";

/// How long a state of a gate that saves no more is kept, and a verdict.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Room for the states of all gates.
const MAX_BYTES: i64 = 512 * 1_024 * 1_024;

/// How long several requests in a row may take.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(8);

/// Keeps everything on the servers of the log.
#[derive(Debug)]
pub(super) struct NatsStore {
    servers: Servers,
    opened: OnceCell<Opened>,
}

struct Opened {
    context: Context,
    states: Stream,
    verdicts: Stream,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl NatsStore {
    pub(super) fn new(servers: Servers) -> Self {
        Self {
            servers,
            opened: OnceCell::new(),
        }
    }

    pub(super) async fn part(
        &self,
        gate: &GateName,
        part: Option<(u64, u32)>,
    ) -> Result<Option<Bytes>, StoreError> {
        let opened = self.open().await?;
        let read = async {
            match part {
                Some((save, number)) => opened.part(gate, save, number).await,
                None => opened.first(gate).await,
            }
        };
        within(TRANSFER_TIMEOUT, read).await
    }

    pub(super) async fn save(
        &self,
        gate: &GateName,
        head: Head,
        part: Bytes,
    ) -> Result<bool, StoreError> {
        let opened = self.open().await?;
        let put = async {
            if head.number == 0 && !opened.begin(gate, head.save).await? {
                return Ok(false);
            }
            let subject = part_subject(gate, head.save, head.number);
            opened.context.publish(subject, part).await?.await?;
            if head.is_last {
                opened.finish(gate, head).await
            } else {
                Ok(true)
            }
        };
        within(TRANSFER_TIMEOUT, put).await
    }

    pub(super) async fn add(&self, verdict: Verdict) -> Result<bool, StoreError> {
        let opened = self.open().await?;
        let subject = format!("{SUBJECT}.{}", verdict.gate.as_str());
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_MESSAGE_ID, verdict.id.as_str());
        let published = async {
            let json = verdict.json().into();
            let context = &opened.context;
            let published = context.publish_with_headers(subject, headers, json);
            Ok::<_, async_nats::Error>(!published.await?.await?.duplicate)
        };
        within(nats::REQUEST_TIMEOUT, published).await
    }

    pub(super) async fn since(&self, time: Timestamp) -> Result<Vec<Verdict>, StoreError> {
        let opened = self.open().await?;
        let read = async {
            let last = opened.verdicts.get_info().await?.state.last_sequence;
            let mut walk = Walk::start(&opened.verdicts, 1, MAX_VERDICT_BYTES);
            let mut verdicts = VecDeque::new();
            while let Some((_, message)) = walk.next(last).await? {
                let verdict = Verdict::parse(&message.payload).ok();
                verdicts.extend(verdict.filter(|verdict| verdict.at >= time));
                if verdicts.len() > MAX_SHOWN {
                    verdicts.pop_front();
                }
            }
            Ok::<_, async_nats::Error>(verdicts.into())
        };
        within(TRANSFER_TIMEOUT, read).await
    }

    /// Connects, and makes what isn't there.
    async fn open(&self) -> Result<&Opened, StoreError> {
        let open = async {
            let client = nats::connect(&self.servers).await?;
            let context = jetstream::context::ContextBuilder::new()
                .timeout(nats::REQUEST_TIMEOUT)
                .build(client);
            let log = context.get_stream(nats::STREAM).await?;
            let num_replicas = log.cached_info().config.num_replicas;
            let verdicts = Config {
                name: VERDICTS.to_owned(),
                description: Some("What the watches of Hookgate's gates said".to_owned()),
                subjects: vec![format!("{SUBJECT}.*")],
                max_age: KEPT,
                max_messages: i64::try_from(MAX_VERDICTS).unwrap_or(i64::MAX),
                discard: DiscardPolicy::Old,
                num_replicas,
                ..Config::default()
            };
            let verdicts = context.get_or_create_stream(verdicts).await?;
            let states = Config {
                name: STATES.to_owned(),
                description: Some("What the watches of Hookgate's gates have learnt".to_owned()),
                subjects: vec![format!("{STATE}.>")],
                max_messages_per_subject: 1,
                max_age: KEPT,
                max_bytes: MAX_BYTES,
                discard: DiscardPolicy::New,
                num_replicas,
                ..Config::default()
            };
            let states = context.get_or_create_stream(states).await?;
            Ok::<_, async_nats::Error>(Opened {
                context,
                states,
                verdicts,
            })
        };
        let opened = self
            .opened
            .get_or_try_init(|| within(TRANSFER_TIMEOUT, open));
        opened.await
    }
}

impl Opened {
    async fn part(
        &self,
        gate: &GateName,
        save: u64,
        number: u32,
    ) -> Result<Option<Bytes>, async_nats::Error> {
        let part = nats::newest(&self.states, &part_subject(gate, save, number)).await?;
        Ok(part.map(|message| message.payload))
    }

    /// Returns the first part of the save that is whole.
    async fn first(&self, gate: &GateName) -> Result<Option<Bytes>, async_nats::Error> {
        let mut gone = None;
        loop {
            let whole = self.known(gate).await?.0.whole;
            let Some(save) = whole.filter(|_| whole != gone) else {
                return Ok(None);
            };
            if let Some(part) = self.part(gate, save, 0).await? {
                return Ok(Some(part));
            }
            // Another one took its place meanwhile.
            gone = whole;
        }
    }

    /// Returns what is known of a gate's saves, and where the stream says so; 0 if nowhere.
    async fn known(&self, gate: &GateName) -> Result<(Known, u64), async_nats::Error> {
        match nats::newest(&self.states, &gate_subject(gate)).await? {
            Some(message) => Ok((Known::parse(&message.payload)?, message.sequence)),
            None => Ok((Known::default(), 0)),
        }
    }

    /// Says what is known from now on, if nobody else did since that place; returns where.
    async fn tell(
        &self,
        gate: &GateName,
        known: &Known,
        place: u64,
    ) -> Result<Option<u64>, async_nats::Error> {
        let mut headers = HeaderMap::new();
        let expected = header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
        headers.insert(expected, place.to_string());
        let context = &self.context;
        let text = known.text().into();
        let published = context.publish_with_headers(gate_subject(gate), headers, text);
        match async { published.await?.await }.await {
            Err(error) if nats::is_conflict(&error) => Ok(None),
            published => Ok(Some(published?.sequence)),
        }
    }

    /// Begins a save: no other that has begun can end from now on, and all that never
    /// ended goes. Returns `false` if somebody else did something meanwhile.
    async fn begin(&self, gate: &GateName, save: u64) -> Result<bool, async_nats::Error> {
        let (mut known, place) = self.known(gate).await?;
        known.begun = Some(save);
        let Some(place) = self.tell(gate, &known, place).await? else {
            return Ok(false);
        };
        self.sweep(gate, &known, place).await?;
        Ok(true)
    }

    /// Puts the save that began last in place of the one before, if all of it is there
    /// and nobody else did something since this was seen; and then takes all others out.
    async fn finish(&self, gate: &GateName, head: Head) -> Result<bool, async_nats::Error> {
        let (mut known, place) = self.known(gate).await?;
        let parts = self.subjects(gate, &number(head.save)).await?;
        let is_all = parts.len() == usize::try_from(head.number)? + 1;
        if known.begun != Some(head.save) || !is_all {
            return Ok(false);
        }
        known.whole = known.begun;
        let Some(place) = self.tell(gate, &known, place).await? else {
            return Ok(false);
        };
        self.sweep(gate, &known, place).await?;
        Ok(true)
    }

    /// Takes all saves out but the known ones, as far as they are before a place: what
    /// somebody else begins meanwhile stays.
    async fn sweep(
        &self,
        gate: &GateName,
        known: &Known,
        place: u64,
    ) -> Result<(), async_nats::Error> {
        let kept: Vec<String> = [known.begun, known.whole]
            .into_iter()
            .flatten()
            .map(number)
            .collect();
        let parts = self.subjects(gate, "*").await?;
        let saves: BTreeSet<&str> = parts.iter().filter_map(|it| it.split('.').nth(3)).collect();
        for save in saves {
            if !kept.iter().any(|it| it == save) {
                let parts = parts_of(gate, save);
                self.states.purge().sequence(place).filter(parts).await?;
            }
        }
        Ok(())
    }

    /// Returns the subjects that there are, of parts of a save.
    async fn subjects(
        &self,
        gate: &GateName,
        save: &str,
    ) -> Result<Vec<String>, async_nats::Error> {
        let found = self.states.info_with_subjects(parts_of(gate, save)).await?;
        Ok(found.map_ok(|(subject, _)| subject).try_collect().await?)
    }
}

/// What is known of a gate's saves.
#[derive(Debug, Default)]
struct Known {
    /// The one that began last: no other can end.
    begun: Option<u64>,
    /// The one that is whole.
    whole: Option<u64>,
}

impl Known {
    fn parse(text: &[u8]) -> Result<Self, async_nats::Error> {
        let mut saves = str::from_utf8(text)?
            .split(' ')
            .map(|save| u64::from_str_radix(save, 16));
        Ok(Self {
            begun: saves.next().transpose()?,
            whole: saves.next().transpose()?,
        })
    }

    fn text(&self) -> String {
        let saves = [self.begun, self.whole].into_iter().flatten();
        saves.map(number).collect::<Vec<_>>().join(" ")
    }
}

fn gate_subject(gate: &GateName) -> String {
    format!("{STATE}.{}", gate.as_str())
}

fn parts_of(gate: &GateName, save: &str) -> String {
    format!("{STATE}.{}.{save}.*", gate.as_str())
}

fn part_subject(gate: &GateName, save: u64, part: u32) -> String {
    format!("{STATE}.{}.{}.{part}", gate.as_str(), number(save))
}

fn number(save: u64) -> String {
    format!("{save:016x}")
}

/// Waits for the server, and no longer.
async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, async_nats::Error>>,
) -> Result<T, StoreError> {
    match timeout(patience, pin!(answer)).await {
        Ok(answer) => answer.map_err(StoreError::Nats),
        Err(_) => Err(StoreError::Nats("it does not answer".into())),
    }
}
