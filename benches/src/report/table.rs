//! The table: a row for each figure, a column for each engine, the ratio to the best rival, the
//! target; below it what failed and where it was measured.

use std::fmt::Write;

use super::Report;
use crate::engines::Engine;
use crate::machine;
use crate::rows::{ROWS, Row};
use crate::summary::Medians;

/// The whole report as Markdown.
pub fn markdown(report: &Report<'_>) -> String {
    let medians = report.measured.medians();
    let mut text = header(report);
    for row in ROWS.iter().filter(|row| report.run.workloads.contains(&row.workload)) {
        text += &line(report, &medians, row);
    }
    text += &notes(report);
    text
}

fn header(report: &Report<'_>) -> String {
    let mut names = String::from("| work |");
    let mut rule = String::from("| --- |");
    for engine in report.engines() {
        let _ = write!(names, " {} |", engine.title());
        rule += " ---: |";
    }
    format!("{names} ÷ best rival | target |\n{rule} ---: | --- |\n")
}

fn line(report: &Report<'_>, medians: &Medians, row: &Row) -> String {
    let mut line = format!("| {} |", row.title);
    for engine in report.engines() {
        let _ = write!(line, " {} |", cell(report, medians, row, engine));
    }
    let ratio = medians.ratio(row).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
    let target = match (row.reached)(medians) {
        _ if row.target.is_empty() => String::new(),
        Some(true) => format!("{}: reached", row.target),
        Some(false) => format!("{}: **missed**", row.target),
        None => row.target.to_owned(),
    };
    let _ = writeln!(line, " {ratio} | {target} |");
    line
}

fn cell(report: &Report<'_>, medians: &Medians, row: &Row, engine: Engine) -> String {
    if report.measured.has_failed(row.workload, engine) {
        return "failed".to_owned();
    }
    let figure = medians.of(row.id, engine).map(|median| row.unit.show(median));
    let best = medians.best_rival(row).is_some_and(|(best, _)| best == engine);
    match figure {
        Some(figure) if best => format!("**{figure}**"),
        Some(figure) => figure,
        None => "–".to_owned(),
    }
}

fn notes(report: &Report<'_>) -> String {
    let run = report.run;
    let mut text = format!(
        "\n{} “÷ best rival” is how many times better than the best of the others (bold) HexxlaDB \
         is, whichever way the unit runs. –: not measured, or the engine does not offer it.\n",
        report.how_measured()
    );
    for failure in &report.measured.failures {
        let (workload, engine) = (failure.workload.name(), failure.engine.title());
        let _ = writeln!(
            text,
            "\n{engine} failed at {workload}, round {}: {}.",
            failure.round, failure.what
        );
    }
    let machine: Vec<String> =
        report.machine.iter().map(|(what, text)| format!("{what}: {text}")).collect();
    let _ = writeln!(text, "\nMachine: {}.", machine.join("; "));
    let versions: Vec<String> = machine::versions(&run.engines).into_values().collect();
    let _ = writeln!(text, "\nVersions: {}.", versions.join(", "));
    text
}
