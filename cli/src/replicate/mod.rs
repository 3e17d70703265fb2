//! `hexxladb replicate`: a second database, kept in step with a first one.
//!
//! What always holds: the replica's commits are those of the source, with the same sequences,
//! times, notes and history hashes, up to the replica's head; that head is all there is to know for
//! going on, so that either side may be killed at any moment.

mod batch;
mod compare;
mod seed;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hexxladb::{ChangelogEntry, ChangelogReader, ChangelogValues, Db, Error, Follow, Options};
use serde::Serialize;

use self::batch::Batch;
use self::compare::Comparison;
use self::seed::Seeded;
use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::keeping::{self, Keeping};
use crate::log::hex;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::text;

/// How long it waits for a commit before it looks whether a signal came.
const LOOK: Duration = Duration::from_millis(50);
/// Time between two looks at the source as a whole, in following.
const LOOK_AROUND_EVERY: Duration = Duration::from_secs(5);
/// Values of any size that a source may have go into a new replica.
const MAX_VALUE_BYTES: u32 = 64 << 20;

/// Keep a second database in step with a first one, through its changelog
///
/// Reads beside a program that writes to SRC. The replica goes on after its own last commit, so
/// that it may be killed and run again. A replica that is empty or too far behind for the changelog
/// begins with a snapshot of SRC, for which nobody may be writing to SRC; snapshot tags and
/// consumers are not replicated.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database to follow; it keeps a changelog with values in full
    #[arg(value_name = "SRC")]
    src: PathBuf,
    /// The replica; made if there is none
    #[arg(value_name = "DST")]
    dst: PathBuf,
    /// Wait for commits to come, until a signal ends it
    #[arg(short, long)]
    follow: bool,
    /// At the end compare the two: history hashes, and where nobody writes to SRC every commit and
    /// record
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    keeping: Keeping,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// The replica's last commit, and the history hash with it.
    head: u64,
    history_hash: String,
    /// Commits repeated.
    commits: u64,
    seeded: Option<Seeded>,
    verified: Option<Comparison>,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let reader = ChangelogReader::open(&args.src)?;
    refuse_one_file(args)?;
    refuse_without_values(&reader)?;
    let mut work = Work { args, stop, reader: &reader, report: Report::default() };
    let db = work.open()?;
    // A signal ends the following, and what was done till then is told all the same.
    let done = work.in_step(db)?;
    let report = &work.report;
    if args.json {
        print_line(out, report)?;
    } else {
        print(out, report)?;
    }
    out.flush()?;
    done?;
    match &report.verified {
        Some(comparison) if !comparison.identical => Err(Failure::Told),
        _ => Ok(()),
    }
}

fn refuse_one_file(args: &Args) -> Result<(), Failure> {
    match (args.src.canonicalize(), args.dst.canonicalize()) {
        (Ok(src), Ok(dst)) if src == dst => {
            Err(Failure::Usage("SRC and DST are one file; name another DST".to_owned()))
        }
        // One that is not there is another one.
        _ => Ok(()),
    }
}

fn refuse_without_values(reader: &ChangelogReader) -> Result<(), Failure> {
    let values = reader.values()?;
    if values.is_none_or(|values| values == ChangelogValues::Full) {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "the changelog of SRC holds of values: {}; a replica needs them in full: write to SRC with \
         --changelog=full once, and run this again",
        keeping::show(values)
    )))
}

struct Work<'a> {
    args: &'a Args,
    stop: &'a Stop,
    reader: &'a ChangelogReader,
    report: Report,
}

