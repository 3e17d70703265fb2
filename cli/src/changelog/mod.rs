//! `hexxladb changelog`: what was committed, entry by entry, and the files that hold it.
//!
//! Who does what: [`tail`] and [`send`] read through [`changes`], [`line`] shows an entry, [`verify`] and [`files`] look
//! after the segments, [`consumers`] after the durable positions, [`state`] sums up for others.

mod changes;
mod consumers;
mod files;
mod line;
mod send;
pub(crate) mod state;
mod tail;
pub(crate) mod verify;

use std::io::Write;
use std::path::Path;

use hexxladb::{ChangelogCursor, ChangelogReader};

use crate::failure::Failure;
use crate::stop::{self, Stop};

/// Read, check and look after the changelog: what was committed, entry by entry
///
/// A command that writes turns it on with --changelog.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Tail(tail::Args),
    Send(send::Args),
    Info(files::InfoArgs),
    Verify(verify::Args),
    Repair(files::RepairArgs),
    Rotate(files::RotateArgs),
    Trim(files::TrimArgs),
    Archive(files::ArchiveArgs),
    Consumers(consumers::Args),
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let may_end_anywhere =
        matches!(args.command, Command::Info(_) | Command::Verify(_) | Command::Archive(_));
    if may_end_anywhere {
        stop::at_once()?;
    }
    match &args.command {
        Command::Tail(args) => tail::run(args, out, &Stop::between_commits()?),
        Command::Send(args) => send::run(args, &Stop::between_commits()?),
        Command::Info(args) => files::info(args, out),
        Command::Verify(args) => verify::run(args, out),
        Command::Repair(args) => files::repair(args, out),
        Command::Rotate(args) => files::rotate(args, out),
        Command::Trim(args) => files::trim(args, out),
        Command::Archive(args) => files::archive(args, out),
        Command::Consumers(args) => consumers::run(args, out),
    }
}

/// The changelog of a database, or the segments in a directory.
fn open_reader(path: &Path) -> Result<ChangelogReader, Failure> {
    let opened = if path.is_dir() {
        ChangelogReader::open_archive(path)
    } else {
        ChangelogReader::open(path)
    };
    Ok(opened?)
}

/// Reads `SEQ` or `SEQ/INDEX`: what comes after that commit, or after that entry of it.
fn parse_since(text: &str) -> Result<ChangelogCursor, String> {
    let wrong = || {
        format!(
            "{text:?} is no place in a changelog; write a commit's sequence (12), or with an \
             entry's index (12/3)"
        )
    };
    let number = |digits: &str| digits.parse::<u64>().map_err(|_| wrong());
    match text.split_once('/') {
        None if number(text)? == 0 => Ok(ChangelogCursor::START),
        None => Ok(ChangelogCursor::after(number(text)?)),
        Some((seq, index)) => {
            let index = u32::try_from(number(index)?).map_err(|_| wrong())?;
            Ok(ChangelogCursor::at(number(seq)?, index.checked_add(1).ok_or_else(wrong)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let place = |text: &str| parse_since(text).map(|cursor| (cursor.seq, cursor.index));
        assert_eq!(parse_since("0"), Ok(ChangelogCursor::START));
        assert_eq!(place("12"), Ok((13, 0)));
        assert_eq!(place("12/0"), Ok((12, 1)));
        for text in ["", "-1", "x", "1/", "/1", "1/2/3", "1/4294967295", "1/4294967296"] {
            assert!(place(text).is_err(), "{text:?}");
        }
    }
}
