//! The kill table: as Markdown where people look, as JSON where programs do.

use std::fs;

use super::{Fate, LIMIT, Mutant};
use crate::Result;
use crate::sh;

/// Where the table goes.
const DOCUMENT: &str = "docs/SIMULATION.md";
const BEGIN: &str = "<!-- mutants: begin -->";
const END: &str = "<!-- mutants: end -->";

pub(super) fn words(fate: &Fate) -> String {
    match fate {
        Fate::Killed { seconds, report } => format!("killed in {seconds:.1} s: {report}"),
        Fate::Survived => "SURVIVED".into(),
        Fate::ProvesNothing(report) => format!("PROVES NOTHING, it fails without faults: {report}"),
        Fate::Broken(why) => format!("BROKEN: {why}"),
    }
}

/// The kill table, as Markdown.
pub(super) fn table(fates: &[(Mutant, Fate)]) -> String {
    let row = |(mutant, fate): &(Mutant, Fate)| {
        let (word, seconds, report) = columns(fate);
        let seconds = seconds.map_or(String::new(), |s| format!("{s:.1}"));
        let [bug, report] = [&mutant.bug, report].map(cell);
        format!("| {} | {bug} | {word} | {seconds} | {report} |\n", mutant.name)
    };
    let rows: String = fates.iter().map(row).collect();
    let killed = fates.iter().filter(|(_, fate)| matches!(fate, Fate::Killed { .. })).count();
    format!(
        "| mutant | the bug | fate | seconds | found by |\n| --- | --- | --- | ---: | --- |\n{rows}\n\
         {killed} of {} killed, each given {} s.\n",
        fates.len(),
        LIMIT.as_secs()
    )
}

/// A text as it may stand in a cell: one line, no bars.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").lines().collect::<Vec<_>>().join(" ")
}

fn columns(fate: &Fate) -> (&'static str, Option<f64>, &str) {
    match fate {
        Fate::Killed { seconds, report } => ("killed", Some(*seconds), report),
        Fate::Survived => ("survived", None, ""),
        Fate::ProvesNothing(report) => ("proves nothing", None, report),
        Fate::Broken(why) => ("broken", None, why),
    }
}

fn json(fates: &[(Mutant, Fate)]) -> String {
    let quote = |text: &str| {
        let escape = |c: char| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        };
        format!("\"{}\"", text.chars().map(escape).collect::<String>())
    };
    let line = |(mutant, fate): &(Mutant, Fate)| {
        let (word, seconds, report) = columns(fate);
        let seconds = seconds.map_or("null".to_owned(), |s| format!("{s:.3}"));
        let texts = [&mutant.name, &mutant.bug, word, report].map(quote);
        let [name, bug, word, report] = texts;
        format!(
            "  {{\"mutant\":{name},\"bug\":{bug},\"fate\":{word},\"seconds\":{seconds},\"report\":{report}}}"
        )
    };
    format!("[\n{}\n]\n", fates.iter().map(line).collect::<Vec<_>>().join(",\n"))
}

/// Writes the table to where people and programs find it.
pub(super) fn publish(fates: &[(Mutant, Fate)]) -> Result<()> {
    let path = sh::root().join(DOCUMENT);
    let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {DOCUMENT}: {e}"))?;
    let text = between_markers(&text, &table(fates))?;
    fs::write(&path, text).map_err(|e| format!("cannot write {DOCUMENT}: {e}"))?;
    let path = sh::target_dir().join("mutants.json");
    fs::write(&path, json(fates)).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn between_markers(document: &str, table: &str) -> Result<String> {
    let missing = || format!("{DOCUMENT} lacks the lines {BEGIN} and {END}");
    let (before, rest) = document.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{killed, mutant};
    use super::*;

    #[test]
    fn the_table_replaces_the_one_before() {
        let fates = [(mutant("01-a", "x"), killed()), (mutant("02-b", "x"), Fate::Survived)];
        let table = table(&fates);
        assert!(
            table.contains("| 01-a | a \\| b | killed | 1.2 | seed 3: \"lost\" |\n"),
            "{table}"
        );
        assert!(table.contains("| 02-b | a \\| b | survived |  |  |\n"), "{table}");
        assert!(table.ends_with("1 of 2 killed, each given 60 s.\n"), "{table}");
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = between_markers(&document, &table).unwrap();
        assert!(
            new.starts_with("a\n")
                && new.ends_with("\nb\n")
                && !new.contains("old")
                && new.contains("01-a")
        );
        assert_eq!(between_markers(&new, &table).unwrap(), new);
        assert!(between_markers("no markers", &table).is_err());
    }

    #[test]
    fn json_escapes_what_it_must() {
        let text = json(&[(mutant("01-a", "x"), killed())]);
        assert!(text.contains("\"seconds\":1.250,\"report\":\"seed 3: \\\"lost\\\"\""), "{text}");
    }
}
