//! `hexxladb import`: what `export` has written, back into a database.
//!
//! What always holds: a state goes in whole or not at all, a history commit by commit; nothing of a
//! commit with a bad line is kept. A history goes in as it was: the same sequences, times and
//! notes, and after each commit the history hash must be the exported one. What of it is there
//! already is compared and passed over, so that a stopped import goes on when it is run again.

use std::io::{self, Write};
use std::path::PathBuf;

use hexxladb::{Db, Durability, Options, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;
use crate::ingest::is_about_the_line;
use crate::input::{Lines, complaint};
use crate::jsonl::apply::Applied;
use crate::jsonl::{CommitMark, Contents, EndMark, FORMAT, Header, Mark, TagMark, VERSION};
use crate::keeping::Keeping;
use crate::record_json::{FAMILIES, RawRecordLine};
use crate::stop::Stop;
use crate::{text, time};

/// Largest value that any database holds, for a database that the import makes.
const MAX_VALUE_BYTES: u32 = 64 << 20;

/// Read what export has written
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Format {
    Jsonl(Jsonl),
}

/// Records of all families as JSON, one object a line, as `export jsonl` writes it
///
/// A state becomes one commit: its records replace those of the same names, others stay. A history
/// keeps its sequences, times and notes; it goes into a new database, or goes on in one that holds
/// the beginning of the same history.
#[derive(Debug, clap::Args)]
struct Jsonl {
    /// The database; made if there is none
    db: PathBuf,
    /// The file to read [default: standard input]
    file: Option<PathBuf>,
    /// Take a history as new commits after those that are there, with sequences of their own
    #[arg(long)]
    rebase: bool,
    /// Who or why, kept with the commit of a state
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    note: Option<String>,
    /// The time of the commit of a state, instead of now
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    commit_time: Option<Timestamp>,
    #[command(flatten)]
    keeping: Keeping,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let Format::Jsonl(args) = &args.format;
    let mut lines = match &args.file {
        Some(file) => Lines::file(file)?,
        None => Lines::stdin(),
    };
    // Before a database is made for something that cannot go in.
    let header = read_header(&mut lines, stop)?;
    fits(args, &header)?;
    let db = open(args)?;
    let done = Import::new(&db, args, &header).and_then(|mut import| {
        import.all(&mut lines, stop)?;
        Ok(import.done())
    });
    // Closed cleanly whatever came; the first failure is the one to tell.
    let closed = db.close().map_err(Failure::from);
    let done = done?;
    closed?;
    out.flush()?;
    let _ = writeln!(io::stderr(), "{done}");
    Ok(())
}

/// Commits need no sync of their own: a killed process loses none of them, a power cut none but
/// the last ones, and closing syncs them all before the program says that it is done.
fn open(args: &Jsonl) -> Result<Db, Failure> {
    let options = Options::new().durability(Durability::Buffered);
    let is_new = !args.db.exists();
    let options = if is_new { options.max_value_bytes(MAX_VALUE_BYTES) } else { options };
    args.keeping.open(&args.db, options)
}

fn read_header(lines: &mut Lines, stop: &Stop) -> Result<Header, Failure> {
    let nothing = || "nothing was imported".to_owned();
    let wanted = |what: String| {
        Failure::Input(format!(
            "line 1: {what}; expected what `hexxladb export jsonl` writes, which begins with \
             {{\"format\":\"{FORMAT}\",…}}"
        ))
    };
    let Some((_, line)) = lines.next(stop, nothing)? else {
        return Err(wanted("there is none".to_owned()));
    };
    let header: Header = serde_json::from_slice(line).map_err(|error| wanted(complaint(&error)))?;
    if header.format != FORMAT {
        return Err(wanted(format!("the format is {:?}", header.format)));
    }
    if header.version != VERSION {
        return Err(Failure::Input(format!(
            "line 1: the export is of version {}, this program reads {VERSION}; use a newer release",
            header.version
        )));
    }
    Ok(header)
}

/// Refuses options that do not fit what is read.
fn fits(args: &Jsonl, header: &Header) -> Result<(), Failure> {
    let refuse = |what: &str| Err(Failure::Usage(what.to_owned()));
    match header.content {
        Contents::State if args.rebase => {
            refuse("--rebase is for histories; this export holds one state")
        }
        Contents::History if args.note.is_some() || args.commit_time.is_some() => refuse(
            "--note and --commit-time are for states; this export is a history, whose commits have \
             theirs",
        ),
        Contents::History if header.from.is_some_and(|from| from > 1) && !args.rebase => {
            Err(Failure::Usage(format!(
                "the export begins with the state as of commit {}, what was before is pruned, and \
                 a database cannot begin at another commit than 1 yet\n  --rebase takes its \
                 commits with sequences of their own",
                header.from.unwrap_or_default()
            )))
        }
        Contents::State | Contents::History => Ok(()),
    }
}

/// What is being read.
enum Stage {
    /// The records of a commit that is made of them.
    Records(Box<Applied>, CommitPlan),
    /// Records that are in the database already.
    Passing,
    /// Nothing: before the first commit, and behind the last.
    Between,
}

/// How a commit is to be made.
struct CommitPlan {
    /// `None` for the commit of a state.
    mark: Option<CommitMark>,
    /// The line that began it.
    line: u64,
}

struct Import<'a> {
    db: &'a Db,
    args: &'a Jsonl,
    content: Contents,
    stage: Stage,
    /// Head before the import.
    base: u64,
    /// The last commit of the export that is in the database, by its exported sequence.
    last: Option<u64>,
    /// What a rebase adds to sequences.
    shift: u64,
    tags: Vec<(u64, TagMark)>,
    /// Record lines read.
    records: u64,
    commits: u64,
    passed: u64,
    ended: bool,
}

