//! `--at SEQ|COMMIT|TAG|TIME` of the git commands: which state to read.

use hexxladb::{Db, Snapshot};

use crate::failure::Failure;
use crate::git::layout::{COMMIT_PREFIX, Format, altered};
use crate::time;

/// Fewest digits of a commit id that are taken for one.
const MIN_ID_DIGITS: usize = 4;

/// The state to read; the newest unless told.
#[derive(Debug, clap::Args)]
pub(crate) struct At {
    /// Read the state as of a commit sequence, a git commit id (or its start, from 4 digits on),
    /// a tag, or a time (RFC 3339, a date, or @SECONDS)
    #[arg(long, value_name = "SEQ|COMMIT|TAG|TIME", allow_hyphen_values = true)]
    at: Option<String>,
}

/// What the text can be, decided by its form alone.
#[derive(Debug, PartialEq, Eq)]
struct Reading<'a> {
    seq: Option<u64>,
    /// The start of a commit id, in small letters.
    commit: Option<String>,
    /// Anything that is not all digits.
    time: Option<&'a str>,
}

fn read(text: &str) -> Reading<'_> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let hex = (MIN_ID_DIGITS..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    Reading {
        seq: all_digits.then(|| text.parse().unwrap_or(u64::MAX)),
        commit: hex.then(|| text.to_ascii_lowercase()),
        time: (!all_digits).then_some(text),
    }
}

impl At {
    /// A snapshot of that state of a git history.
    pub(crate) fn snapshot(&self, db: &Db) -> Result<Snapshot, Failure> {
        let head = db.snapshot()?;
        Format::require(&head)?;
        let Some(text) = &self.at else { return Ok(head) };
        let reading = read(text);
        if let Some(seq) = reading.seq
            && seq <= head.seq()
        {
            return Ok(db.snapshot_at(seq)?);
        }
        if let Some(start) = &reading.commit
            && let Some(seq) = find_commit(&head, start)?
        {
            return Ok(db.snapshot_at(seq)?);
        }
        if let Some(tag) = db.snapshot_tags()?.iter().find(|tag| tag.name == *text) {
            return Ok(db.snapshot_at(tag.seq)?);
        }
        if reading.seq.is_some() {
            return Err(Failure::No(format!(
                "{text} is neither a sequence (the newest is {}) nor the start of an imported \
                 commit's id; a time in seconds is written @{text}",
                head.seq()
            )));
        }
        match reading.time.map(time::parse) {
            Some(Ok(time)) => Ok(db.snapshot_at(db.seq_at_time(time)?)?),
            _ if reading.commit.is_some() => {
                Err(Failure::No(format!("no imported commit's id begins with {text}")))
            }
            _ => Err(Failure::Usage(format!(
                "--at {text:?} is no sequence, commit id, tag or time (2024-05-17T08:30:00Z, \
                 2024-05-17, @1715934600)"
            ))),
        }
    }
}

/// The sequence of the one commit whose id begins so.
fn find_commit(head: &Snapshot, start: &str) -> Result<Option<u64>, Failure> {
    let key = format!("{COMMIT_PREFIX}{start}");
    let mut found = head.scan_prefix(&key);
    let Some(first) = found.next().transpose()? else { return Ok(None) };
    if found.next().transpose()?.is_some() {
        return Err(Failure::No(format!(
            "{start} begins more than one commit id; write more of it"
        )));
    }
    let seq = std::str::from_utf8(&first.1).ok().and_then(|text| text.parse().ok());
    seq.map(Some).ok_or_else(|| altered(&key, "it names no sequence"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_decides_what_a_text_can_be() {
        let forms = |text: &str| {
            let reading = read(text);
            (reading.seq, reading.commit.is_some(), reading.time.is_some())
        };
        assert_eq!(forms("12"), (Some(12), false, false));
        assert_eq!(forms("1234567"), (Some(1_234_567), true, false));
        assert_eq!(forms(&"9".repeat(40)), (Some(u64::MAX), true, false));
        assert_eq!(forms("abcd"), (None, true, true));
        assert_eq!(forms("abc"), (None, false, true));
        assert_eq!(forms("2024-05-17"), (None, false, true));
        assert_eq!(forms("@5"), (None, false, true));
        assert_eq!(forms(""), (None, false, true));
    }
}
