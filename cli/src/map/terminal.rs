//! A map as text: rows of the lattice, each next one half a column to the right.

use std::fmt::Write as _;

use hexxladb::Coord;

use super::scene::{Placed, Scene, hash};
use crate::{seam, text};

/// Characters from one cell to the next in a row.
const COLUMN: usize = 12;
/// Characters of a cell's text.
const TEXT_CHARS: usize = 8;

/// The colours of tags, as terminals number them: neither black nor white.
const COLOURS: [u8; 6] = [31, 32, 33, 34, 35, 36];
const GREY: &str = "\x1b[90m";
const PLAIN: &str = "\x1b[0m";

/// The map, with colours if wanted.
pub(super) fn draw(scene: &Scene, colours: bool) -> String {
    let mut drawing = Drawing { text: String::new(), colours };
    drawing.line(&scene.title());
    drawing.line("");
    let radius = i64::from(scene.radius);
    for row in -radius..=radius {
        drawing.row(scene, row);
    }
    drawing.legend(scene);
    drawing.lists(scene);
    drawing.text
}

struct Drawing {
    text: String,
    colours: bool,
}

impl Drawing {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A row of the lattice: the texts, and below them where they stand.
    fn row(&mut self, scene: &Scene, row: i64) {
        let radius = i64::from(scene.radius);
        let (mut texts, mut places) = (Row::default(), Row::default());
        for column in (-radius).max(-radius - row)..=radius.min(radius - row) {
            let (q, r) = (i64::from(scene.center.q()) + column, i64::from(scene.center.r()) + row);
            let coord = i32::try_from(q).ok().zip(i32::try_from(r).ok());
            let Some(coord) = coord.and_then(|(q, r)| Coord::new(q, r).ok()) else { continue };
            // Half columns from the left border.
            let halves = usize::try_from(2 * column + row + 2 * radius).unwrap_or_default();
            let middle = (halves + 1) * COLUMN / 2;
            match scene.cell_at(coord) {
                Some(placed) => {
                    let text = marked(placed);
                    texts.put(middle, &text, &self.paint(placed));
                    places.put(middle, &coord.to_string(), self.grey());
                }
                None => texts.put(middle, "·", self.grey()),
            }
        }
        self.line(&texts.text);
        self.line(&places.text);
    }

    fn grey(&self) -> &'static str {
        if self.colours { GREY } else { "" }
    }

    fn paint(&self, placed: &Placed) -> String {
        if !self.colours {
            return String::new();
        }
        if placed.superseded {
            return GREY.to_owned();
        }
        placed.main_tag().map(colour).unwrap_or_default()
    }

    fn legend(&mut self, scene: &Scene) {
        let mut marks = vec!["· no cell"];
        if scene.cells.iter().any(|placed| placed.superseded) {
            marks.push("~superseded~");
        }
        if scene.cells.iter().any(|placed| placed.disputed) {
            marks.push("!in conflict");
        }
        self.line(&marks.join("   "));
        if self.colours {
            let painted = |tag| format!("{}{}{PLAIN}", colour(tag), text::one_line(tag, 30));
            let tags: Vec<_> = scene.tags().into_iter().map(painted).collect();
            if !tags.is_empty() {
                self.line(&format!("tags: {}", tags.join(" ")));
            }
        }
    }

    fn lists(&mut self, scene: &Scene) {
        if !scene.edges.is_empty() {
            self.line("\nedges");
        }
        for (id, edge) in &scene.edges {
            let relation = text::one_line(&id.relation, 60);
            self.line(&format!("  {} → {}  {relation}  weight {}", id.from, id.to, edge.weight));
        }
        if !scene.seams.is_empty() {
            self.line("\nseams");
        }
        for (_, found) in &scene.seams {
            self.line(&format!("  {}", seam::one_line(found).replace('\t', "  ")));
        }
        if scene.leaving > 0 {
            let leaving = text::count(scene.leaving);
            self.line(&format!("\nedges and seams that lead off the map: {leaving}"));
        }
    }
}

/// A cell's text with what there is to say of it.
fn marked(placed: &Placed) -> String {
    let text = placed.short_text(TEXT_CHARS);
    let text = if text.is_empty() { "\"\"".to_owned() } else { text };
    match (placed.superseded, placed.disputed) {
        (true, _) => format!("~{text}~"),
        (false, true) => format!("!{text}"),
        (false, false) => text,
    }
}

fn colour(tag: &str) -> String {
    let number = COLOURS[hash(tag, COLOURS.len() as u64) as usize];
    format!("\x1b[{number}m")
}

/// A line in the making.
#[derive(Default)]
struct Row {
    text: String,
    /// Characters in it that show.
    chars: usize,
}

impl Row {
    /// Puts a text around a column, which lies behind all that was put.
    fn put(&mut self, middle: usize, text: &str, paint: &str) {
        let chars = text.chars().count();
        let gap = (middle.saturating_sub(chars / 2)).saturating_sub(self.chars);
        let unpaint = if paint.is_empty() { "" } else { PLAIN };
        let _ = write!(self.text, "{:gap$}{paint}{text}{unpaint}", "");
        self.chars += gap + chars;
    }
}
