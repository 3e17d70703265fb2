//! `--keep-commits` and `--keep-duration`: a retention policy given on the command line.

use std::path::Path;
use std::time::Duration;

use hexxladb::{Db, Options, Retention};

use crate::failure::Failure;
use crate::keeping::Keeping;
use crate::text;

/// What to keep of the past; with both, whatever keeps more decides.
#[derive(Debug, clap::Args)]
pub(crate) struct Policy {
    /// Keep the states of the last so many commits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_commits: Option<u64>,
    /// Keep every state of this long: 90s, 30m, 12h, 7d, 4w
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    keep_duration: Option<Duration>,
}

impl Policy {
    pub(crate) fn retention(&self) -> Option<Retention> {
        match (self.keep_commits, self.keep_duration) {
            (Some(commits), Some(duration)) => Some(Retention::both(commits, duration)),
            (Some(commits), None) => Some(Retention::Commits(commits)),
            (None, Some(duration)) => Some(Retention::Duration(duration)),
            (None, None) => None,
        }
    }

    /// Opens a database that must be there, under this policy.
    pub(crate) fn open(&self, path: &Path, read_only: bool) -> Result<Db, Failure> {
        let mut options = Options::new().create_if_missing(false).read_only(read_only);
        if let Some(retention) = self.retention() {
            options = options.retention(retention);
        }
        Keeping::default().open(path, options)
    }
}

const UNITS: [(&str, u64); 5] =
    [("s", 1), ("m", 60), ("h", 3600), ("d", 24 * 3600), ("w", 7 * 24 * 3600)];

pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let read = UNITS.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*seconds).filter(|seconds| *seconds > 0)
    });
    read.map(Duration::from_secs).ok_or_else(|| {
        format!("{text:?} is not a duration; write a number and a unit: 90s, 30m, 12h, 7d, 4w")
    })
}

/// A size: a number, or one of KiB, MiB or GiB.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [("K", 10), ("M", 20), ("G", 30), ("", 0)];
    let read = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(1 << shift)
    });
    read.ok_or_else(|| {
        format!("{text:?} is not a size; write bytes, or a number and a unit: 500000, 64K, 10M, 2G")
    })
}

/// A policy for people.
pub(crate) fn show(retention: Option<Retention>) -> String {
    let commits = |commits| format!("the last {}", text::counted(commits, "commit"));
    let since = |duration| format!("everything of the last {}", show_duration(duration));
    match retention {
        Some(Retention::Commits(count)) => commits(count),
        Some(Retention::Duration(duration)) => since(duration),
        Some(Retention::Both { commits: count, duration }) => {
            format!("{} and {}", commits(count), since(duration))
        }
        _ => "none".to_owned(),
    }
}

/// In the largest unit that fits.
fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let fits = |(_, unit): &&(&str, u64)| seconds.is_multiple_of(*unit);
    match UNITS.iter().rev().find(fits) {
        Some((name, unit)) if duration.subsec_nanos() == 0 => format!("{}{name}", seconds / unit),
        _ => format!("{duration:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("12h", 43_200), ("1w", 604_800)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "99999999999999999999w"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
        for (text, bytes) in [("0", 0), ("500000", 500_000), ("64K", 65_536), ("2G", 1 << 31)] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "-1", "1.5G", "1T", "99999999999999G"] {
            assert!(parse_bytes(text).is_err(), "{text:?}");
        }
        assert_eq!(show_duration(Duration::from_hours(7 * 24)), "1w");
        assert_eq!(show_duration(Duration::from_secs(3601)), "3601s");
        assert_eq!(show_duration(Duration::from_mins(90)), "90m");
    }
}
