//! `hexxladb dump`: every physical row, in key order, its key as the specification writes it.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::log::hex;
use crate::{open_to_read, text};

/// Bytes of a value that are shown.
const SHOWN_BYTES: usize = 60;

/// Print every row of the file: key and commit sequence, size and start of its value
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// Print one JSON object a line, with the whole value in hexadecimal digits
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    key: String,
    seq: Option<u64>,
    tombstone: bool,
    value_bytes: usize,
    value_hex: String,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    for row in db.dump()? {
        let row = row?;
        let key = row.to_string();
        if args.json {
            let line = Line {
                key,
                seq: row.seq,
                tombstone: row.tombstone,
                value_bytes: row.value.len(),
                value_hex: hex(&row.value),
            };
            print_line(out, &line)?;
            continue;
        }
        let key = text::one_line(&key, usize::MAX);
        if row.tombstone {
            writeln!(out, "{key}\tdeleted")?;
        } else {
            let start = &row.value[..row.value.len().min(SHOWN_BYTES)];
            writeln!(out, "{key}\t{} B\t{}", row.value.len(), start.escape_ascii())?;
        }
    }
    Ok(())
}
