//! `hexxladb check`: reads the whole file and reports every damage it finds, not just the first.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{CheckReport, Error};
use serde::Serialize;

use crate::cell_json::print_line;
use crate::failure::Failure;
use crate::{open_to_read, text};

/// Check every page of a database: checksums, order, fences, free space
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    clean: bool,
    pages: u64,
    rows: u64,
    findings: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    kind: String,
    file: String,
    offset: u64,
    what: String,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let report = match open_to_read(&args.db).and_then(|db| Ok(db.check()?)) {
        Ok(report) => from_engine(&report),
        // Damage that keeps the database from opening is what this command looks for.
        Err(Failure::Database(Error::CorruptDatabase { file, offset, what })) => Report {
            clean: false,
            pages: 0,
            rows: 0,
            findings: vec![Line {
                kind: "Unreadable".to_owned(),
                file: file.display().to_string(),
                offset,
                what,
            }],
        },
        Err(other) => return Err(other),
    };
    print(args.json, out, &report)?;
    if report.clean { Ok(()) } else { Err(Failure::Told) }
}

fn from_engine(report: &CheckReport) -> Report {
    let findings = report.findings.iter().map(|finding| Line {
        kind: format!("{:?}", finding.kind),
        file: finding.file.display().to_string(),
        offset: finding.offset,
        what: finding.what.clone(),
    });
    Report {
        clean: report.is_clean(),
        pages: report.pages,
        rows: report.rows,
        findings: findings.collect(),
    }
}

fn print(json: bool, out: &mut dyn Write, report: &Report) -> Result<(), Failure> {
    if json {
        return print_line(out, report);
    }
    for finding in &report.findings {
        writeln!(
            out,
            "{}: {} at offset {}: {}",
            finding.kind, finding.file, finding.offset, finding.what
        )?;
    }
    let read = format!(
        "{} and {} read",
        text::counted(report.pages, "page"),
        text::counted(report.rows, "row")
    );
    if report.clean {
        writeln!(out, "clean: {read}, no damage found")?;
    } else {
        let findings = text::counted(report.findings.len() as u64, "finding");
        writeln!(
            out,
            "damaged: {findings}, {read}; keep a copy of the files and restore the last backup"
        )?;
    }
    Ok(())
}
