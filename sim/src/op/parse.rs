//! The text form of plans: reading.

use std::fmt;
use std::str::FromStr;

use hexxladb::PruneProfile;
use hexxladb::vfs::sim::{CrashChoice, Fault};

use super::{
    Act, Before, ClockMove, Crash, CrashKind, Damage, Edit, End, Files, Key, Op, Open, Plan, Pos,
    Setup, Survivors, Value, Wrong,
};
use crate::op::changelog::{changelog, spot};
use crate::op::parse_record::read;

/// A line that is not an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    line: usize,
    what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for ParseError {}

pub(super) type Parsed<T> = Result<T, ParseError>;

pub(super) fn fail<T>(what: impl Into<String>) -> Parsed<T> {
    Err(ParseError { line: 0, what: what.into() })
}

/// The words of a line, taken one by one.
pub(super) struct Words<'a> {
    line: &'a str,
    rest: std::str::SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { line, rest: line.split_whitespace() }
    }

    pub(super) fn maybe(&mut self) -> Option<&'a str> {
        self.rest.next()
    }

    pub(super) fn word(&mut self) -> Parsed<&'a str> {
        self.maybe().map_or_else(|| fail(format!("`{}` ends too early", self.line)), Ok)
    }

    pub(super) fn value<T: FromStr>(&mut self) -> Parsed<T> {
        let word = self.word()?;
        word.parse().or_else(|_| fail(format!("`{word}` in `{}` is not understood", self.line)))
    }

    pub(super) fn end<T>(mut self, value: T) -> Parsed<T> {
        match self.maybe() {
            None => Ok(value),
            Some(word) => fail(format!("`{word}` is too much in `{}`", self.line)),
        }
    }

    pub(super) fn unknown<T>(&self, word: &str) -> Parsed<T> {
        fail(format!("`{word}` in `{}` is unknown", self.line))
    }
}

impl FromStr for Key {
    type Err = ParseError;

    fn from_str(text: &str) -> Parsed<Self> {
        if text == "-" {
            return Ok(Self::default());
        }
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            match first {
                '%' => {
                    let digits = rest.get(1..3).unwrap_or_default();
                    let Ok(byte) = u8::from_str_radix(digits, 16) else {
                        return fail(format!("key `{text}`: two hexadecimal digits follow a %"));
                    };
                    bytes.push(byte);
                    rest = &rest[3..];
                }
                '{' => {
                    let count = rest[1..].split_once('}').and_then(|(n, _)| n.parse().ok());
                    let (Some(count), Some(byte)) = (count, bytes.pop()) else {
                        return fail(format!("key `{text}`: a byte and {{count}}"));
                    };
                    if count > 1 << 17 {
                        return fail(format!("key `{text}` is too long"));
                    }
                    bytes.extend(std::iter::repeat_n::<u8>(byte, count));
                    rest = rest[1..].split_once('}').map_or("", |(_, after)| after);
                }
                c if c.is_ascii_alphanumeric() || c == '_' => {
                    bytes.push(c as u8);
                    rest = &rest[1..];
                }
                other => return fail(format!("key `{text}`: write {other:?} as %hh")),
            }
        }
        Ok(Self(bytes))
    }
}

impl FromStr for Value {
    type Err = ParseError;

    fn from_str(text: &str) -> Parsed<Self> {
        let parts = text.split_once('x').and_then(|(seed, len)| {
            Some(Self { seed: seed.parse().ok()?, len: len.parse().ok()? })
        });
        match parts {
            Some(value) if value.len <= 64 << 20 => Ok(value),
            _ => fail(format!("value `{text}` is not SEEDxLENGTH")),
        }
    }
}

impl FromStr for Pos {
    type Err = ParseError;

    fn from_str(text: &str) -> Parsed<Self> {
        let parts = text
            .split_once(',')
            .and_then(|(q, r)| Some((q.parse::<i32>().ok()?, r.parse::<i32>().ok()?)));
        match parts {
            Some((q, r)) if q.abs() <= Self::LIMIT && r.abs() <= Self::LIMIT => Ok(Self { q, r }),
            _ => fail(format!("coordinate `{text}` is not Q,R within {}", Self::LIMIT)),
        }
    }
}

/// `name=value`, with the value parsed.
pub(super) fn setting<T: FromStr>(word: &str, value: &str) -> Parsed<T> {
    value.parse().or_else(|_| fail(format!("`{word}` is not understood")))
}

fn choice<T>(word: &str, value: &str, yes: (&str, T), no: (&str, T)) -> Parsed<T> {
    match value {
        v if v == yes.0 => Ok(yes.1),
        v if v == no.0 => Ok(no.1),
        _ => fail(format!("`{word}`: {} or {}", yes.0, no.0)),
    }
}

