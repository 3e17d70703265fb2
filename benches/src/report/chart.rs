//! The chart: a panel for each chosen row, a bar for each engine, this project's in colour.
//!
//! Written by hand as SVG that stands alone: no script, no font of its own, and colours that
//! follow the reader's light or dark setting.

use std::fmt::Write;

use super::Report;
use crate::engines::Engine;
use crate::rows::{ROWS, Row};
use crate::summary::Medians;

const WIDTH: u32 = 860;
const MARGIN: u32 = 14;
const COLUMN_GAP: u32 = 28;
const TITLE_HEIGHT: u32 = 26;
const BAR_HEIGHT: u32 = 13;
const BAR_STEP: u32 = 18;
const PANEL_GAP: u32 = 18;
const LABEL_WIDTH: u32 = 78;
const VALUE_WIDTH: u32 = 64;

const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f}\
.title{font-weight:600}.label{text-anchor:end}.us text{font-weight:600}\
.us rect{fill:#0a7d5a}.rival rect{fill:#8c959f}\
.reference rect{fill:none;stroke:#8c959f;stroke-dasharray:3 2}\
.note{font-size:11px;fill:#57606a}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.us rect{fill:#3fd29b}\
.rival rect{fill:#6e7681}.reference rect{stroke:#8b949e}.note{fill:#9198a1}}";

/// A bar: who, how much, and how it is written.
struct Bar {
    engine: Engine,
    figure: f64,
    text: String,
}

/// The whole chart.
pub fn svg(report: &Report<'_>) -> String {
    let medians = report.measured.medians();
    let panels: Vec<Panel> =
        ROWS.iter().filter_map(|row| Panel::new(report, &medians, row)).collect();
    let mut body = String::new();
    let mut y = MARGIN;
    let column_width = (WIDTH - 2 * MARGIN - COLUMN_GAP) / 2;
    for pair in panels.chunks(2) {
        for (column, panel) in pair.iter().enumerate() {
            let x = MARGIN + column as u32 * (column_width + COLUMN_GAP);
            panel.draw(&mut body, x, y, column_width);
        }
        let tallest = pair.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
        y += TITLE_HEIGHT + tallest as u32 * BAR_STEP + PANEL_GAP;
    }
    let note = format!("{} Every commit is synced. Dashed: for reference.", report.how_measured());
    let _ = write!(body, "<text class=\"note\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", escaped(&note));
    let height = y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\
         <title>HexxlaDB beside other embedded stores</title><style>{STYLE}</style>\n{body}</svg>\n"
    )
}

/// One row's part of the chart.
struct Panel {
    title: String,
    bars: Vec<Bar>,
}

impl Panel {
    /// The panel of a row that belongs in the chart and has figures.
    fn new(report: &Report<'_>, medians: &Medians, row: &Row) -> Option<Self> {
        let better = if row.unit.more_is_better() { "" } else { " (less is better)" };
        let title = format!("{}{better}", row.chart_title?);
        let bars = bars(report, medians, row);
        (!bars.is_empty()).then_some(Self { title, bars })
    }

    fn draw(&self, body: &mut String, x: u32, y: u32, width: u32) {
        let title = escaped(&self.title);
        let _ = writeln!(body, "<text class=\"title\" x=\"{x}\" y=\"{}\">{title}</text>", y + 12);
        let longest = self.bars.iter().map(|bar| bar.figure).fold(f64::MIN_POSITIVE, f64::max);
        let room = f64::from(width - LABEL_WIDTH - VALUE_WIDTH);
        for (at, bar) in self.bars.iter().enumerate() {
            let top = y + TITLE_HEIGHT + at as u32 * BAR_STEP;
            bar.draw(body, x + LABEL_WIDTH, top, (bar.figure / longest * room).max(1.0));
        }
    }
}

impl Bar {
    fn draw(&self, body: &mut String, x: u32, y: u32, length: f64) {
        let class = match self.engine {
            Engine::Hexxladb => "us",
            engine if engine.is_rival() => "rival",
            _ => "reference",
        };
        let base = y + BAR_HEIGHT - 3;
        let _ = writeln!(
            body,
            "<g class=\"{class}\"><text class=\"label\" x=\"{}\" y=\"{base}\">{}</text>\
             <rect x=\"{x}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{base}\">{}</text></g>",
            x - 8,
            escaped(self.engine.title()),
            f64::from(x) + length + 6.0,
            escaped(&self.text),
        );
    }
}

/// The bars of a row, best first.
fn bars(report: &Report<'_>, medians: &Medians, row: &Row) -> Vec<Bar> {
    let engines = report.engines();
    let engines = engines.filter(|&engine| !report.measured.has_failed(row.workload, engine));
    let mut bars: Vec<Bar> = engines
        .filter_map(|engine| {
            let figure = medians.of(row.id, engine)?;
            Some(Bar { engine, figure, text: row.unit.show(figure) })
        })
        .collect();
    bars.sort_by(|a, b| a.figure.total_cmp(&b.figure));
    if row.unit.more_is_better() {
        bars.reverse();
    }
    bars
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
