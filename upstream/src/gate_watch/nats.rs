//! On JetStream: an object for each gate, and a stream of verdicts.

use std::{collections::VecDeque, fmt, pin::pin, time::Duration};

use async_nats::{
    HeaderMap, header,
    jetstream::{
        self, ErrorCode,
        context::{Context, GetStreamErrorKind},
        object_store::{self, GetErrorKind, ObjectStore},
        stream::{Config, DiscardPolicy, Stream},
    },
};
use bytes::Bytes;
use hookgate_core::time::Timestamp;
use tokio::{io::AsyncReadExt as _, sync::OnceCell, time::timeout};

use super::{
    GateName, MAX_SHOWN, MAX_STATE_BYTES, MAX_VERDICT_BYTES, MAX_VERDICTS, StoreError, Verdict,
};
use crate::log::nats::{self, Servers, Walk};

/// Names the objects' bucket and the verdicts' stream.
const BUCKET: &str = "HOOKGATE_WATCH";
const VERDICTS: &str = "HOOKGATE_VERDICTS";

/// What verdicts are published under.
const SUBJECT: &str = "hookgate.verdict";

/// How long a state of a gate that saves no more is kept, and a verdict.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Room for the states of all gates.
const MAX_BYTES: i64 = 512 * 1_024 * 1_024;

/// How long reading or writing a whole state may take.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(8);

/// Keeps everything on the servers of the log.
#[derive(Debug)]
pub(super) struct NatsStore {
    servers: Servers,
    opened: OnceCell<Opened>,
}

struct Opened {
    context: Context,
    states: ObjectStore,
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

    pub(super) async fn state(&self, gate: &GateName) -> Result<Option<Bytes>, StoreError> {
        let opened = self.open().await?;
        let read = async {
            let mut object = match opened.states.get(gate.as_str()).await {
                Ok(object) => object,
                Err(error) if error.kind() == GetErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let most = u64::try_from(MAX_STATE_BYTES).unwrap_or(u64::MAX);
            let mut state = Vec::new();
            // The reader compares digests at its end.
            (&mut object)
                .take(most.saturating_add(1))
                .read_to_end(&mut state)
                .await?;
            Ok::<_, async_nats::Error>(Some(Bytes::from(state)))
        };
        within(TRANSFER_TIMEOUT, read).await
    }

    pub(super) async fn save(&self, gate: &GateName, state: Bytes) -> Result<(), StoreError> {
        let opened = self.open().await?;
        let put = async {
            opened.states.put(gate.as_str(), &mut &*state).await?;
            Ok::<_, async_nats::Error>(())
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
            let states = states(&context, num_replicas).await?;
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

async fn states(context: &Context, num_replicas: usize) -> Result<ObjectStore, async_nats::Error> {
    match context.get_stream(format!("OBJ_{BUCKET}")).await {
        Ok(_) => return Ok(context.get_object_store(BUCKET).await?),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(refusal)
                if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
            _ => return Err(error.into()),
        },
    }
    let config = object_store::Config {
        bucket: BUCKET.to_owned(),
        description: Some("What the watches of Hookgate's gates have learnt".to_owned()),
        max_age: KEPT,
        max_bytes: MAX_BYTES,
        num_replicas,
        ..object_store::Config::default()
    };
    Ok(context.create_object_store(config).await?)
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