fn open(mut words: Words<'_>) -> Parsed<Open> {
    let mut open = Open::default();
    while let Some(word) = words.maybe() {
        match word.split_once('=') {
            None if word == "read_only" => open.read_only = true,
            Some(("durability", value)) => {
                open.buffered = Some(choice(word, value, ("buffered", true), ("sync", false))?);
            }
            Some(("cache", value)) => open.cache_bytes = Some(setting(word, value)?),
            Some(("checkpoint", value)) => open.checkpoint_bytes = Some(setting(word, value)?),
            Some(("keep", value)) => open.keep_commits = Some(setting(word, value)?),
            Some(("keep_nanos", value)) => open.keep_nanos = Some(setting(word, value)?),
            Some(("changelog", value)) => open.changelog = Some(changelog(word, value)?),
            _ => return words.unknown(word),
        }
    }
    Ok(open)
}

fn crash(mut words: Words<'_>) -> Parsed<Crash> {
    let kind = match words.word()? {
        "kill" => CrashKind::Kill,
        "cut" => CrashKind::Cut,
        "hostile" => CrashKind::Hostile,
        other => return words.unknown(other),
    };
    let mut crash = Crash { kind, at: None, survivors: Survivors::Random };
    while let Some(word) = words.maybe() {
        match word {
            "at" => crash.at = Some(words.value()?),
            "keep" => {
                let kept = words.line.split_once(" keep ").map_or("-", |(_, kept)| kept.trim());
                let Ok(choice) = kept.parse::<CrashChoice>() else {
                    return fail(format!("`{kept}` names no survivors"));
                };
                crash.survivors = Survivors::These(choice);
                return Ok(crash);
            }
            other => return words.unknown(other),
        }
    }
    Ok(crash)
}

fn damage(mut words: Words<'_>) -> Parsed<Damage> {
    let damage = match words.word()? {
        "cut_log" => Damage::CutLog(words.value()?),
        "zero_log" => Damage::ZeroLog { from: words.value()?, to: words.value()? },
        "repeat_log" => {
            Damage::RepeatLog { from: words.value()?, to: words.value()?, at: words.value()? }
        }
        "remove_log" => Damage::RemoveLog,
        "empty_primary" => Damage::EmptyPrimary,
        "rot_primary" => Damage::RotPrimary { offset: words.value()?, mask: words.value()? },
        "rot_log" => Damage::RotLog { offset: words.value()?, mask: words.value()? },
        "remove_changelog" => Damage::RemoveChangelog,
        "remove_segment" => Damage::RemoveSegment(words.value()?),
        "cut_segment" => Damage::CutSegment(words.value()?, words.value()?),
        "rot_segment" => Damage::RotSegment {
            file: words.value()?,
            offset: words.value()?,
            mask: words.value()?,
        },
        "foreign_changelog" => Damage::ForeignChangelog,
        other => return words.unknown(other),
    };
    words.end(damage)
}

fn update(line: &str) -> Parsed<Op> {
    let (head, edits) = line.split_once(':').unwrap_or((line, ""));
    let mut words = Words::new(head);
    words.word()?;
    let end = match words.word()? {
        "ok" => End::Ok,
        "fail" => End::Fail,
        "panic" => End::Panic,
        other => return words.unknown(other),
    };
    words.end(())?;
    let edits = edits.split(';').map(str::trim).filter(|edit| !edit.is_empty());
    Ok(Op::Update(end, edits.map(Edit::from_str).collect::<Parsed<_>>()?))
}

fn act(words: &mut Words<'_>) -> Parsed<Act> {
    match words.word()? {
        "register" => Ok(Act::Register),
        "advance" => Ok(Act::Advance(words.value()?)),
        "hold" => Ok(Act::Hold(true)),
        "release" => Ok(Act::Hold(false)),
        "remove" => Ok(Act::Remove),
        other => fail(format!("`{other}` is nothing to be done to a consumer")),
    }
}

fn prune_by(words: &mut Words<'_>) -> Parsed<Op> {
    let profile = match words.word()? {
        "low_latency" => PruneProfile::LowLatency,
        "balanced" => PruneProfile::Balanced,
        "long_history" => PruneProfile::LongHistory,
        other => return words.unknown(other),
    };
    let tick = match words.maybe() {
        None => false,
        Some("tick") => true,
        Some(other) => return words.unknown(other),
    };
    Ok(Op::PruneBy(profile, tick))
}

impl FromStr for Op {
    type Err = ParseError;

