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
    let note = format!(
        "Medians of {} rounds, {} records of 24 + 150 bytes, every commit synced. Dashed: for reference.",
        report.run.rounds, report.run.plan.records
    );
    let _ = write!(body, "<text class=\"note\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", escaped(&note));
    let height = y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\
         <title>HexxlaDB beside other embedded stores</title><style>{STYLE}</style>\n{body}</svg>\n"
    )
}

/// The bars of a row, best first.
fn bars(report: &Report<'_>, medians: &Medians, row: &Row) -> Vec<Bar> {
    let mut bars: Vec<Bar> = report
        .engines()
        .filter(|&engine| !report.measured.has_failed(row.workload, engine))
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

fn panel(body: &mut String, x: u32, y: u32, width: u32, row: &Row, bars: &[Bar]) {
    let better = if row.unit.more_is_better() { "" } else { " (less is better)" };
    let title = escaped(&format!("{}{better}", row.title));
    let _ = writeln!(body, "<text class=\"title\" x=\"{x}\" y=\"{}\">{title}</text>", y + 12);
    let longest = bars.iter().map(|bar| bar.figure).fold(f64::MIN_POSITIVE, f64::max);
    let room = f64::from(width - LABEL_WIDTH - VALUE_WIDTH);
    for (at, bar) in bars.iter().enumerate() {
        let top = y + TITLE_HEIGHT + at as u32 * BAR_STEP;
        let class = match bar.engine {
            Engine::Hexxladb => "us",
            engine if engine.is_rival() => "rival",
            _ => "reference",
        };
        let start = x + LABEL_WIDTH;
        let length = (bar.figure / longest * room).max(1.0);
        let base = top + BAR_HEIGHT - 3;
        let _ = writeln!(
            body,
            "<g class=\"{class}\"><text class=\"label\" x=\"{}\" y=\"{base}\">{}</text>\
             <rect x=\"{start}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{base}\">{}</text></g>",
            start - 8,
            escaped(bar.engine.title()),
            f64::from(start) + length + 6.0,
            escaped(&bar.text),
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
