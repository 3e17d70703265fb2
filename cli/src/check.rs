//! `hexxladb check`: reads the whole file and reports every damage it finds, not just the first.

use std::io::Write;
use std::path::{Path, PathBuf};

use hexxladb::{ChangelogReader, CheckReport, Error};
use serde::Serialize;

use crate::cell_json::print_line;
use crate::changelog::verify::{is_damage, verified};
use crate::failure::Failure;
use crate::{open_to_read, text};

/// Check every page of a database: checksums, order, fences, free space; and its changelog
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The kind of a finding in the changelog.
const CHANGELOG: &str = "Changelog";

#[derive(Serialize)]
struct Report {
    clean: bool,
    pages: u64,
    rows: u64,
    /// Commits of the changelog, whose history hashes were computed anew.
    changelog_commits: u64,
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
    let mut report = match open_to_read(&args.db).and_then(|db| Ok(db.check()?)) {
        Ok(report) => from_engine(&report),
        // Damage that keeps the database from opening is what this command looks for.
        Err(Failure::Database(Error::CorruptDatabase { file, offset, what })) => Report {
            clean: false,
            pages: 0,
            rows: 0,
            changelog_commits: 0,
            findings: vec![Line {
                kind: "Unreadable".to_owned(),
                file: file.display().to_string(),
                offset,
                what,
            }],
        },
        Err(other) => return Err(other),
    };
    check_changelog(&args.db, &mut report)?;
    print(args.json, out, &report)?;
    if report.clean { Ok(()) } else { Err(Failure::Told) }
}

/// Adds what there is to say of the changelog, if there is one.
fn check_changelog(path: &Path, report: &mut Report) -> Result<(), Failure> {
    let verified = match ChangelogReader::open(path) {
        Ok(reader) => verified(&reader, path),
        Err(error) => Err(error.into()),
    };
    match verified {
        Ok((read, _)) => report.changelog_commits = read.commits,
        // It has none, or its header was found to be damaged before.
        Err(Failure::Database(Error::ChangelogDisabled | Error::NotADatabase { .. })) => {}
        Err(Failure::Database(error)) if is_damage(&error) => {
            report.clean = false;
            report.findings.push(of_changelog(path, error));
        }
        // The database itself cannot be opened, which is a finding already.
        Err(_) if !report.clean => {}
        Err(other) => return Err(other),
    }
    Ok(())
}

fn of_changelog(path: &Path, error: Error) -> Line {
    let (file, offset, what) = match error {
        Error::ChangelogCorrupt { path, offset, what, .. } => (path, offset, what),
        other => (path.to_path_buf(), 0, other.to_string()),
    };
    Line { kind: CHANGELOG.to_owned(), file: file.display().to_string(), offset, what }
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
        changelog_commits: 0,
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
    let (pages, rows) = (text::counted(report.pages, "page"), text::counted(report.rows, "row"));
    let read = match report.changelog_commits {
        0 => format!("{pages} and {rows} read"),
        commits => {
            let commits = text::counted(commits, "commit");
            format!("{pages}, {rows} and {commits} of the changelog read")
        }
    };
    if report.clean {
        writeln!(out, "clean: {read}, no damage found")?;
    } else {
        let findings = text::counted(report.findings.len() as u64, "finding");
        writeln!(
            out,
            "damaged: {findings}, {read}; keep a copy of the files and {}",
            if report.findings.iter().all(|finding| finding.kind == CHANGELOG) {
                "run `hexxladb changelog repair`"
            } else {
                "restore the last backup"
            }
        )?;
    }
    Ok(())
}
