//! NATS JetStream, exactly once: the stream's last message is where it stands, and each message
//! names the place and the message that it must follow.
//!
//! That second part is what holds where the server's duplicate window does not: a message of a
//! sender that was killed may reach the stream after its successor has looked. The successor's own
//! then follow another message than they say, are rejected, and it looks again. The place alone
//! would not do: where a stranger's message takes the place of one that was rejected, the next would
//! fit, and leave a gap.

use std::time::Duration;

use async_nats::jetstream::context::{
    Context, ContextBuilder, CreateStreamError, CreateStreamErrorKind, PublishAckFuture,
    PublishError, PublishErrorKind,
};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, Stream};
use async_nats::{ConnectOptions, ServerAddr};
use hexxladb::ChangelogEntry;
use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Result};
use crate::json;
use crate::position::{LastPosition, Position};
use crate::sink::Sink;
use crate::target::NatsTarget;

/// How long the server may take to answer anything.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A stream that takes each entry as a message: its JSON as payload, its place in the
/// [`HEADERS`](crate::HEADERS), and the message id `{history hash}-{seq}-{index}`.
pub struct NatsSink {
    // Dropped first, while the runtime still carries it.
    stream: Stream,
    context: Context,
    runtime: Runtime,
    target: NatsTarget,
    /// What the next message must follow; `None` until the stream was asked, and after an error.
    after: Option<After>,
    /// What was sent and is not acknowledged, with the sequence that each must get.
    pending: Vec<(u64, PublishAckFuture)>,
}

impl NatsSink {
    /// Connects, and makes the stream where there is none: in files, without limits.
    ///
    /// # Errors
    /// [`Error::Unreachable`]; [`Error::Refused`] where the server makes no such stream.
    pub fn open(target: &NatsTarget) -> Result<Self> {
        Self::open_with(ConnectOptions::new(), target)
    }

    /// As [`NatsSink::open`], with certificates, credentials or whatever else the client can do.
    ///
    /// # Errors
    /// As [`NatsSink::open`].
    pub fn open_with(options: ConnectOptions, target: &NatsTarget) -> Result<Self> {
        // One thread answers the server's pings while nothing is sent.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Error::unreachable(target.to_string(), error))?;
        let (context, stream) = runtime.block_on(connect(options, target))?;
        let target = target.clone();
        Ok(Self { stream, context, runtime, target, after: None, pending: Vec::new() })
    }
}

/// The end of the stream after everything that was sent.
struct After {
    sequence: u64,
    /// The id of the message there, if this sink sent it. A server that restarts forgets the ids
    /// of messages that were there before.
    message_id: Option<String>,
}

async fn connect(options: ConnectOptions, target: &NatsTarget) -> Result<(Context, Stream)> {
    let unreachable = |error: async_nats::Error| Error::unreachable(target.to_string(), error);
    let servers: std::io::Result<Vec<ServerAddr>> =
        target.servers().iter().map(|server| server.parse()).collect();
    let servers = servers.map_err(|error| Error::Url { what: format!("{target}: {error}") })?;
    let client = options.connect(servers).await.map_err(|error| unreachable(error.into()))?;
    let context = ContextBuilder::new().timeout(ANSWER_WITHIN).build(client);
    let config = Config {
        name: target.stream.clone(),
        subjects: vec![target.subject.clone()],
        ..Config::default()
    };
    let stream = context.get_or_create_stream(config).await;
    let stream = stream.map_err(|error| not_made(target, error))?;
    Ok((context, stream))
}

/// What a stream that could not be made or looked at means.
fn not_made(target: &NatsTarget, error: CreateStreamError) -> Error {
    match error.kind() {
        CreateStreamErrorKind::JetStream(cause) if cause.code() == 400 => {
            Error::refused(target.to_string(), error)
        }
        CreateStreamErrorKind::JetStreamUnavailable => {
            Error::unreachable(target.to_string(), "the server runs without JetStream")
        }
        _ => Error::unreachable(target.to_string(), error),
    }
}

