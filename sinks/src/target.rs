//! Targets by name: `-`, `PATH`, `nats://HOST/STREAM`, `kafka://HOST/TOPIC`.
//!
//! What is shown of a target has no password in it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::file::JsonFile;
use crate::jsonl::JsonLines;
use crate::sink::Sink;

/// Where a changelog may be sent. Read from text and shown as such:
///
/// ```
/// use hexxladb_sinks::Target;
/// let target: Target = "nats://ada:secret@localhost:4222/CHANGES?subject=memory.changes".parse()?;
/// assert_eq!(target.to_string(), "nats://localhost:4222/CHANGES?subject=memory.changes");
/// let target: Target = "kafka://a:9092,b:9092/changes?partition=3".parse()?;
/// assert_eq!(target.to_string(), "kafka://a:9092,b:9092/changes?partition=3");
/// # Ok::<(), hexxladb_sinks::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// `-`: standard output.
    Stdout,
    /// `PATH` or `file:PATH`: a file.
    File(PathBuf),
    /// `nats://HOST[:PORT],…/STREAM[?subject=SUBJECT]`, or `tls://` for a connection that must be
    /// encrypted; `USER:PASSWORD@` or `TOKEN@` before the hosts.
    Nats(NatsTarget),
    /// `kafka://HOST[:PORT],…/TOPIC[?partition=N]`.
    Kafka(KafkaTarget),
}

/// A stream of NATS JetStream.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsTarget {
    scheme: &'static str,
    login: Option<String>,
    hosts: Vec<String>,
    /// The stream, which is made where there is none.
    pub stream: String,
    /// The subject that entries are published to (default `hexxladb.STREAM`).
    pub subject: String,
}

/// A partition of a Kafka topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaTarget {
    hosts: Vec<String>,
    /// The topic.
    pub topic: String,
    /// The one partition that takes all entries, so that they keep their order (default 0).
    pub partition: i32,
}

impl NatsTarget {
    /// The servers, as URLs with whatever logs in.
    pub fn servers(&self) -> Vec<String> {
        let login = self.login.as_ref().map_or_else(String::new, |login| format!("{login}@"));
        self.hosts.iter().map(|host| format!("{}://{login}{host}", self.scheme)).collect()
    }
}

impl KafkaTarget {
    /// The brokers to ask first, as librdkafka takes them.
    pub fn brokers(&self) -> String {
        self.hosts.join(",")
    }
}

impl fmt::Display for NatsTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, hosts, stream, subject, .. } = self;
        write!(f, "{scheme}://{}/{stream}?subject={subject}", hosts.join(","))
    }
}

impl fmt::Debug for NatsTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for KafkaTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka://{}/{}?partition={}", self.brokers(), self.topic, self.partition)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Nats(target) => target.fmt(f),
            Self::Kafka(target) => target.fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        if let Some(path) = text.strip_prefix("file:") {
            return Ok(Self::File(path.into()));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::File(text.into()));
        };
        match scheme {
            "nats" => nats("nats", &Parts::of(rest)?),
            "tls" => nats("tls", &Parts::of(rest)?),
            "kafka" => kafka(&Parts::of(rest)?),
            other => {
                Err(url(format!("{other}:// is no target: -, a path, nats://, tls:// or kafka://")))
            }
        }
    }
}

fn nats(scheme: &'static str, parts: &Parts<'_>) -> Result<Target> {
    let stream = parts.name.to_owned();
    if stream.is_empty() || stream.contains(|c: char| c.is_whitespace() || ".*>/\\".contains(c)) {
        return Err(url("name a stream after the host: nats://localhost:4222/CHANGES"));
    }
    let subject = parts.parameter("subject")?;
    let subject = subject.map_or_else(|| format!("hexxladb.{stream}"), str::to_owned);
    if subject.is_empty() || subject.contains(|c: char| c.is_whitespace() || "*>".contains(c)) {
        return Err(url("subject= takes one subject, without spaces and wildcards"));
    }
    let login = parts.login.map(str::to_owned);
    Ok(Target::Nats(NatsTarget { scheme, login, hosts: parts.hosts(), stream, subject }))
}

