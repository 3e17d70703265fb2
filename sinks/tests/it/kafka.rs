//! Kafka: librdkafka's mock cluster in this process, senders over TCP in others.

use std::time::{Duration, Instant};

use hexxladb::{ChangelogFilter, Db, Follow};
use hexxladb_sinks::{
    DeliverOptions, Error, HEADERS, LastPosition, Position, PumpOptions, Result, Sink, Target,
    deliver, open,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::sender;
use crate::source::{Source, same_length};

const WAIT: Duration = Duration::from_secs(30);

/// A cluster, and a client of it that is none of the sinks'.
struct Cluster(MockCluster<'static, DefaultProducerContext>);

/// A record: key, value, headers.
type Held = (Option<String>, String, Vec<String>);

impl Cluster {
    fn start() -> Self {
        Self(MockCluster::new(3).expect("a cluster"))
    }

    fn url(&self, topic: &str) -> String {
        format!("kafka://{}/{topic}", self.0.bootstrap_servers())
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.0.bootstrap_servers()).set("group.id", "test");
        config
    }

    /// What a partition holds.
    fn records(&self, topic: &str, partition: i32) -> Vec<Held> {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let (low, high) = consumer.fetch_watermarks(topic, partition, WAIT).expect("watermarks");
        assert_eq!(low, 0, "the cluster has dropped records");
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
        consumer.assign(&assignment).expect("assigned");
        let (mut records, begun) = (Vec::new(), Instant::now());
        while i64::try_from(records.len()).unwrap() < high {
            assert!(begun.elapsed() < WAIT, "{} of {high} records come", records.len());
            if let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) {
                records.push(held(&record));
            }
        }
        records
    }

    /// Puts something that is no entry.
    fn produce(&self, topic: &str, text: &str) {
        let producer: BaseProducer = self.client().create().expect("a producer");
        let record = BaseRecord::<str, str>::to(topic).partition(0).payload(text);
        producer.send(record).map_err(|(error, _)| error).expect("sent");
        producer.flush(WAIT).expect("delivered");
    }
}

fn held(record: &BorrowedMessage<'_>) -> Held {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let headers = record.headers().map_or_else(Vec::new, |headers| {
        let named = |name: &&str| headers.iter().find(|header| header.key == *name)?.value;
        HEADERS.iter().filter_map(named).map(text).collect()
    });
    (record.key().map(text), record.payload().map(text).unwrap_or_default(), headers)
}

/// Each record is the next entry, once, with a key and headers that say the same.
fn assert_holds(records: &[Held], source: &Source) {
    let entries = source.db.read_changelog_since(0).expect("entries");
    let lines = source.lines();
    for (((key, value, headers), line), entry) in records.iter().zip(&lines).zip(entries) {
        let entry = entry.expect("an entry");
        assert_eq!(value, line);
        assert_eq!(*key, entry.key.as_ref().map(ToString::to_string));
        let said = Position::of(&entry).headers().map(|(_, value)| value);
        assert_eq!(*headers, said);
    }
    assert_eq!(records.len(), lines.len());
}

fn sink(url: &str) -> Box<dyn Sink> {
    open(&url.parse().expect("a target")).expect("a sink")
}

fn deliver_all(url: &str, db: &Db) -> Result<u64> {
    let target: Target = url.parse()?;
    deliver(
        &mut || open(&target),
        &mut |cursor| db.read_changelog(cursor, ChangelogFilter::new()),
        &DeliverOptions::new(),
        &mut |_| Ok(()),
    )
}

#[test]
fn killed_senders_leave_each_entry_once() {
    let cluster = Cluster::start();
    let mut source = Source::new();
    sender::kill_many(&mut source, &cluster.url("killed"), 20, Duration::ZERO);
    assert_holds(&cluster.records("killed", 0), &source);
}

#[test]
fn brokers_that_go_and_come_back_get_each_entry_once() {
    let cluster = Cluster::start();
    let (mut source, url) = (Source::with(8), cluster.url("restarted"));
    let sender = {
        let (db, target) = (source.db.clone(), url.parse::<Target>().expect("a target"));
        std::thread::spawn(move || {
            let follow = Follow::new().timeout(Duration::from_secs(3));
            let options = DeliverOptions::new()
                .pump(PumpOptions::new().batch_entries(20))
                .retry_for(Duration::from_mins(2))
                .retry_pause(Duration::from_millis(20));
            deliver(
                &mut || open(&target),
                &mut |cursor| db.follow(cursor, follow.clone()),
                &options,
                &mut |_| Ok(()),
            )
        })
    };
    for round in 0..3 {
        source.commit(24);
        std::thread::sleep(Duration::from_millis(20 * round));
        cluster.0.broker_down(-1).expect("down");
        source.commit(8);
        std::thread::sleep(Duration::from_millis(50));
        cluster.0.broker_up(-1).expect("up");
        source.commit(8);
    }
    sender.join().expect("no panic").expect("all is sent");
    assert_holds(&cluster.records("restarted", 0), &source);
}

#[test]
fn all_entries_go_to_the_partition_that_is_named() {
    let cluster = Cluster::start();
    cluster.0.create_topic("four", 4, 1).expect("a topic");
    let source = Source::with(16);
    let url = cluster.url("four?partition=3");
    deliver_all(&url, &source.db).expect("all is sent");
    assert_eq!(deliver_all(&url, &source.db).expect("nothing is sent"), 0);
    assert_holds(&cluster.records("four", 3), &source);
    assert_eq!(cluster.records("four", 0), []);
    let error = deliver_all(&cluster.url("four?partition=4"), &source.db).expect_err("refused");
    assert!(error.to_string().contains("the topic has 4 partitions"), "{error}");
}

#[test]
fn a_record_in_between_is_noticed() {
    let cluster = Cluster::start();
    let (source, url) = (Source::with(16), cluster.url("between"));
    let entries = source.db.read_changelog_since(0).expect("entries");
    let entries: Vec<_> = entries.map(|entry| entry.expect("an entry")).collect();
    let (mut old, mut new) = (sink(&url), sink(&url));
    assert_eq!(old.last_position().expect("a position"), LastPosition::Empty);
    assert_eq!(new.last_position().expect("a position"), LastPosition::Empty);
    old.send(&entries[..2]).and_then(|()| old.flush()).expect("two arrive");
    let error = new.send(&entries[..3]).and_then(|()| new.flush()).expect_err("noticed");
    assert!(error.may_pass() && error.to_string().contains("something else"), "{error}");
    assert!(new.send(&entries[3..]).is_err(), "it must look again first");
    let last = new.last_position().expect("a position");
    assert_eq!(last, LastPosition::At(Position::of(&entries[2])));
}

#[test]
fn another_history_and_records_of_somebody_else_are_refused() {
    // spec: LOG-17
    let cluster = Cluster::start();
    let (source, url) = (Source::with(5), cluster.url("diverged"));
    deliver_all(&url, &source.db).expect("all is sent");
    let other = same_length(&source.beside("other.hexx"), 9);
    let error = deliver_all(&url, &other).expect_err("diverged");
    assert!(
        matches!(error, Error::Database(hexxladb::Error::HistoryDiverged { seq: 5 })),
        "{error:?}"
    );
    assert_holds(&cluster.records("diverged", 0), &source);
    cluster.produce("diverged", "dear reader");
    let error = deliver_all(&url, &source.db).expect_err("refused");
    assert!(error.to_string().contains("no entry of a changelog"), "{error}");
}