impl<'a> Import<'a> {
    fn new(db: &'a Db, args: &'a Jsonl, header: &Header) -> Result<Self, Failure> {
        let content = header.content;
        let stage = match content {
            Contents::State => {
                let plan = CommitPlan { mark: None, line: 1 };
                Stage::Records(Box::new(Applied::new(db.begin_write()?)), plan)
            }
            Contents::History => Stage::Between,
        };
        Ok(Self {
            db,
            args,
            content,
            stage,
            base: db.head()?,
            last: None,
            shift: 0,
            tags: Vec::new(),
            records: 0,
            commits: 0,
            passed: 0,
            ended: false,
        })
    }

    fn done(&self) -> String {
        let passed = match self.passed {
            0 => String::new(),
            passed => format!(", {} already there", text::counted(passed, "commit")),
        };
        format!(
            "{} read, {} made{passed}, {}",
            text::counted(self.records, "record"),
            text::counted(self.commits, "commit"),
            text::counted(self.tags.len() as u64, "tag"),
        )
    }

    fn all(&mut self, lines: &mut Lines, stop: &Stop) -> Result<(), Failure> {
        let mut last_line = 1;
        while let Some((number, line)) = lines.next(stop, || self.stopped())? {
            last_line = number;
            if !line.trim_ascii().is_empty() {
                self.line(number, line)?;
            }
        }
        if self.ended {
            self.complete()
        } else {
            Err(self.bad(last_line, "the export is cut short here"))
        }
    }

    /// What was done when it ends before its time.
    fn stopped(&self) -> String {
        match self.content {
            Contents::State => "nothing was imported".to_owned(),
            Contents::History => format!(
                "{} are in the database; import the same export again to go on",
                text::counted(self.commits + self.passed, "commit")
            ),
        }
    }

    fn bad(&self, number: u64, what: &str) -> Failure {
        let kept = match (self.content, self.args.rebase) {
            (Contents::State, _) => "nothing was imported".to_owned(),
            (Contents::History, false) => self.stopped(),
            (Contents::History, true) => {
                format!("{} before it were imported", text::counted(self.commits, "commit"))
            }
        };
        Failure::Input(format!("line {number}: {what}\n  {kept}"))
    }

    /// The engine's refusal of what a line says, with the line.
    fn at_line(&self, number: u64, error: hexxladb::Error) -> Failure {
        if is_about_the_line(&error) { self.bad(number, &error.to_string()) } else { error.into() }
    }

    fn line(&mut self, number: u64, line: &[u8]) -> Result<(), Failure> {
        if self.ended {
            return Err(self.bad(number, "something follows the end"));
        }
        let value: Value =
            serde_json::from_slice(line).map_err(|error| self.bad(number, &complaint(&error)))?;
        if value.get("family").is_some() {
            return self.record(number, value);
        }
        match self.parse(number, value)? {
            Mark::Commit(mark) => self.begin(number, mark, false),
            Mark::Snapshot(mark) => self.begin(number, mark, true),
            Mark::Tag(tag) => self.tag(number, tag),
            Mark::End(end) => self.end(number, &end),
        }
    }

    fn parse<T: DeserializeOwned>(&self, number: u64, value: Value) -> Result<T, Failure> {
        serde_json::from_value(value).map_err(|error| self.bad(number, &error.to_string()))
    }

    fn record(&mut self, number: u64, value: Value) -> Result<(), Failure> {
        let line: RawRecordLine = self.parse(number, value)?;
        let family = FAMILIES.iter().position(|family| *family == line.family);
        let (id, record) = line.decode().map_err(|what| self.bad(number, &what))?;
        self.records += 1;
        if self.content == Contents::State && record.is_none() {
            return Err(self.bad(number, "a state holds no deletions"));
        }
        let applied = match &mut self.stage {
            Stage::Passing => return Ok(()),
            Stage::Between => return Err(self.bad(number, "a record outside of a commit")),
            Stage::Records(applied, _) => applied,
        };
        if !applied.is_in_order(family.unwrap_or_default()) {
            let order = FAMILIES.join(", ");
            return Err(self.bad(number, &format!("the families of a commit stand as {order}")));
        }
        applied.apply(id, record).map_err(|error| self.at_line(number, error))
    }

