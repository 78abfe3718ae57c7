//! A real broker that speaks Kafka's protocol: tansu. It keeps everything in
//! memory, so a test with it shows what is said and not what survives.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::{Headers as _, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    harness::{self, PATIENCE, tool, until},
    link::Link,
    loopback,
};

/// Where Kafka's protocol is spoken.
const PORT: u16 = 9_092;

/// A running tansu; killed when dropped.
pub(crate) struct Tansu {
    child: Child,
    /// Where it listens.
    listens: SocketAddr,
    /// Where clients find it.
    address: SocketAddr,
}

impl Tansu {
    /// Starts one on an address of its own.
    pub(crate) fn start() -> Self {
        let listens = SocketAddr::from((loopback::own(), PORT));
        Self {
            child: spawn(listens, listens),
            listens,
            address: listens,
        }
    }

    /// Starts one that clients find at the end of a link.
    pub(crate) fn behind_a_link() -> (Self, Link) {
        let listens = SocketAddr::from((loopback::own(), PORT));
        let link = Link::to(listens);
        let tansu = Self {
            child: spawn(listens, link.address),
            listens,
            address: link.address,
        };
        (tansu, link)
    }

    /// Its address as a topic of it is named.
    pub(crate) fn address(&self, topic: &str) -> String {
        format!("kafka://{}/{topic}", self.server())
    }

    fn server(&self) -> String {
        self.address.to_string()
    }

    /// Stops the process where it is; connections stay open and unanswered.
    pub(crate) fn freeze(&self) {
        harness::freeze(Pid::from_child(&self.child));
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// Kills it. It forgets everything.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was, empty.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.listens, self.address);
    }

    /// Makes a topic, as an operator would.
    pub(crate) fn make_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let topic = settings
            .iter()
            .fold(topic, |topic, (key, value)| topic.set(key, value));
        let made = wait(self.admin().create_topics([&topic], &options())).unwrap();
        assert_eq!(made, [Ok(name.to_owned())]);
    }

    /// What the broker says of a topic's settings.
    pub(crate) fn settings(&self, topic: &str) -> BTreeMap<String, String> {
        let topic = ResourceSpecifier::Topic(topic);
        let described = wait(self.admin().describe_configs([&topic], &options()));
        let entries = described.unwrap().remove(0).unwrap().entries;
        let entries = entries.into_iter();
        entries
            .filter_map(|entry| Some((entry.name, entry.value?)))
            .collect()
    }

    /// Produces a record, as whoever has access to the topic could.
    pub(crate) fn produce(&self, topic: &str, key: &str, headers: OwnedHeaders, payload: &[u8]) {
        let producer: FutureProducer = self.config().create().unwrap();
        let record = FutureRecord::to(topic).key(key).payload(payload);
        wait(producer.send(record.headers(headers), PATIENCE)).unwrap();
    }

    /// Everything that a topic has.
    ///
    /// It is read to where the broker hands out no more: asked for a topic's
    /// end, tansu names the first record of the last batch.
    pub(crate) fn records(&self, topic: &str) -> Vec<Got> {
        let mut config = self.config();
        config
            .set("group.id", "test")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut places = TopicPartitionList::new();
        let begin = Offset::Offset(0);
        places.add_partition_offset(topic, 0, begin).unwrap();
        consumer.assign(&places).unwrap();
        let mut records = Vec::new();
        loop {
            match consumer.poll(PATIENCE).unwrap() {
                Ok(message) => records.push(Got(message.detach())),
                Err(KafkaError::PartitionEOF(_)) => return records,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits until a topic has so many records, and returns them.
    pub(crate) fn until_got(&self, topic: &str, count: usize) -> Vec<Got> {
        until(&format!("the topic `{topic}` has {count}"), || {
            let records = self.records(topic);
            (records.len() >= count).then_some(records)
        })
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.server());
        config
    }
}

impl Drop for Tansu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A record as a consumer gets it.
pub(crate) struct Got(OwnedMessage);

impl Got {
    pub(crate) fn key(&self) -> &str {
        std::str::from_utf8(self.0.key().unwrap()).unwrap()
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.0.payload().unwrap()
    }

    pub(crate) fn headers(&self) -> OwnedHeaders {
        self.0.headers().unwrap().clone()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.0.headers().unwrap();
        let found = headers.iter().find(|header| header.key == name)?;
        Some(std::str::from_utf8(found.value.unwrap()).unwrap())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE))
}

/// Starts a broker, which tells clients where to come.
fn spawn(listens: SocketAddr, advertised: SocketAddr) -> Child {
    let child = Command::new(tool("TANSU_PATH", "tansu"))
        .args(["broker", "--silent", "--storage-engine", "memory://tansu/"])
        .args(["--listener-url", &format!("tcp://{listens}")])
        .args(["--advertised-listener-url", &format!("tcp://{advertised}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("tansu listens", || TcpStream::connect(listens).ok());
    child
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}
