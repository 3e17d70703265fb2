//! The text form of faults: one per line, `fault AT TARGET EFFECT [ARGUMENTS] [PATH]`.
//!
//! Reading back what was written gives the same value; paths come last because they may hold
//! spaces, and must be UTF-8 without line breaks.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::fault::{Effect, Fault, FaultKind, FaultPlan, Target};

/// A text that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    what: &'static str,
    text: String,
}

impl ParseError {
    pub(super) fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.to_owned() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {}: `{}`", self.what, self.text)
    }
}

impl std::error::Error for ParseError {}

const TARGETS: [&str; Target::ALL.len()] = [
    "any",
    "open",
    "exists",
    "rename",
    "remove",
    "list",
    "sync-dir",
    "free-space",
    "read",
    "write",
    "len",
    "set-len",
    "allocate",
    "sync",
    "lock",
    "entropy",
];

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(TARGETS[*self as usize])
    }
}

impl FromStr for Target {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = Self::ALL.into_iter().find(|&target| TARGETS[target as usize] == text);
        found.ok_or_else(|| ParseError::new("a kind of operation", text))
    }
}

const KINDS: [&str; FaultKind::ALL.len()] = [
    "eio",
    "eio-forever",
    "sync-keep",
    "sync-revert",
    "short",
    "interrupted",
    "space-out",
    "space-back",
    "rot",
    "lost",
    "misdirected",
    "stale",
    "clock-stop",
    "clock-run",
    "clock-step",
    "no-space",
    "lock-refused",
    "kill",
    "power-cut",
    "garbage",
    "kill-then-cut",
    "edit",
];

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(KINDS[*self as usize])
    }
}

impl FromStr for FaultKind {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = Self::ALL.into_iter().find(|&kind| KINDS[kind as usize] == text);
        found.ok_or_else(|| ParseError::new("a kind of fault", text))
    }
}

fn evict_suffix(evict: bool) -> &'static str {
    if evict { "-evict" } else { "" }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eio => f.write_str("eio"),
            Self::EioForever => f.write_str("eio-forever"),
            Self::EioKeep { seed: 0 } => f.write_str("eio-keep"),
            Self::EioKeep { seed } => write!(f, "eio-keep {seed}"),
            Self::EioRevert { seed: 0 } => f.write_str("eio-revert"),
            Self::EioRevert { seed } => write!(f, "eio-revert {seed}"),
            Self::Short(bytes) => write!(f, "short {bytes}"),
            Self::Interrupted => f.write_str("eintr"),
            Self::Free(Some(sectors)) => write!(f, "free {sectors}"),
            Self::Free(None) => f.write_str("free all"),
            Self::Rot { path, offset, mask } => {
                write!(f, "rot {offset} {mask:02x} {}", path.display())
            }
            Self::Lost { evict } => write!(f, "lost{}", evict_suffix(*evict)),
            Self::Misdirected { offset, path, evict } => {
                write!(f, "misdirect{} {offset}", evict_suffix(*evict))?;
                path.as_ref().map_or(Ok(()), |path| write!(f, " {}", path.display()))
            }
            Self::Stale { age } => write!(f, "stale {age}"),
            Self::ClockStop => f.write_str("clock stop"),
            Self::ClockRun => f.write_str("clock run"),
            Self::ClockStep(nanos) => write!(f, "clock step {nanos}"),
        }
    }
}

/// Takes the first word off `text`.
fn word<'a>(text: &mut &'a str) -> &'a str {
    let (head, tail) = text.split_once(' ').unwrap_or((text, ""));
    *text = tail;
    head
}

fn number<T: FromStr>(text: &mut &str) -> Option<T> {
    word(text).parse().ok()
}

fn seed(text: &mut &str) -> Option<u64> {
    if text.is_empty() { Some(0) } else { number(text) }
}

/// All that is left, as a path.
fn path(text: &mut &str) -> Option<Arc<Path>> {
    let path = std::mem::take(text);
    (!path.is_empty()).then(|| Arc::from(Path::new(path)))
}