    /// A commit begins, and the one before it is complete.
    fn begin(&mut self, number: u64, mark: CommitMark, is_snapshot: bool) -> Result<(), Failure> {
        if self.content == Contents::State {
            return Err(self.bad(number, "a state holds no commits"));
        }
        if !self.tags.is_empty() {
            return Err(self.bad(number, "a commit behind the tags"));
        }
        self.finish()?;
        let follows = match self.last {
            Some(last) => !is_snapshot && mark.seq == last + 1,
            None => is_snapshot == (mark.seq > 1) && mark.seq > 0,
        };
        if !follows {
            let last = self.last.map_or("nothing".to_owned(), |last| format!("commit {last}"));
            return Err(self.bad(number, &format!("commit {} follows {last}", mark.seq)));
        }
        if !self.args.rebase && mark.seq <= self.base {
            self.compare(number, &mark)?;
            (self.last, self.stage) = (Some(mark.seq), Stage::Passing);
            self.passed += 1;
            return Ok(());
        }
        let tx = self.db.begin_write()?;
        if self.last.is_none() {
            self.shift = tx.commit_seq().wrapping_sub(mark.seq);
        }
        let plan = CommitPlan { mark: Some(mark), line: number };
        self.stage = Stage::Records(Box::new(Applied::new(tx)), plan);
        Ok(())
    }

    /// A commit that is in the database must be the exported one.
    fn compare(&self, number: u64, mark: &CommitMark) -> Result<(), Failure> {
        let seq = mark.seq;
        let there = self.db.commits(seq..=seq)?.next().transpose()?;
        match there.map(CommitMark::from) {
            Some(there) if there == *mark => Ok(()),
            Some(_) => Err(Failure::Usage(format!(
                "line {number}: the database holds another history: its commit {seq} is not the \
                 exported one; import into a new file, or with --rebase"
            ))),
            None => Err(Failure::Usage(format!(
                "line {number}: the database has pruned commit {seq}, which cannot be compared any \
                 more; import into a new file, or with --rebase"
            ))),
        }
    }

    /// Commits what was read of a commit.
    fn finish(&mut self) -> Result<(), Failure> {
        let Stage::Records(applied, plan) = std::mem::replace(&mut self.stage, Stage::Between)
        else {
            return Ok(());
        };
        let mut tx = applied.finish().map_err(|error| self.at_line(plan.line, error))?;
        let (time, note) = match &plan.mark {
            Some(mark) => (Some(mark.time), mark.note.as_ref()),
            None => (self.args.commit_time, self.args.note.as_ref()),
        };
        if let Some(time) = time {
            tx.set_commit_time(time)?;
        }
        if let Some(note) = note {
            tx.set_note(note).map_err(|error| self.at_line(plan.line, error))?;
        }
        let head = self.db.head()?;
        let seq = tx.commit()?;
        self.commits += u64::from(seq > head);
        let Some(mark) = plan.mark else { return Ok(()) };
        if seq != mark.seq.wrapping_add(self.shift) {
            return Err(self.bad(plan.line, "the commit neither touches a record nor has a note"));
        }
        self.last = Some(mark.seq);
        if self.args.rebase {
            return Ok(());
        }
        let made = self.db.commits(seq..=seq)?.next().transpose()?.map(CommitMark::from);
        if made.as_ref() == Some(&mark) {
            return Ok(());
        }
        Err(Failure::No(format!(
            "line {}: commit {seq} came out with another history hash or time than the export says: \
             the export was altered; remove {} and import again",
            plan.line,
            self.db.path().display()
        )))
    }

    fn tag(&mut self, number: u64, tag: TagMark) -> Result<(), Failure> {
        if self.content == Contents::State {
            return Err(self.bad(number, "a state holds no tags"));
        }
        self.finish()?;
        let is_there = |last| tag.seq <= last;
        if !self.last.map_or(tag.seq == 0, is_there) {
            return Err(self.bad(number, &format!("tag {:?} names no commit here", tag.name)));
        }
        self.tags.push((number, tag));
        Ok(())
    }

    fn end(&mut self, number: u64, end: &EndMark) -> Result<(), Failure> {
        if end.records != self.records {
            let what = format!("{} records were exported, {} came", end.records, self.records);
            return Err(self.bad(number, &what));
        }
        self.ended = true;
        Ok(())
    }

    /// Nothing follows the end: the last commit is made, and the tags.
    fn complete(&mut self) -> Result<(), Failure> {
        self.finish()?;
        for (line, tag) in &self.tags {
            // The empty state keeps its number.
            let seq = if tag.seq == 0 { 0 } else { tag.seq.wrapping_add(self.shift) };
            let tagged = self.db.tag_snapshot_at(&tag.name, seq);
            tagged.map_err(|error| match error {
                hexxladb::Error::SnapshotTagExists { .. } => {
                    Failure::Usage(format!("line {line}: {error}"))
                }
                other => self.at_line(*line, other),
            })?;
        }
        Ok(())
    }
}