fn kafka(parts: &Parts<'_>) -> Result<Target> {
    let topic = parts.name.to_owned();
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if topic.is_empty() || !topic.chars().all(fine) {
        return Err(url("name a topic after the host: kafka://localhost:9092/changes"));
    }
    if parts.login.is_some() {
        return Err(url("kafka:// takes no login: open the sink with a configuration of your own"));
    }
    let partition = parts.parameter("partition")?.map_or(Ok(0), str::parse);
    match partition {
        Ok(partition @ 0..) => {
            Ok(Target::Kafka(KafkaTarget { hosts: parts.hosts(), topic, partition }))
        }
        _ => Err(url("partition= takes a number from 0")),
    }
}

fn url(what: impl Into<String>) -> Error {
    Error::Url { what: what.into() }
}

/// `[LOGIN@]HOSTS/NAME[?KEY=VALUE]`, taken apart.
struct Parts<'a> {
    login: Option<&'a str>,
    hosts: &'a str,
    name: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Result<Self> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        if hosts.split(',').any(|host| host.trim().is_empty()) {
            return Err(url("name a host: nats://localhost:4222/CHANGES"));
        }
        let (name, query) = match path.split_once('?') {
            Some((name, query)) => (name, Some(query)),
            None => (path, None),
        };
        Ok(Self { login, hosts, name, query })
    }

    fn hosts(&self) -> Vec<String> {
        self.hosts.split(',').map(str::to_owned).collect()
    }

    /// The value of the only parameter that a target takes.
    fn parameter(&self, known: &str) -> Result<Option<&'a str>> {
        let Some(query) = self.query else { return Ok(None) };
        match query.split_once('=') {
            Some((key, value)) if key == known && !value.contains('&') => Ok(Some(value)),
            _ => Err(url(format!("unknown parameter {query:?}: {known}=… is the only one"))),
        }
    }
}

/// Opens a target. Standard output is at least once; the others resume after what they hold.
///
/// # Errors
/// What the target says; [`Error::Url`] for one whose feature this build lacks.
pub fn open(target: &Target) -> Result<Box<dyn Sink>> {
    Ok(match target {
        Target::Stdout => Box::new(JsonLines::new(std::io::stdout(), "standard output")),
        Target::File(path) => Box::new(JsonFile::open(path)?),
        #[cfg(feature = "nats")]
        Target::Nats(target) => Box::new(crate::nats::NatsSink::open(target)?),
        #[cfg(feature = "kafka")]
        Target::Kafka(target) => Box::new(crate::kafka::KafkaSink::open(target)?),
        #[cfg(not(feature = "nats"))]
        Target::Nats(_) => return Err(url("this build lacks the feature `nats`")),
        #[cfg(not(feature = "kafka"))]
        Target::Kafka(_) => return Err(url("this build lacks the feature `kafka`")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> String {
        match text.parse::<Target>() {
            Ok(target) => format!("{target:?}"),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn targets_by_name() {
        assert_eq!(parse("-"), "Stdout");
        assert_eq!(parse("a/b.jsonl"), "File(\"a/b.jsonl\")");
        assert_eq!(parse("file:-"), "File(\"-\")");
        assert_eq!(parse("nats://h/S"), "Nats(nats://h/S?subject=hexxladb.S)");
        let Ok(Target::Nats(target)) = "tls://u:p@q@a,b:1/S?subject=x.y".parse() else {
            panic!("a target")
        };
        assert_eq!(target.servers(), ["tls://u:p@q@a", "tls://u:p@q@b:1"]);
        assert_eq!(format!("{target:?}"), "tls://a,b:1/S?subject=x.y");
        let Ok(Target::Kafka(target)) = "kafka://a:1,b/t-1?partition=2".parse() else {
            panic!("a target")
        };
        assert_eq!((target.brokers().as_str(), target.partition), ("a:1,b", 2));
    }

    #[test]
    fn what_names_no_target_is_refused() {
        for (text, what) in [
            ("http://h/S", "http:// is no target"),
            ("nats:///S", "name a host"),
            ("nats://a,,b/S", "name a host"),
            ("nats://h", "name a stream"),
            ("nats://h/a.b", "name a stream"),
            ("nats://h/S?subject=a.>", "without spaces and wildcards"),
            ("nats://h/S?subjects=a", "unknown parameter \"subjects=a\""),
            ("nats://h/S?subject=a&b=c", "unknown parameter"),
            ("kafka://h/", "name a topic"),
            ("kafka://u:p@h/t", "no login"),
            ("kafka://h/t?partition=-1", "a number from 0"),
        ] {
            let found = parse(text);
            assert!(found.starts_with("error: ") && found.contains(what), "{text}: {found}");
        }
    }
}
