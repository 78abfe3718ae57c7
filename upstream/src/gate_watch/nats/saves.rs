//! What watches have learnt, part by part, and which save of a gate is whole.
//!
//! One message of each gate says which of its saves began last and which is whole. It is
//! written by compare-and-swap alone, so that of two that save at once one is refused,
//! and what is taken out is never what it names.

use std::collections::BTreeSet;

use async_nats::{
    HeaderMap, header,
    jetstream::{
        context::Context,
        stream::{Config, DiscardPolicy, Stream},
    },
};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use hookgate_watch::parts::Head;

use super::KEPT;
use crate::{gate_watch::GateName, log::nats};

/// Names the stream.
const NAME: &str = "HOOKGATE_WATCH";

/// What parts are published under, with gate, save and number; and with the gate alone
/// what is known of its saves.
const SUBJECT: &str = "hookgate.watch";

/// Room for all gates.
const MAX_BYTES: i64 = 512 * 1_024 * 1_024;

/// Keeps them.
pub(super) struct Saves {
    context: Context,
    stream: Stream,
}

impl Saves {
    /// Opens the stream, and makes it if it isn't there.
    ///
    /// # Errors
    /// The server doesn't.
    pub(super) async fn open(
        context: &Context,
        num_replicas: usize,
    ) -> Result<Self, async_nats::Error> {
        let config = Config {
            name: NAME.to_owned(),
            description: Some("What the watches of Hookgate's gates have learnt".to_owned()),
            subjects: vec![format!("{SUBJECT}.>")],
            max_messages_per_subject: 1,
            max_age: KEPT,
            max_bytes: MAX_BYTES,
            discard: DiscardPolicy::New,
            num_replicas,
            ..Config::default()
        };
        Ok(Self {
            stream: context.get_or_create_stream(config).await?,
            context: context.clone(),
        })
    }

    /// Returns a part of a save by its place; without these the first of the one that is
    /// whole.
    ///
    /// # Errors
    /// The server doesn't show it.
    pub(super) async fn part(
        &self,
        gate: &GateName,
        part: Option<(u64, u32)>,
    ) -> Result<Option<Bytes>, async_nats::Error> {
        match part {
            Some((save, number)) => self.at(gate, save, number).await,
            None => self.first(gate).await,
        }
    }

    /// Keeps a part; tells whether, see [`super::super::Store::save`].
    ///
    /// # Errors
    /// The server doesn't take it.
    pub(super) async fn save(
        &self,
        gate: &GateName,
        head: Head,
        part: Bytes,
    ) -> Result<bool, async_nats::Error> {
        if head.number == 0 && !self.begin(gate, head.save).await? {
            return Ok(false);
        }
        let subject = part_subject(gate, head.save, head.number);
        self.context.publish(subject, part).await?.await?;
        if head.is_last {
            self.finish(gate, head).await
        } else {
            Ok(true)
        }
    }

    async fn at(
        &self,
        gate: &GateName,
        save: u64,
        number: u32,
    ) -> Result<Option<Bytes>, async_nats::Error> {
        let part = nats::newest(&self.stream, &part_subject(gate, save, number)).await?;
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
            if let Some(part) = self.at(gate, save, 0).await? {
                return Ok(Some(part));
            }
            // Another one took its place meanwhile.
            gone = whole;
        }
    }

    /// Returns what is known of a gate's saves, and where the stream says so; 0 if nowhere.
    async fn known(&self, gate: &GateName) -> Result<(Known, u64), async_nats::Error> {
        match nats::newest(&self.stream, &gate_subject(gate)).await? {
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
                self.stream.purge().sequence(place).filter(parts).await?;
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
        let found = self.stream.info_with_subjects(parts_of(gate, save)).await?;
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
    format!("{SUBJECT}.{}", gate.as_str())
}

fn parts_of(gate: &GateName, save: &str) -> String {
    format!("{SUBJECT}.{}.{save}.*", gate.as_str())
}

fn part_subject(gate: &GateName, save: u64, part: u32) -> String {
    format!("{SUBJECT}.{}.{}.{part}", gate.as_str(), number(save))
}

fn number(save: u64) -> String {
    format!("{save:016x}")
}
