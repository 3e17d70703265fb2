//! `hexxladb changelog tail`: the entries, as they are or as they come.
//!
//! What always holds: every entry once and in order, and nothing that is missing passed over in
//! silence. A consumer advances only after its entries are printed and flushed.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use hexxladb::{ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogOp, Follow};
use hexxladb_sinks::{Source, json};

use super::changes::{Changes, How};
use super::{line, open_reader, parse_since};
use crate::failure::Failure;
use crate::keeping::open_kept;
use crate::record_json::FAMILIES;
use crate::stop::Stop;

/// How long a follower waits before it looks whether a signal came.
const LOOK: Duration = Duration::from_millis(50);
/// Entries after which a consumer advances, if not before.
const ADVANCE_EVERY: u32 = 1000;

/// Print the entries: what each commit did to which record
///
/// Reads beside a program that writes. With --json each entry is one line of JSON, of the schema
/// that README.md describes; a line that a kill has cut off is to be dropped, and --since with the
/// `seq` and `index` of the last whole line goes on right after it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database, or a directory that `changelog archive` filled
    db: PathBuf,
    /// Only what comes after this commit, or after this entry of it; 0 is everything that is there
    #[arg(
        long,
        value_name = "SEQ[/INDEX]",
        value_parser = parse_since,
        default_value = "0",
        hide_default_value = true
    )]
    since: ChangelogCursor,
    /// Go on where this consumer stands, and advance it once its entries are printed: what was
    /// printed just before a kill is printed again. A new one begins at the oldest entry. Opens the
    /// database, so that nobody else can write meanwhile
    #[arg(long, value_name = "NAME", conflicts_with_all = ["since", "follow"])]
    consumer: Option<String>,
    /// Only entries of this family; may be repeated
    #[arg(long = "family", value_name = "FAMILY", value_parser = FAMILIES)]
    families: Vec<String>,
    /// Only entries that do this; may be repeated
    #[arg(long = "op", value_name = "OP", value_parser = OPS)]
    ops: Vec<String>,
    /// Only records whose key begins so: raw/user/, cell/(3, edge/(0,0)/
    #[arg(long)]
    prefix: Option<String>,
    /// Stop after this many entries
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<u64>,
    #[command(flatten)]
    how: How,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

const OPS: [&str; 4] = ["put", "delete", "resolve", "note"];

pub(crate) fn run(args: &Args, out: &mut dyn Write, stop: &Stop) -> Result<(), Failure> {
    let mut tail = Tail { args, out, stop, filter: filter(args), printed: 0 };
    let follow = Follow::new().timeout(LOOK);
    let Some(name) = &args.consumer else {
        let reader = open_reader(&args.db)?;
        let open = |cursor| reader.follow(cursor, follow.clone());
        return tail.print(Changes::from(args.since, &open, args.how)?, &mut |_| Ok(()));
    };
    let db = open_kept(&args.db, |changelog| changelog)?;
    let done = (|| {
        let consumer = db.changelog_consumer(name)?;
        let open = |cursor| db.follow(cursor, follow.clone());
        let mut stands = consumer.position()?;
        tail.print(Changes::from(stands, &open, args.how)?, &mut |cursor| {
            if cursor != stands {
                consumer.advance(cursor)?;
                stands = cursor;
            }
            Ok(())
        })
    })();
    // Closed cleanly whatever came; the first failure is the one to tell.
    let closed = db.close().map_err(Failure::from);
    done.and(closed)
}

fn filter(args: &Args) -> ChangelogFilter {
    let mut filter = ChangelogFilter::new();
    for family in &args.families {
        filter = filter.family(family);
    }
    for op in ChangelogOp::ALL {
        if args.ops.iter().any(|name| name == op.name()) {
            filter = filter.op(op);
        }
    }
    match &args.prefix {
        Some(prefix) => filter.key_prefix(prefix),
        None => filter,
    }
}

struct Tail<'a> {
    args: &'a Args,
    out: &'a mut dyn Write,
    stop: &'a Stop,
    filter: ChangelogFilter,
    printed: u64,
}

impl Tail<'_> {
    /// Prints what there is; `printed` hears how far all is printed and flushed.
    fn print(
        &mut self,
        mut changes: Changes<'_>,
        printed: &mut dyn FnMut(ChangelogCursor) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut in_hand = 0;
        loop {
            let next = self.next(&mut changes, false);
            if in_hand >= ADVANCE_EVERY || !matches!(next, Ok(Some(_))) {
                self.out.flush()?;
                let through = changes.cursor();
                printed(through)?;
                in_hand = 0;
            }
            let next = match next? {
                None if self.is_done() => return Ok(()),
                None => self.next(&mut changes, true)?,
                some => some,
            };
            if let Some(entry) = next {
                self.entry(&entry)?;
                in_hand += 1;
            }
        }
    }

    fn is_done(&self) -> bool {
        !self.args.how.follow || self.args.limit.is_some_and(|limit| self.printed >= limit)
    }

    /// What is there already, or what comes within a moment; nothing behind the limit.
    fn next(&self, from: &mut Changes<'_>, wait: bool) -> Result<Option<ChangelogEntry>, Failure> {
        self.stop.check(|| format!("the next entry is {}", from.cursor()))?;
        if self.args.limit.is_some_and(|limit| self.printed >= limit) {
            return Ok(None);
        }
        Ok(if wait { from.wait()? } else { from.ready()? })
    }

    fn entry(&mut self, entry: &ChangelogEntry) -> Result<(), Failure> {
        if !self.filter.passes(entry) {
            return Ok(());
        }
        self.printed += 1;
        if self.args.json {
            writeln!(self.out, "{}", json::entry_line(entry)?)?;
            return Ok(());
        }
        line::print(self.out, entry)
    }
}
