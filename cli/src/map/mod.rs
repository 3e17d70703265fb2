//! `hexxladb map`: the lattice around a coordinate, in the terminal and as a drawing.
//!
//! The same state gives the same bytes: everything is in a fixed order, colours come from hashes,
//! and numbers are rounded.

mod scene;
mod svg;
mod terminal;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use hexxladb::Coord;

use crate::at::At;
use crate::failure::Failure;
use crate::{open_to_read, place};
use scene::Scene;

/// Largest radius: beyond, neither a terminal nor a drawing shows anything.
const MAX_RADIUS: i64 = 60;

/// Draw the cells around a coordinate with their edges and seams
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database
    db: PathBuf,
    /// The coordinate in the middle, for example 3,-1
    #[arg(
        value_parser = place::parse,
        allow_hyphen_values = true,
        default_value = "0,0"
    )]
    center: Coord,
    /// How many steps away from it
    #[arg(
        long,
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(0..=MAX_RADIUS)
    )]
    radius: u32,
    #[command(flatten)]
    at: At,
    /// Write a drawing in SVG to this file instead; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    svg: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let db = open_to_read(&args.db)?;
    let snapshot = args.at.snapshot(&db)?;
    let scene = Scene::read(&snapshot, args.center, args.radius)?;
    match &args.svg {
        Some(file) if file == Path::new("-") => Ok(out.write_all(svg::draw(&scene).as_bytes())?),
        Some(file) => std::fs::write(file, svg::draw(&scene))
            .map_err(|error| Failure::Input(format!("cannot write {}: {error}", file.display()))),
        None if args.json => scene.print_json(out),
        None => {
            let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            Ok(out.write_all(terminal::draw(&scene, colours).as_bytes())?)
        }
    }
}