    fn from_str(line: &str) -> Parsed<Self> {
        let mut words = Words::new(line);
        let op = match words.word()? {
            "open" => return Ok(Self::Open(open(words)?)),
            "read" => return Ok(Self::Read(read(words)?)),
            "crash" => return Ok(Self::Crash(crash(words)?)),
            "damage" => return Ok(Self::Damage(damage(words)?)),
            "update" => return update(line),
            "fault" => {
                return Fault::from_str(line).map_or_else(
                    |_| fail(format!("`{line}` is no fault")),
                    |f| Ok(Self::Fault(f)),
                );
            }
            "open_wrong" => Self::OpenWrong(match words.word()? {
                "mvcc" => Wrong::Mvcc,
                "page_size" => Wrong::PageSize,
                other => return words.unknown(other),
            }),
            "second_open" => Self::SecondOpen {
                read_only: match words.maybe() {
                    None => false,
                    Some("read_only") => true,
                    Some(other) => return words.unknown(other),
                },
            },
            "close" => Self::Close,
            "drop" => Self::Drop,
            "sync" => Self::Sync,
            "checkpoint" => Self::Checkpoint,
            "check" => Self::Check,
            "begin" => Self::Begin,
            "commit" => Self::Commit,
            "pipeline" => Self::Pipeline(words.value()?),
            "wait" => Self::Wait(words.value()?),
            "forget" => Self::Forget(words.value()?),
            "rollback" => Self::Rollback,
            "abandon" => Self::Abandon,
            "put_cells" => Self::PutCells {
                from: words.value()?,
                count: words.value()?,
                batch: words.value()?,
                value: words.value()?,
            },
            "snap" => {
                let slot = words.value()?;
                let seq = words.maybe().map(|seq| setting("snap", seq)).transpose()?;
                Self::Snap(slot, seq)
            }
            "read_snap" => Self::ReadSnap(words.value()?),
            "drop_snap" => Self::DropSnap(words.value()?),
            "tag" => {
                let name = words.value()?;
                let seq = words.maybe().map(|seq| setting("tag", seq)).transpose()?;
                Self::Tag(name, seq)
            }
            "untag" => Self::Untag(words.value()?),
            "prune" => Self::Prune(Before::Seq(words.value()?), words.value()?),
            "prune_time" => Self::Prune(Before::Time(words.value()?), words.value()?),
            "prune_by" => prune_by(&mut words)?,
            "diff" => Self::HoldDiff(words.value()?, words.value()?, words.value()?),
            "read_diff" => Self::ReadDiff(words.value()?, words.value()?),
            "drop_diff" => Self::DropDiff(words.value()?),
            "follow" => Self::HoldFollow(words.value()?, spot(&mut words)?),
            "read_follow" => Self::ReadFollow(words.value()?, words.value()?),
            "drop_follow" => Self::DropFollow(words.value()?),
            "consumer" => Self::Consumer(words.value()?, act(&mut words)?),
            "replicate" => {
                Self::Replicate(words.maybe().map(|at| setting("replicate", at)).transpose()?)
            }
            "lose_changelog" => Self::LoseChangelog,
            "clock" => Self::Clock(match words.word()? {
                "step" => ClockMove::Step(words.value()?),
                "stop" => ClockMove::Stop,
                "run" => ClockMove::Run,
                other => return words.unknown(other),
            }),
            "heal" => Self::Heal,
            "free" => Self::Free(match words.word()? {
                "all" => None,
                sectors => Some(setting("free", sectors)?),
            }),
            "stash" => Self::Stash(words.value()?),
            "restore" => Self::Restore(words.value()?, {
                let word = words.word()?;
                match Files::ALL.iter().find(|(_, name)| *name == word) {
                    Some((files, _)) => *files,
                    None => return words.unknown(word),
                }
            }),
            _ => return Ok(Self::Do(line.parse()?)),
        };
        words.end(op)
    }
}

impl FromStr for Setup {
    type Err = ParseError;

    fn from_str(line: &str) -> Parsed<Self> {
        let mut words = Words::new(line);
        if words.word()? != "setup" {
            return fail("a plan starts with `setup …`");
        }
        let mut setup = Self::default();
        while let Some(word) = words.maybe() {
            match word.split_once('=') {
                Some(("page", value)) => setup.page_bytes = setting(word, value)?,
                Some(("segment", value)) => setup.segment_bytes = setting(word, value)?,
                Some(("cache", value)) => setup.cache_bytes = setting(word, value)?,
                Some(("checkpoint", value)) => setup.checkpoint_bytes = setting(word, value)?,
                Some(("max_value", value)) => setup.max_value_bytes = setting(word, value)?,
                Some(("mvcc", value)) => {
                    setup.mvcc = choice(word, value, ("yes", true), ("no", false))?;
                }
                Some(("durability", value)) => {
                    setup.buffered = choice(word, value, ("buffered", true), ("sync", false))?;
                }
                Some(("sector", value)) => setup.sector_bytes = setting(word, value)?,
                Some(("seed", value)) => setup.disk_seed = setting(word, value)?,
                Some(("cut", value)) => {
                    setup.cut = choice(word, value, ("yes", true), ("no", false))?;
                }
                Some(("changelog", value)) => setup.changelog = changelog(word, value)?,
                Some(("changelog_segment", value)) => {
                    setup.changelog_bytes = setting(word, value)?;
                }
                _ => return words.unknown(word),
            }
        }
        Ok(setup)
    }
}

impl FromStr for Plan {
    type Err = ParseError;

    fn from_str(text: &str) -> Parsed<Self> {
        let mut plan = Self::default();
        let mut setup = None;
        for (number, line) in text.lines().enumerate() {
            let at = |error: ParseError| ParseError { line: number + 1, ..error };
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                if setup.is_none() {
                    plan.comment.push(comment.trim().to_owned());
                }
            } else if line.is_empty() {
            } else if setup.is_none() {
                setup = Some(Setup::from_str(line).map_err(at)?);
            } else {
                plan.ops.push(Op::from_str(line).map_err(at)?);
            }
        }
        plan.setup = setup.map_or_else(|| fail("a plan starts with `setup …`"), Ok)?;
        Ok(plan)
    }
}