impl Sink for NatsSink {
    fn last_position(&mut self) -> Result<LastPosition> {
        self.after = None;
        self.pending.clear();
        let (sequence, last) = self.runtime.block_on(last(&self.stream, &self.target))?;
        self.after = Some(After { sequence, message_id: None });
        Ok(last)
    }

    fn send(&mut self, entries: &[ChangelogEntry]) -> Result<()> {
        // Whatever fails in between, the stream is asked again before it gets anything else.
        let Some(mut after) = self.after.take() else {
            return Err(Error::unreachable(
                self.target.to_string(),
                "what was sent before did not arrive whole",
            ));
        };
        for entry in entries {
            let message = message(entry, &after, &self.target.stream)?;
            let sent = self.context.send_publish(self.target.subject.clone(), message);
            let sent = self.runtime.block_on(sent);
            let sent = sent.map_err(|error| not_published(&self.target, entry, error))?;
            after.sequence += 1;
            after.message_id = Some(Position::of(entry).message_id());
            self.pending.push((after.sequence, sent));
        }
        self.after = Some(after);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let flushed = self.runtime.block_on(acknowledged(pending, &self.target));
        if flushed.is_err() {
            self.after = None;
        }
        flushed
    }
}

/// The stream's last sequence, and where its last message of the subject stands. In this order: a
/// message that comes in between makes the next one that is sent rejected, never repeated.
async fn last(stream: &Stream, target: &NatsTarget) -> Result<(u64, LastPosition)> {
    let unreachable = |error: async_nats::Error| Error::unreachable(target.to_string(), error);
    let info = stream.get_info().await.map_err(|error| unreachable(error.into()))?;
    let sequence = info.state.last_sequence;
    let message = match stream.get_last_raw_message_by_subject(&target.subject).await {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
            let last = if sequence == 0 { LastPosition::Empty } else { LastPosition::Unknown };
            return Ok((sequence, last));
        }
        Err(error) => return Err(unreachable(error.into())),
    };
    let header = |name: &str| message.headers.get(name).map(ToString::to_string);
    let position = Position::from_headers(header).ok_or_else(|| {
        Error::refused(target.to_string(), "its last message is no entry of a changelog")
    })?;
    Ok((sequence, LastPosition::At(position)))
}

/// The message of an entry, which must follow what is there.
fn message(entry: &ChangelogEntry, after: &After, stream: &str) -> Result<PublishMessage> {
    let position = Position::of(entry);
    let mut message = PublishMessage::build()
        .payload(json::entry_line(entry)?.into())
        .message_id(position.message_id())
        .expected_stream(stream)
        .expected_last_sequence(after.sequence);
    if let Some(id) = &after.message_id {
        message = message.expected_last_message_id(id);
    }
    let headers = position.headers();
    Ok(headers.into_iter().fold(message, |message, (name, value)| message.header(name, value)))
}

fn not_published(target: &NatsTarget, entry: &ChangelogEntry, error: PublishError) -> Error {
    if error.kind() == PublishErrorKind::MaxPayloadExceeded {
        let what = format!(
            "entry {}/{} is larger than a message may be ({error}): raise the server's max_payload",
            entry.seq, entry.index
        );
        return Error::refused(target.to_string(), what);
    }
    Error::unreachable(target.to_string(), error)
}

/// Waits until all is in the stream, each at its place.
async fn acknowledged(pending: Vec<(u64, PublishAckFuture)>, target: &NatsTarget) -> Result<()> {
    let elsewhere = "something else was written to the stream meanwhile";
    for (sequence, sent) in pending {
        match sent.await {
            // A duplicate that the server knows stands where it should as well.
            Ok(ack) if ack.sequence == sequence => {}
            Ok(_) => return Err(Error::unreachable(target.to_string(), elsewhere)),
            Err(error) if is_elsewhere(&error) => {
                return Err(Error::unreachable(target.to_string(), elsewhere));
            }
            Err(error) => return Err(Error::unreachable(target.to_string(), error)),
        }
    }
    Ok(())
}

fn is_elsewhere(error: &PublishError) -> bool {
    let kind = error.kind();
    kind == PublishErrorKind::WrongLastSequence || kind == PublishErrorKind::WrongLastMessageId
}
