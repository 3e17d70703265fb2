//! Kafka, through an idempotent producer: the partition's last record is where it stands.
//!
//! All entries go to one partition, which keeps their order. Each must get the offset right after
//! the one before it, so that a record which somebody else put in between is noticed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hexxladb::ChangelogEntry;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};

use crate::error::{Error, Result};
use crate::json;
use crate::position::{LastPosition, Position};
use crate::sink::Sink;
use crate::target::KafkaTarget;

/// How long the brokers may take to answer anything.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long it waits at once.
const LOOK: Duration = Duration::from_millis(100);

/// A partition that takes each entry as a record: the record's key as text, the entry's JSON as
/// value, its place in the [`HEADERS`](crate::HEADERS), and the commit's time.
pub struct KafkaSink {
    config: ClientConfig,
    target: KafkaTarget,
    /// `None` until the partition was asked where it stands, and after an error.
    writing: Option<Writing>,
}

/// A producer, and where its records must go.
struct Writing {
    producer: BaseProducer<Deliveries>,
    next_offset: i64,
    /// Records that were sent and not acknowledged.
    pending: usize,
}

/// What became of the records since the last flush, in the order in which they were sent.
#[derive(Default)]
struct Deliveries(Mutex<Vec<Result<i64, KafkaError>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let outcome = match result {
            Ok(record) => Ok(record.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
    }
}

impl KafkaSink {
    /// For the brokers of the target, without encryption and login. Connects when it is asked for
    /// its last position.
    ///
    /// # Errors
    /// None at present.
    pub fn open(target: &KafkaTarget) -> Result<Self> {
        Self::open_with(ClientConfig::new(), target)
    }

    /// As [`KafkaSink::open`], with settings of librdkafka for whatever else the brokers want. What
    /// this sink's guarantee rests on cannot be set.
    ///
    /// # Errors
    /// As [`KafkaSink::open`].
    pub fn open_with(mut config: ClientConfig, target: &KafkaTarget) -> Result<Self> {
        config.set("bootstrap.servers", target.brokers());
        Ok(Self { config, target: target.clone(), writing: None })
    }

    fn failed(&self, error: KafkaError) -> Error {
        Error::unreachable(self.target.to_string(), error)
    }

    fn consumer(&self) -> Result<BaseConsumer> {
        let mut config = self.config.clone();
        // It joins no group; the name is only asked for.
        config.set("group.id", "hexxladb-sinks").set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true").set("allow.auto.create.topics", "true");
        config.create().map_err(|error| self.failed(error))
    }

    fn producer(&self) -> Result<BaseProducer<Deliveries>> {
        let mut config = self.config.clone();
        // A record that fails for good must not let the next one pass, and none is given up while
        // there is somebody who waits for it.
        config.set("enable.idempotence", "true").set("acks", "all");
        config.set("enable.gapless.guarantee", "true").set("message.timeout.ms", "0");
        // The brokers know how large a record may be.
        config.set("message.max.bytes", "1000000000");
        config.create_with_context(Deliveries::default()).map_err(|error| self.failed(error))
    }

    /// Waits until the topic is there: brokers that are set up so make it when they are asked.
    fn find_partition(&self, consumer: &BaseConsumer) -> Result<()> {
        let begun = Instant::now();
        let KafkaTarget { topic, partition, .. } = &self.target;
        loop {
            let metadata = consumer.fetch_metadata(Some(topic), ANSWER_WITHIN);
            let metadata = metadata.map_err(|error| self.failed(error))?;
            let found = metadata.topics().iter().filter(|found| found.name() == topic);
            let partitions: usize = found.map(|found| found.partitions().len()).sum();
            if usize::try_from(*partition).is_ok_and(|partition| partition < partitions) {
                return Ok(());
            }
            if partitions > 0 {
                let what = format!("the topic has {partitions} partitions, from 0");
                return Err(Error::refused(self.target.to_string(), what));
            }
            if begun.elapsed() > ANSWER_WITHIN {
                return Err(Error::unreachable(self.target.to_string(), "there is no such topic"));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Where the last record below `high` stands. The last offsets may hold none: compaction and
    /// transactions leave holes.
    fn last_record(&self, consumer: &BaseConsumer, low: i64, high: i64) -> Result<LastPosition> {
        let mut back = 1;
        loop {
            let from = high.saturating_sub(back).max(low);
            let found = self.last_from(consumer, from, high)?;
            match found {
                Some(position) => return Ok(LastPosition::At(position)),
                None if from == low => return Ok(LastPosition::Unknown),
                None => back = back.saturating_mul(2),
            }
        }
    }

    /// The place of the last record from an offset on.
    fn last_from(&self, consumer: &BaseConsumer, from: i64, high: i64) -> Result<Option<Position>> {
        let mut assignment = TopicPartitionList::new();
        let KafkaTarget { topic, partition, .. } = &self.target;
        assignment
            .add_partition_offset(topic, *partition, Offset::Offset(from))
            .and_then(|()| consumer.assign(&assignment))
            .map_err(|error| self.failed(error))?;
        let begun = Instant::now();
        let mut last = None;
        loop {
            match consumer.poll(LOOK) {
                Some(Ok(record)) => {
                    last = Some(self.position_of(&record)?);
                    if record.offset() + 1 >= high {
                        return Ok(last);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(last),
                // A connection that is lost is made again.
                Some(Err(error)) if begun.elapsed() > ANSWER_WITHIN => {
                    return Err(self.failed(error));
                }
                None if begun.elapsed() > ANSWER_WITHIN => {
                    return Err(Error::unreachable(
                        self.target.to_string(),
                        "its last record does not come",
                    ));
                }
                Some(Err(_)) | None => {}
            }
        }
    }

    fn position_of(&self, record: &BorrowedMessage<'_>) -> Result<Position> {
        let value = |name: &str| {
            let header = record.headers()?.iter().find(|header| header.key == name)?;
            Some(String::from_utf8_lossy(header.value?).into_owned())
        };
        Position::from_headers(value).ok_or_else(|| {
            Error::refused(self.target.to_string(), "its last record is no entry of a changelog")
        })
    }

    /// What a record that was not taken means.
    fn not_taken(&self, error: KafkaError) -> Error {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => Error::refused(
                self.target.to_string(),
                "an entry is larger than a record may be: raise the topic's max.message.bytes",
            ),
            _ => self.failed(error),
        }
    }
}

impl Sink for KafkaSink {
    fn last_position(&mut self) -> Result<LastPosition> {
        self.writing = None;
        let consumer = self.consumer()?;
        self.find_partition(&consumer)?;
        let KafkaTarget { topic, partition, .. } = &self.target;
        let watermarks = consumer.fetch_watermarks(topic, *partition, ANSWER_WITHIN);
        let (low, high) = watermarks.map_err(|error| self.failed(error))?;
        let last = match high {
            0 => LastPosition::Empty,
            _ if low == high => LastPosition::Unknown,
            _ => self.last_record(&consumer, low, high)?,
        };
        let producer = self.producer()?;
        self.writing = Some(Writing { producer, next_offset: high, pending: 0 });
        Ok(last)
    }

    fn send(&mut self, entries: &[ChangelogEntry]) -> Result<()> {
        // Whatever fails in between, the partition is asked again before it gets anything else.
        let Some(mut writing) = self.writing.take() else {
            return Err(Error::unreachable(
                self.target.to_string(),
                "what was sent before did not arrive whole",
            ));
        };
        for entry in entries {
            produce(&writing.producer, entry, &self.target, |error| self.not_taken(error))?;
            writing.pending += 1;
        }
        self.writing = Some(writing);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let Some(mut writing) = self.writing.take() else { return Ok(()) };
        writing.producer.flush(ANSWER_WITHIN).map_err(|error| self.failed(error))?;
        let outcomes = {
            let deliveries = writing.producer.context();
            std::mem::take(&mut *deliveries.0.lock().unwrap_or_else(PoisonError::into_inner))
        };
        if outcomes.len() != writing.pending {
            return Err(Error::unreachable(
                self.target.to_string(),
                "not all records were answered",
            ));
        }
        for outcome in outcomes {
            let offset = outcome.map_err(|error| self.not_taken(error))?;
            if offset != writing.next_offset {
                let elsewhere = "something else was written to the partition meanwhile";
                return Err(Error::unreachable(self.target.to_string(), elsewhere));
            }
            writing.next_offset += 1;
        }
        writing.pending = 0;
        self.writing = Some(writing);
        Ok(())
    }
}

/// Hands a record over, waiting for room.
fn produce(
    producer: &BaseProducer<Deliveries>,
    entry: &ChangelogEntry,
    target: &KafkaTarget,
    not_taken: impl Fn(KafkaError) -> Error,
) -> Result<()> {
    let position = Position::of(entry);
    let value = json::entry_line(entry)?;
    let key = entry.key.as_ref().map(ToString::to_string);
    let headers = position.headers();
    let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    });
    let mut record = BaseRecord::<String, String>::to(&target.topic)
        .partition(target.partition)
        .payload(&value)
        .headers(headers)
        .timestamp(entry.time.as_nanos().div_euclid(1_000_000).max(0));
    record.key = key.as_ref();
    let begun = Instant::now();
    loop {
        record = match producer.send(record) {
            Ok(()) => {
                producer.poll(Duration::ZERO);
                return Ok(());
            }
            Err((error, back)) => {
                let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                if !full || begun.elapsed() > ANSWER_WITHIN {
                    return Err(not_taken(error));
                }
                producer.poll(LOOK);
                back
            }
        };
    }
}
