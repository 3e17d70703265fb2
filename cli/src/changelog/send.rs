//! `hexxladb changelog send`: the entries to somewhere else, where each arrives once if the target
//! can tell what it has.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hexxladb::{CancelToken, ChangelogCursor, Follow};
use hexxladb_sinks::{Acknowledged, DeliverOptions, PumpOptions, Target, deliver};

use super::changes::{Changes, How};
use super::{open_reader, parse_since};
use crate::failure::Failure;
use crate::stop::Stop;
use crate::text;

const TARGETS: &str = "\
-, a path or file:PATH, nats://HOST:PORT/STREAM[?subject=SUBJECT] (tls:// if encrypted), \
kafka://HOST:PORT/TOPIC[?partition=N]";

/// Time between two lines of progress.
const TELL_EVERY: Duration = Duration::from_secs(3);

/// Send the entries to NATS JetStream, Kafka, a file or standard output
///
/// Reads beside a program that writes. A stream, a topic and a file know the last entry that they
/// have: sending goes on right after it, and each entry arrives once, whatever is killed. Standard
/// output cannot tell.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database, or a directory that `changelog archive` filled
    db: PathBuf,
    #[arg(long, value_name = "URL", help = TARGETS)]
    to: String,
    /// In a target that has nothing or cannot tell, begin after this commit, or this entry of it
    #[arg(
        long,
        value_name = "SEQ[/INDEX]",
        value_parser = parse_since,
        default_value = "0",
        hide_default_value = true
    )]
    since: ChangelogCursor,
    #[command(flatten)]
    how: How,
    /// How many seconds a target may fail before giving up [default: 0, with --follow 3600]
    #[arg(long, value_name = "SECONDS")]
    retry_for: Option<u64>,
}

pub(crate) fn run(args: &Args, stop: &Stop) -> Result<(), Failure> {
    let target: Target = args.to.parse()?;
    let reader = open_reader(&args.db)?;
    // Whoever reads standard output is gone for good.
    let may_come_back = args.how.follow && target != Target::Stdout;
    let retry_for = args.retry_for.unwrap_or(if may_come_back { 3600 } else { 0 });
    let cancel = CancelToken::new();
    stop.sets(&cancel);
    let options = DeliverOptions::new()
        .from(args.since)
        .retry_for(Duration::from_secs(retry_for))
        .pump(PumpOptions::new().cancel(cancel.clone()));
    let open_at = |cursor| reader.follow(cursor, Follow::new().cancel(cancel.clone()));
    let mut tell = Tell { last: Instant::now(), entries: 0 };
    let sent = deliver(
        &mut || hexxladb_sinks::open(&target),
        &mut |cursor| Changes::from(cursor, &open_at, args.how),
        &options,
        &mut |now| {
            tell.acknowledged(now);
            Ok(())
        },
    );
    let sent = text::counted(sent?, "entry");
    let done = format!("{sent} sent to {target}");
    stop.check(|| format!("{done}; run the same command again to go on"))?;
    let _ = writeln!(io::stderr(), "{done}");
    Ok(())
}

/// Says on standard error how far the target is.
struct Tell {
    last: Instant,
    entries: u64,
}

impl Tell {
    fn acknowledged(&mut self, now: &Acknowledged) {
        let elapsed = self.last.elapsed();
        if elapsed < TELL_EVERY {
            return;
        }
        let rate = text::count(text::rate(now.entries - self.entries, elapsed));
        let (seq, entries) = (text::count(now.position.seq), text::counted(now.entries, "entry"));
        // Nobody may be listening; the work goes on all the same.
        let _ = writeln!(io::stderr(), "send: commit {seq}, {entries}, {rate}/s");
        *self = Self { last: Instant::now(), entries: now.entries };
    }
}
