//! `hexxladb scan`: cells in the order of an index.

use std::io::Write;
use std::ops::Bound;
use std::path::PathBuf;

use hexxladb::{Cell, Coord, ReadTx, Record, RecordId, Week};
use serde::Serialize;

use crate::at::At;
use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::record_json::RecordLine;
use crate::{open_to_read, text};

const LONG_ABOUT: &str = "\
List cells by tag, source, or the week in which they become valid

A pattern is an exact text (tea), a prefix with a star behind it (te*), or a range: A..B without \
B, A..=B with it, either end left out for no bound. A text with = before it is exact whatever it \
looks like (=te*). Weeks are ISO weeks: 2026-W47, 2026*, 2026-W01..2026-W27.";

/// List cells by tag, source, or the week in which they become valid
#[derive(Debug, clap::Args)]
#[command(long_about = LONG_ABOUT)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    #[command(flatten)]
    index: Index,
    /// Last first
    #[arg(long)]
    reverse: bool,
    /// Stop after this many
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<usize>,
    #[command(flatten)]
    at: At,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Index {
    /// Cells with these tags
    #[arg(long, value_name = "PATTERN")]
    tag: Option<String>,
    /// Cells from these sources
    #[arg(long, value_name = "PATTERN")]
    source: Option<String>,
    /// Cells that become valid in these weeks
    #[arg(long, value_name = "PATTERN")]
    week: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    index: &'a str,
    #[serde(flatten)]
    record: RecordLine<'a>,
}

type Found<'a> = Box<dyn Iterator<Item = hexxladb::Result<(String, Coord, Cell)>> + 'a>;

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    let found = args.index.scan(&snapshot, args.reverse)?;
    for entry in found.take(args.limit.unwrap_or(usize::MAX)) {
        let (key, coord, cell) = entry?;
        if args.json {
            let (id, cell) = (RecordId::Cell(coord), Record::Cell(cell));
            let record = RecordLine::new(&id, Some(&cell))?;
            print_line(out, &Line { index: &key, record })?;
        } else {
            let key = text::one_line(&key, usize::MAX);
            writeln!(out, "{key}\t{coord}\t{}", text::summary(&cell))?;
        }
    }
    Ok(())
}

impl Index {
    fn scan<'a>(&self, tx: &'a ReadTx, reverse: bool) -> Result<Found<'a>, Failure> {
        if let Some(pattern) = &self.week {
            return Ok(directed(tx.cells_by_week(weeks(pattern)?), reverse));
        }
        let (by_tag, text) = match (&self.tag, &self.source) {
            (Some(tag), _) => (true, tag),
            (None, source) => (false, source.as_ref().ok_or_else(no_index)?),
        };
        let found = match (Pattern::read(text), by_tag) {
            (Pattern::Range(range), true) => tx.cells_by_tag(range),
            (Pattern::Range(range), false) => tx.cells_by_source(range),
            (Pattern::Prefix(prefix), true) => tx.cells_by_tag_prefix(prefix),
            (Pattern::Prefix(prefix), false) => tx.cells_by_source_prefix(prefix),
        };
        Ok(directed(found, reverse))
    }
}

fn no_index() -> Failure {
    Failure::Usage("give --tag, --source or --week".to_owned())
}

fn directed<'a, K: ToString + 'a>(
    found: impl DoubleEndedIterator<Item = hexxladb::Result<(K, Coord, Cell)>> + 'a,
    reverse: bool,
) -> Found<'a> {
    let named = found.map(|entry| entry.map(|(key, coord, cell)| (key.to_string(), coord, cell)));
    if reverse { Box::new(named.rev()) } else { Box::new(named) }
}

/// What a pattern says.
#[derive(Debug, PartialEq, Eq)]
enum Pattern<'a> {
    Prefix(&'a str),
    Range((Bound<&'a str>, Bound<&'a str>)),
}

impl<'a> Pattern<'a> {
    fn read(text: &'a str) -> Self {
        let exact = |text| Self::Range((Bound::Included(text), Bound::Included(text)));
        if let Some(text) = text.strip_prefix('=') {
            return exact(text);
        }
        if let Some((from, to)) = text.split_once("..") {
            let start = if from.is_empty() { Bound::Unbounded } else { Bound::Included(from) };
            let end = match to.strip_prefix('=') {
                Some(to) => Bound::Included(to),
                None if to.is_empty() => Bound::Unbounded,
                None => Bound::Excluded(to),
            };
            return Self::Range((start, end));
        }
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix),
            None => exact(text),
        }
    }
}

/// The weeks that a pattern names.
fn weeks(pattern: &str) -> Result<(Bound<Week>, Bound<Week>), Failure> {
    let week = |text: &str| text.parse::<Week>().map_err(|error| Failure::Usage(error.to_string()));
    let bound = |bound: Bound<&str>| {
        Ok::<_, Failure>(match bound {
            Bound::Included(text) => Bound::Included(week(text)?),
            Bound::Excluded(text) => Bound::Excluded(week(text)?),
            Bound::Unbounded => Bound::Unbounded,
        })
    };
    match Pattern::read(pattern) {
        Pattern::Range((start, end)) => Ok((bound(start)?, bound(end)?)),
        Pattern::Prefix(prefix) => {
            // The texts of weeks are in their order, so that those of a prefix are a range.
            let all = (Week::MIN.get()..=Week::MAX.get()).filter_map(|n| Week::new(n).ok());
            let mut named = all.filter(|week| week.to_string().starts_with(prefix));
            let first = named.next().ok_or_else(|| {
                Failure::Usage(format!("no week begins with {prefix:?}; weeks look like 2026-W47"))
            })?;
            Ok((Bound::Included(first), Bound::Included(named.next_back().unwrap_or(first))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        use Bound::{Excluded, Included, Unbounded};
        let range = |start, end| Pattern::Range((start, end));
        for (text, wanted) in [
            ("tea", range(Included("tea"), Included("tea"))),
            ("te*", Pattern::Prefix("te")),
            ("*", Pattern::Prefix("")),
            ("=te*", range(Included("te*"), Included("te*"))),
            ("=a..b", range(Included("a..b"), Included("a..b"))),
            ("a..c", range(Included("a"), Excluded("c"))),
            ("a..=c", range(Included("a"), Included("c"))),
            ("a..", range(Included("a"), Unbounded)),
            ("..c", range(Unbounded, Excluded("c"))),
            ("..", range(Unbounded, Unbounded)),
            ("", range(Included(""), Included(""))),
        ] {
            assert_eq!(Pattern::read(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_prefix_of_weeks_is_all_that_begin_so() {
        let week = |text: &str| text.parse::<Week>().unwrap();
        let shown = |pattern| weeks(pattern).ok();
        let of = |a, b| Some((Bound::Included(week(a)), Bound::Included(week(b))));
        assert_eq!(shown("2026*"), of("2026-W01", "2026-W53"));
        assert_eq!(shown("2026-W4*"), of("2026-W40", "2026-W49"));
        assert_eq!(shown("2026-W47*"), of("2026-W47", "2026-W47"));
        assert!(weeks("3000*").is_err() && weeks("2026-W54").is_err() && weeks("x..").is_err());
    }
}