impl Work<'_> {
    fn open(&self) -> Result<Db, Failure> {
        let new = Options::new();
        let is_new = !self.args.dst.exists();
        let options = if is_new { new.max_value_bytes(MAX_VALUE_BYTES) } else { new };
        let db = self.args.keeping.open(&self.args.dst, options)?;
        seed::remove_leftovers(&self.args.dst)?;
        Ok(db)
    }

    /// Brings the replica in step, and keeps it there if asked to; seeds it as needed. The inner
    /// result is how the signal ended it.
    fn in_step(&mut self, mut db: Db) -> Result<Result<(), Failure>, Failure> {
        let ended = loop {
            let before = db.head()?;
            let repeated = self.repeat(&db);
            self.report.commits += db.head()?.saturating_sub(before);
            match repeated {
                Ok(()) => break Ok(()),
                Err(stopped @ Failure::Stopped { .. }) => break Err(stopped),
                Err(Failure::Database(
                    why @ (Error::ChangelogTruncated { .. } | Error::ChangelogGap { .. }),
                )) => {
                    let seeding = seed::Seeding { args: self.args, stop: self.stop, why };
                    self.report.seeded = Some(seeding.replace(db)?);
                    db = self.open()?;
                }
                Err(other) => {
                    // The first failure is the one to tell.
                    let _ = db.close();
                    return Err(explain(other));
                }
            }
        };
        let told = self.tell(&db);
        // Closed cleanly whatever came; the first failure is the one to tell.
        let closed = db.close().map_err(Failure::from);
        told.and(closed).map(|()| ended)
    }

    fn tell(&mut self, db: &Db) -> Result<(), Failure> {
        let cursor = db.next_cursor()?;
        self.report.head = cursor.read_through();
        self.report.history_hash = hex(&cursor.hash.unwrap_or_default());
        if self.args.verify {
            self.report.verified = Some(compare::compare(&self.args.src, self.reader, db)?);
        }
        Ok(())
    }

    /// Repeats what the changelog has after the replica's head, and with --follow what comes.
    fn repeat(&self, db: &Db) -> Result<(), Failure> {
        let mut entries = self.reader.follow(db.next_cursor()?, Follow::new().timeout(LOOK))?;
        let mut progress = Repeating::begin(self.reader, db.head()?)?;
        let mut first = None;
        loop {
            let head = db.head()?;
            self.stop.check(|| {
                format!("the replica stands at commit {head}; run the same command again to go on")
            })?;
            let mut lacking = None;
            let batch = Batch::new(first.take(), &mut entries, self.stop, &mut lacking);
            let applied = db.apply_changelog(batch)?;
            if let Some(seq) = lacking {
                // As good as not there.
                return Err(Error::ChangelogGap { first: seq, last: seq }.into());
            }
            progress.reached(applied.head);
            if applied.commits > 0 {
                continue;
            }
            if !self.args.follow {
                return Repeating::end(self.reader, applied.head);
            }
            first = wait(&mut entries)?;
            progress.look_around(self.reader, applied.head)?;
        }
    }
}

fn wait(entries: &mut hexxladb::ChangelogFollow) -> Result<Option<ChangelogEntry>, Failure> {
    Ok(entries.next().transpose()?)
}

/// What the user hears of it on the way.
struct Repeating {
    progress: Progress,
    /// The source's last commit when last looked.
    last: u64,
    looked: Instant,
    warned: bool,
}

impl Repeating {
    fn begin(reader: &ChangelogReader, head: u64) -> Result<Self, Failure> {
        let last = reader.info()?.last;
        let progress = Progress::new("replicate", head, last.max(head));
        Ok(Self { progress, last, looked: Instant::now(), warned: false })
    }

    fn reached(&mut self, head: u64) {
        self.last = self.last.max(head);
        self.progress.aim(self.last);
        self.progress.set(head, || "repeated".to_owned());
    }

    /// At the end of what there is, the replica is not ahead of it.
    fn end(reader: &ChangelogReader, head: u64) -> Result<(), Failure> {
        let last = reader.info()?.last;
        if head <= last { Ok(()) } else { Err(Failure::No(ahead(head, last))) }
    }

    /// Tells once of what keeps the replica from getting anything.
    fn look_around(&mut self, reader: &ChangelogReader, head: u64) -> Result<(), Failure> {
        if self.warned || self.looked.elapsed() < LOOK_AROUND_EVERY {
            return Ok(());
        }
        self.looked = Instant::now();
        let info = reader.info()?;
        self.last = info.last;
        let what = if info.last < head {
            ahead(head, info.last)
        } else if reader.values()?.is_none() {
            "the changelog of SRC was turned off: nothing comes until it is on again".to_owned()
        } else {
            return Ok(());
        };
        self.warned = true;
        // Nobody may be listening; the work goes on all the same.
        let _ = writeln!(io::stderr(), "warning: {what}");
        Ok(())
    }
}

fn ahead(head: u64, last: u64) -> String {
    format!(
        "DST holds commit {}, the changelog of SRC goes up to {} only: DST was written to, or SRC was \
         replaced by an older copy, or SRC crashed and was not opened since",
        text::count(head),
        text::count(last)
    )
}

fn explain(failure: Failure) -> Failure {
    match failure {
        Failure::Database(error @ Error::HistoryDiverged { .. }) => {
            let what = "DST holds commits that SRC never had, or other ones under the same \
                        sequences: it was written to, or is the replica of something else, or SRC \
                        was replaced by an older copy and went on from there\n  nothing was changed; \
                        name another DST, or move this one away, and run this again";
            Failure::Explained(error, what.to_owned())
        }
        Failure::Database(error @ Error::ChangelogCorrupt { .. }) => {
            let what = "that is on SRC; run this again afterwards\n  every commit before the damage \
                        is in the replica";
            Failure::Explained(error, what.to_owned())
        }
        other => other,
    }
}

fn print(out: &mut dyn Write, report: &Report) -> Result<(), Failure> {
    if let Some(seeded) = &report.seeded {
        let (seq, records) = (text::count(seeded.seq), text::counted(seeded.records, "record"));
        writeln!(out, "seeded at commit {seq} with {records}")?;
    }
    let commits = text::counted(report.commits, "commit");
    writeln!(out, "the replica stands at commit {}, {commits} repeated", text::count(report.head))?;
    match &report.verified {
        Some(comparison) => comparison.print(out),
        None => Ok(()),
    }
}