fn parse_effect(text: &mut &str) -> Option<Effect> {
    let name = word(text);
    Some(match name {
        "eio" => Effect::Eio,
        "eio-forever" => Effect::EioForever,
        "eio-keep" => Effect::EioKeep { seed: seed(text)? },
        "eio-revert" => Effect::EioRevert { seed: seed(text)? },
        "short" => Effect::Short(number(text)?),
        "eintr" => Effect::Interrupted,
        "free" if *text == "all" => {
            *text = "";
            Effect::Free(None)
        }
        "free" => Effect::Free(Some(number(text)?)),
        "rot" => {
            let offset = number(text)?;
            let mask = u8::from_str_radix(word(text), 16).ok()?;
            Effect::Rot { offset, mask, path: path(text)? }
        }
        "lost" | "lost-evict" => Effect::Lost { evict: name == "lost-evict" },
        "misdirect" | "misdirect-evict" => {
            let (offset, evict) = (number(text)?, name == "misdirect-evict");
            Effect::Misdirected { offset, path: path(text), evict }
        }
        "stale" => Effect::Stale { age: number(text)? },
        "clock" => match word(text) {
            "stop" => Effect::ClockStop,
            "run" => Effect::ClockRun,
            "step" => Effect::ClockStep(number(text)?),
            _ => return None,
        },
        _ => return None,
    })
}

impl FromStr for Effect {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut rest = text;
        parse_effect(&mut rest)
            .filter(|_| rest.is_empty())
            .ok_or_else(|| ParseError::new("an effect", text))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {} {} {}", self.at, self.on, self.effect)
    }
}

impl FromStr for Fault {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut rest = text;
        if word(&mut rest) != "fault" {
            return Err(ParseError::new("a fault", text));
        }
        let at = number(&mut rest).ok_or_else(|| ParseError::new("a fault", text))?;
        let on: Target = word(&mut rest).parse()?;
        let effect: Effect = rest.parse()?;
        let applies = on == Target::Any || effect.applies_to(on);
        applies.then_some(Self { at, on, effect }).ok_or_else(|| {
            ParseError::new("a fault, since the effect does not apply to the operation", text)
        })
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| writeln!(f, "{fault}"))
    }
}

impl FromStr for FaultPlan {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each effect; the match makes forgetting a new one a compile error.
    fn every_effect() -> Vec<Effect> {
        let path: Arc<Path> = Arc::from(Path::new("/a dir/b"));
        let effects = vec![
            Effect::Eio,
            Effect::EioForever,
            Effect::EioKeep { seed: 0 },
            Effect::EioKeep { seed: 7 },
            Effect::EioRevert { seed: 0 },
            Effect::EioRevert { seed: u64::MAX },
            Effect::Short(1),
            Effect::Interrupted,
            Effect::Free(Some(0)),
            Effect::Free(None),
            Effect::Rot { path: Arc::clone(&path), offset: 4097, mask: 0x80 },
            Effect::Lost { evict: false },
            Effect::Lost { evict: true },
            Effect::Misdirected { offset: 512, path: None, evict: true },
            Effect::Misdirected { offset: 512, path: Some(path), evict: false },
            Effect::Stale { age: 2 },
            Effect::ClockStop,
            Effect::ClockRun,
            Effect::ClockStep(-5),
        ];
        let drawn = FaultKind::ALL.into_iter().filter(|kind| kind.is_drawn());
        for kind in drawn {
            assert!(effects.iter().any(|effect| effect.kind() == kind), "{kind} is missing");
        }
        effects
    }

    #[test]
    fn every_effect_reads_back() {
        for effect in every_effect() {
            for on in Target::ALL {
                let fault = Fault { at: 12, on, effect: effect.clone() };
                let applies = on == Target::Any || effect.applies_to(on);
                assert_eq!(fault.to_string().parse() == Ok(fault), applies);
            }
        }
    }

    #[test]
    fn names_read_back() {
        for target in Target::ALL {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        for kind in FaultKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "fault",
            "fault 1",
            "fault 1 sync",
            "fault x sync eio",
            "fault 1 sync eio 3",
            "fault 1 read eio-keep",
            "fault 1 write short",
            "fault 1 write short 1 2",
            "fault 1 any rot 3 zz /p",
            "fault 1 any rot 3 01",
            "fault 1 any clock back",
            "fault 1 nothing eio",
            "boom 1 any eio",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
