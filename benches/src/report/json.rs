//! The same as JSON: every round's figures, the medians, ratios, targets, failures, the machine.

use serde_json::{Map, Value, json};

use super::Report;
use crate::machine;
use crate::rows::{ROWS, Row};
use crate::summary::Medians;

/// The whole report.
pub fn json(report: &Report<'_>) -> Value {
    let medians = report.measured.medians();
    let run = report.run;
    let rows = ROWS.iter().filter(|row| run.workloads.contains(&row.workload));
    let machine: Map<String, Value> =
        report.machine.iter().map(|(what, text)| ((*what).to_owned(), json!(text))).collect();
    let failures = report.measured.failures.iter().map(|failure| {
        json!({
            "workload": failure.workload.name(),
            "engine": failure.engine.name(),
            "round": failure.round,
            "what": failure.what,
        })
    });
    json!({
        "machine": machine,
        "versions": machine::versions(&run.engines),
        "records": run.plan.records,
        "rounds": run.rounds,
        "rows": rows.map(|row| of_row(report, &medians, row)).collect::<Vec<_>>(),
        "failures": failures.collect::<Vec<_>>(),
    })
}

fn of_row(report: &Report<'_>, medians: &Medians, row: &Row) -> Value {
    let engines = report.engines().filter_map(|engine| {
        let median = medians.of(row.id, engine)?;
        let rounds = report.measured.rounds(row, engine);
        Some((engine.name().to_owned(), json!({ "median": median, "rounds": rounds })))
    });
    json!({
        "id": row.id,
        "title": row.title,
        "unit": format!("{:?}", row.unit),
        "more_is_better": row.unit.more_is_better(),
        "engines": engines.collect::<Map<_, _>>(),
        "best_rival": medians.best_rival(row).map(|(engine, _)| engine.name()),
        "times_better_than_best_rival": medians.ratio(row),
        "target": row.target,
        "reached": (row.reached)(medians),
    })
}
