//! A map as a drawing: one SVG file that needs nothing else.

use std::fmt::Write as _;

use hexxladb::{Coord, ResolutionStatus, SeamType};

use super::scene::{Placed, Scene, hash};
use crate::text;

/// From the middle of a hexagon to its corners.
const SIZE: f64 = 60.0;
const SQRT_3: f64 = 1.732_050_807_568_877_2;
/// Between the drawing and its border.
const MARGIN: f64 = 24.0;
/// Height of a line of the legend.
const LINE: f64 = 20.0;
/// Letters of a cell's text on a line, and lines of it.
const LINE_CHARS: usize = 12;
const TEXT_LINES: usize = 2;
/// How far from a hexagon's middle edges and seams begin and end.
const END: f64 = SIZE * 0.66;

const STYLE: &str = "\
text{font-family:sans-serif;font-size:11px;fill:#222;text-anchor:middle}
.place{font-size:8px;fill:#888}.label{font-size:9px;fill:#446}.legend{text-anchor:start}
.empty{fill:none;stroke:#ddd}.cell{stroke:#777}.center{stroke:#000;stroke-width:2}
.superseded polygon{fill:#eee;stroke:#ccc}.superseded text{fill:#aaa;text-decoration:line-through}
.edge{stroke:#446;stroke-width:1.5;fill:none;marker-end:url(#arrow)}
.seam{stroke-width:2.5;stroke-dasharray:6 4;fill:none}.resolved{opacity:.4}";

/// The drawing.
pub(super) fn draw(scene: &Scene) -> String {
    let radius = f64::from(scene.radius);
    let (across, down) = ((2.0 * radius + 1.0) * SIZE * SQRT_3, (3.0 * radius + 2.0) * SIZE);
    let legend = legend(scene);
    let width = (across + 2.0 * MARGIN).max(360.0);
    let top = MARGIN + LINE + down;
    let height = top + MARGIN + LINE * count(legend.len());
    let mut svg = Svg {
        text: String::new(),
        center: scene.center,
        middle: (width / 2.0, MARGIN + LINE + down / 2.0),
    };
    svg.add(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" \
         height=\"{1}\">",
        number(width),
        number(height)
    ));
    svg.add(&format!("<title>{}</title>", escape(&scene.title())));
    svg.add(&format!("<style>\n{STYLE}\n</style>"));
    svg.add(
        "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#446\"/></marker>\
         </defs>",
    );
    svg.add("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
    svg.label("", (width / 2.0, MARGIN), &scene.title());
    for coord in scene.center.spiral(scene.radius) {
        svg.place(coord, scene.cell_at(coord));
    }
    svg.seams(scene);
    svg.edges(scene);
    for (line, entry) in legend.iter().enumerate() {
        svg.legend_line(entry, top + LINE * (count(line) + 0.5));
    }
    svg.add("</svg>");
    svg.text
}

/// A drawing in the making.
struct Svg {
    text: String,
    center: Coord,
    /// Where the center is.
    middle: (f64, f64),
}

type Point = (f64, f64);

impl Svg {
    fn add(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The middle of a hexagon, whose corners point up and down.
    fn point(&self, coord: Coord) -> Point {
        let q = f64::from(coord.q() - self.center.q());
        let r = f64::from(coord.r() - self.center.r());
        (self.middle.0 + SIZE * SQRT_3 * (q + r / 2.0), self.middle.1 + SIZE * 1.5 * r)
    }

    fn label(&mut self, class: &str, (x, y): Point, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.add(&format!(
            "<text{class} x=\"{}\" y=\"{}\">{}</text>",
            number(x),
            number(y),
            escape(text)
        ));
    }

    fn hexagon(&mut self, (x, y): Point, class: &str, style: &str) {
        let (half, short) = (SIZE * SQRT_3 / 2.0 - 1.5, SIZE / 2.0 - 0.9);
        let corners = [
            (0.0, -SIZE + 1.7),
            (half, -short),
            (half, short),
            (0.0, SIZE - 1.7),
            (-half, short),
            (-half, -short),
        ];
        let points: Vec<_> = corners
            .iter()
            .map(|(dx, dy)| format!("{},{}", number(x + dx), number(y + dy)))
            .collect();
        self.add(&format!("<polygon class=\"{class}\"{style} points=\"{}\"/>", points.join(" ")));
    }

    fn place(&mut self, coord: Coord, placed: Option<&Placed>) {
        let (x, y) = self.point(coord);
        let is_center = if coord == self.center { " center" } else { "" };
        let Some(placed) = placed else {
            return self.hexagon((x, y), &format!("empty{is_center}"), "");
        };
        let group = if placed.superseded { "<g class=\"superseded\">" } else { "<g>" };
        self.add(&format!("{group}<title>{}</title>", escape(&tooltip(placed))));
        let fill = placed.main_tag().map_or("#fff", colour);
        // A style would win over the grey of a superseded cell.
        self.hexagon((x, y), &format!("cell{is_center}"), &format!(" fill=\"{fill}\""));
        let lines = wrapped(&placed.short_text(LINE_CHARS * TEXT_LINES + 4));
        let first = y + 3.0 - 6.5 * (count(lines.len()) - 1.0);
        for (number, line) in lines.iter().enumerate() {
            self.label("", (x, first + 13.0 * count(number)), line);
        }
        self.label("place", (x, y + SIZE * 0.62), &coord.to_string());
        self.add("</g>");
    }

    fn edges(&mut self, scene: &Scene) {
        for (number, (id, edge)) in scene.edges.iter().enumerate() {
            let parallel = scene.edges[..number]
                .iter()
                .filter(|(other, _)| (other.from, other.to) == (id.from, id.to))
                .count();
            let relation = text::one_line(&id.relation, 60);
            let title = format!("{} → {} {relation}, weight {}", id.from, id.to, edge.weight);
            self.add(&format!("<g><title>{}</title>", escape(&title)));
            let away = 8.0 + 12.0 * count(parallel);
            let at = if id.from == id.to {
                self.circle(id.from, away)
            } else {
                self.line("edge", "", id.from, id.to, away)
            };
            self.label("label", at, &text::one_line(&id.relation, 18));
            self.add("</g>");
        }
    }

    fn seams(&mut self, scene: &Scene) {
        for (number, (id, seam)) in scene.seams.iter().enumerate() {
            let ends = (seam.cell_a, seam.cell_b);
            let parallel = scene.seams[..number]
                .iter()
                .filter(|(_, other)| (other.cell_a, other.cell_b) == ends)
                .count();
            let seam_type = text::one_line(seam.seam_type.as_str(), 60);
            let (a, b, status) = (seam.cell_a, seam.cell_b, seam.resolution_status);
            let reason = text::one_line(&seam.reason, 200);
            let title = format!("{a} {seam_type} {b}, {status}: {reason} ({id})");
            self.add(&format!("<g><title>{}</title>", escape(&title)));
            let is_open = status == ResolutionStatus::Unresolved;
            let class = if is_open { "seam" } else { "seam resolved" };
            let stroke = format!(" stroke=\"{}\"", seam_colour(&seam.seam_type));
            self.line(class, &stroke, a, b, 5.0 * count(parallel));
            self.add("</g>");
        }
    }

    /// A line from one hexagon to another, `away` to its right; returns where its label goes.
    fn line(&mut self, class: &str, style: &str, from: Coord, to: Coord, away: f64) -> Point {
        let ((x1, y1), (x2, y2)) = (self.point(from), self.point(to));
        let (dx, dy) = (x2 - x1, y2 - y1);
        let length = dx.hypot(dy).max(1.0);
        let (dx, dy) = (dx / length, dy / length);
        let (sx, sy) = (-dy * away, dx * away);
        let (x1, y1) = (x1 + dx * END + sx, y1 + dy * END + sy);
        let (x2, y2) = (x2 - dx * END + sx, y2 - dy * END + sy);
        self.add(&format!(
            "<path class=\"{class}\"{style} d=\"M{} {}L{} {}\"/>",
            number(x1),
            number(y1),
            number(x2),
            number(y2)
        ));
        let beside = |d: f64| d * (8.0 / away.abs().max(1.0));
        (f64::midpoint(x1, x2) + beside(sx), f64::midpoint(y1, y2) + beside(sy) + 3.0)
    }

    /// An edge that leads back to where it begins.
    fn circle(&mut self, at: Coord, away: f64) -> Point {
        let (x, y) = self.point(at);
        let (top, side) = (y - END - away, SIZE * 0.22);
        self.add(&format!(
            "<path class=\"edge\" d=\"M{} {}C{} {} {} {} {} {}\"/>",
            number(x - side),
            number(y - SIZE * 0.4),
            number(x - side),
            number(top),
            number(x + side),
            number(top),
            number(x + side),
            number(y - SIZE * 0.4)
        ));
        (x, top)
    }

    fn legend_line(&mut self, (mark, text): &(String, String), y: f64) {
        let _ = writeln!(
            self.text,
            "<g transform=\"translate({} {})\">{mark}<text class=\"legend\" x=\"34\" y=\"4\">{}\
             </text></g>",
            number(MARGIN),
            number(y),
            escape(text)
        );
    }
}

/// What the drawing's signs mean: the sign and the words.
fn legend(scene: &Scene) -> Vec<(String, String)> {
    let swatch = |fill: &str| {
        format!(
            "<rect x=\"4\" y=\"-7\" width=\"20\" height=\"14\" fill=\"{fill}\" stroke=\"#777\"/>"
        )
    };
    let mut legend: Vec<_> = scene
        .tags()
        .into_iter()
        .map(|tag| (swatch(colour(tag)), format!("tag {}", text::one_line(tag, 40))))
        .collect();
    if scene.cells.iter().any(|placed| placed.superseded) {
        legend.push((swatch("#eee"), "superseded".to_owned()));
    }
    if !scene.edges.is_empty() {
        let arrow = "<path class=\"edge\" d=\"M2 0L28 0\"/>".to_owned();
        legend.push((arrow, "edge, with its relation type".to_owned()));
    }
    let mut types: Vec<_> = scene.seams.iter().map(|(_, seam)| &seam.seam_type).collect();
    types.sort_by_key(|seam_type| seam_type.as_str());
    types.dedup();
    for seam_type in types {
        let stroke = seam_colour(seam_type);
        let line = format!("<path class=\"seam\" stroke=\"{stroke}\" d=\"M2 0L28 0\"/>");
        let name = text::one_line(seam_type.as_str(), 40);
        legend.push((line, format!("seam: {name}; pale once it is resolved")));
    }
    if scene.leaving > 0 {
        let leaving = text::count(scene.leaving);
        legend.push((String::new(), format!("edges and seams that lead off the map: {leaving}")));
    }
    legend
}

/// Pale colours for tags; not every program that shows SVG can mix them itself.
const TAG_COLOURS: [&str; 12] = [
    "#ffd6cc", "#ffe8b8", "#f4f2b4", "#d9efb5", "#bfeecb", "#b8ece3", "#bfe3f5", "#c9d6fb",
    "#dccff9", "#f1cdf3", "#fbcde0", "#e3dccd",
];
/// Strong ones for seams.
const SEAM_COLOURS: [&str; 6] = ["#7b3fb5", "#1d7f8c", "#a8641d", "#3a7d2c", "#2d55b8", "#a02f74"];

fn colour(tag: &str) -> &'static str {
    TAG_COLOURS[hash(tag, TAG_COLOURS.len() as u64) as usize]
}

fn seam_colour(seam_type: &SeamType) -> &'static str {
    match seam_type {
        SeamType::Conflict => "#c22",
        SeamType::Supersedes => "#888",
        other => SEAM_COLOURS[hash(other.as_str(), SEAM_COLOURS.len() as u64) as usize],
    }
}

fn tooltip(placed: &Placed) -> String {
    let cell = &placed.cell;
    let mut tooltip = format!("{} {}", placed.coord, text::one_line(&cell.raw_content, 400));
    let mut line = |name: &str, value: &str| {
        let _ = write!(tooltip, "\n{name}: {}", text::one_line(value, 200));
    };
    if !cell.provenance.source_id.is_empty() {
        line("source", &cell.provenance.source_id);
    }
    line("confidence", &cell.provenance.confidence.to_string());
    if !cell.tags.is_empty() {
        line("tags", &cell.tags.join(", "));
    }
    if placed.superseded {
        line("superseded", "yes");
    }
    tooltip
}

/// A text on lines that a hexagon holds.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > LINE_CHARS {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let cut = lines.len() > TEXT_LINES;
    lines.truncate(TEXT_LINES);
    let last = lines.len() - 1;
    for (number, line) in lines.iter_mut().enumerate() {
        if line.chars().count() > LINE_CHARS || (cut && number == last) {
            *line = line.chars().take(LINE_CHARS - 1).collect();
            line.push('…');
        }
    }
    lines
}

/// Text in XML. Control characters, which it cannot hold, were escaped before.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // No character of XML.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A small number.
#[expect(clippy::cast_precision_loss, reason = "lines and signs of one drawing")]
fn count(value: usize) -> f64 {
    value as f64
}

/// With one decimal place.
fn number(value: f64) -> String {
    // Adding zero turns −0 into 0.
    format!("{:.1}", (value * 10.0).round() / 10.0 + 0.0)
}
