//! `hexxladb seam`: where cells do not fit together, and what became of it.

use std::io::Write;
use std::path::PathBuf;

use hexxladb::{
    Coord, Record, RecordId, ResolutionStatus, Seam, SeamFilter, SeamType, Timestamp, Ulid,
};

use crate::at::At;
use crate::cell_json::print_line;
use crate::commit::{CommitArgs, When};
use crate::failure::Failure;
use crate::keeping::Keeping;
use crate::record_json::RecordLine;
use crate::{get, open_to_read, place, ring, text, time};

/// Mark contradictions and supersessions, resolve them, list them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Note that two cells contradict each other
    Conflict(Mark),
    /// Note that one cell (A) takes the place of an older one (B), which stays as it is
    Supersedes(Mark),
    Resolve(Resolve),
    List(List),
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Mark {
    /// The database
    db: PathBuf,
    /// One cell; of a supersession the newer one
    #[arg(value_parser = place::parse, allow_hyphen_values = true)]
    a: Coord,
    /// The other cell
    #[arg(value_parser = place::parse, allow_hyphen_values = true)]
    b: Coord,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", allow_hyphen_values = true)]
    reason: String,
    #[command(flatten)]
    commit: CommitArgs,
}

/// Say what has become of a seam: unresolved, merged, superseded, archived
#[derive(Debug, clap::Args)]
struct Resolve {
    /// The database
    db: PathBuf,
    /// The seam's id
    #[arg(value_parser = parse_id)]
    id: Ulid,
    /// What has become of it: unresolved, merged, superseded, archived
    #[arg(value_parser = parse_status)]
    status: ResolutionStatus,
    /// What was said; kept with the seam, and with the commit
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    note: Option<String>,
    #[command(flatten)]
    when: When,
    #[command(flatten)]
    keeping: Keeping,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// List the seams around a coordinate, from the center outwards; without one all, by their ids
#[derive(Debug, clap::Args)]
struct List {
    /// The database
    db: PathBuf,
    /// The coordinate in the middle, for example 3,-1
    #[arg(value_parser = place::parse, allow_hyphen_values = true)]
    center: Option<Coord>,
    /// How many steps away from it a seam may lie
    #[arg(
        long,
        default_value_t = 0,
        requires = "center",
        value_parser = clap::value_parser!(u32).range(0..=ring::MAX_RADIUS)
    )]
    radius: u32,
    /// Only seams of this type
    #[arg(long = "type", value_name = "TYPE")]
    seam_type: Option<SeamType>,
    /// Only seams of which this has become
    #[arg(long, value_parser = parse_status)]
    status: Option<ResolutionStatus>,
    /// Only seams from this source
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Only seams that hold at this time
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    valid_at: Option<Timestamp>,
    #[command(flatten)]
    at: At,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Show one seam
#[derive(Debug, clap::Args)]
struct Show {
    /// The database
    db: PathBuf,
    /// The seam's id
    #[arg(value_parser = parse_id)]
    id: Ulid,
    #[command(flatten)]
    at: At,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn parse_id(text: &str) -> Result<Ulid, String> {
    Ulid::from_string(text).map_err(|_| {
        format!("{text:?} is not the id of a seam; `hexxladb seam list` shows the ids")
    })
}

fn parse_status(text: &str) -> Result<ResolutionStatus, String> {
    text.parse().map_err(|error: hexxladb::Error| error.to_string())
}

pub(crate) fn run(args: Args, out: &mut dyn Write) -> Result<(), Failure> {
    match args.command {
        Command::Conflict(mark) => mark.commit.run(&mark.db, out, |tx| {
            let id = tx.mark_conflict(mark.a, mark.b, &mark.reason)?;
            Ok(Some(id.to_string()))
        }),
        Command::Supersedes(mark) => mark.commit.run(&mark.db, out, |tx| {
            let id = tx.mark_supersedes(mark.a, mark.b, &mark.reason)?;
            Ok(Some(id.to_string()))
        }),
        Command::Resolve(resolve) => {
            let commit =
                CommitArgs::new(resolve.note.clone(), resolve.when, resolve.keeping, resolve.json);
            commit.run(&resolve.db, out, |tx| {
                tx.resolve_seam(resolve.id, resolve.status, resolve.note.as_deref())?;
                Ok(Some(resolve.id.to_string()))
            })
        }
        Command::List(args) => list(&args, out),
        Command::Show(args) => show(&args, out),
    }
}

fn list(args: &List, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    let found: Box<dyn Iterator<Item = hexxladb::Result<(Ulid, Seam)>>> = match args.center {
        Some(center) => Box::new(snapshot.find_seams(center, args.radius, &args.filter())),
        None => Box::new(snapshot.seams(..).filter(|entry| {
            // An error is told, not filtered out.
            entry.as_ref().map_or(true, |(_, seam)| args.passes(seam))
        })),
    };
    for entry in found {
        let (id, seam) = entry?;
        if args.json {
            print_json(out, id, seam)?;
        } else {
            writeln!(out, "{id}\t{}", one_line(&seam))?;
        }
    }
    Ok(())
}

impl List {
    fn filter(&self) -> SeamFilter {
        let mut filter = SeamFilter::default();
        filter.seam_type.clone_from(&self.seam_type);
        filter.source.clone_from(&self.source);
        (filter.status, filter.valid_at) = (self.status, self.valid_at);
        filter
    }

    /// The same on a seam.
    fn passes(&self, seam: &Seam) -> bool {
        self.seam_type.as_ref().is_none_or(|wanted| *wanted == seam.seam_type)
            && self.status.is_none_or(|wanted| wanted == seam.resolution_status)
            && self.source.as_ref().is_none_or(|wanted| *wanted == seam.provenance.source_id)
            && self.valid_at.is_none_or(|time| seam.validity.contains(time))
    }
}

fn show(args: &Show, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    let Some(seam) = snapshot.get_seam(args.id)? else {
        return Err(Failure::No(format!("no seam {} as of commit {}", args.id, snapshot.seq())));
    };
    if args.json {
        return print_json(out, args.id, seam);
    }
    writeln!(out, "seam        {} as of commit {}", args.id, snapshot.seq())?;
    writeln!(out, "cells       {}", ends(&seam))?;
    writeln!(out, "detected    {}", time::show(seam.detected_at))?;
    writeln!(out, "status      {}", seam.resolution_status)?;
    if let Some(note) = &seam.resolution_note {
        writeln!(out, "resolution  {}", text::one_line(note, usize::MAX))?;
    }
    writeln!(out, "delta       {}", seam.confidence_delta)?;
    get::print_provenance(out, &seam.provenance)?;
    get::print_validity(out, seam.validity)?;
    writeln!(out, "reason\n\n{}", text::lines(&seam.reason))?;
    Ok(())
}

fn print_json(out: &mut dyn Write, id: Ulid, seam: Seam) -> Result<(), Failure> {
    let (id, seam) = (RecordId::Seam(id), Record::Seam(seam));
    print_line(out, &RecordLine::new(&id, Some(&seam))?)
}

/// What a seam says about its cells.
fn ends(seam: &Seam) -> String {
    let seam_type = text::one_line(seam.seam_type.as_str(), usize::MAX);
    format!("{} {seam_type} {}", seam.cell_a, seam.cell_b)
}

/// A seam on a line, without its id.
pub(crate) fn one_line(seam: &Seam) -> String {
    let (ends, status) = (ends(seam), seam.resolution_status);
    format!("{ends}\t{status}\t{}", text::one_line(&seam.reason, 60))
}
