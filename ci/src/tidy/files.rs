//! Rules for each Rust file alone: its opening, its length, nothing unfinished in it.

use super::{Tree, Violation};
use crate::tree::{Source, is_word};

/// Most lines that a file of the library may have; one that needs more holds two concepts.
const MAX_LINES: usize = 600;

/// Where [`MAX_LINES`] holds.
const MEASURED: [&str; 2] = ["engine/src/", "vfs/src/"];

/// Files that may be longer, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// Code that is not done yet.
const UNFINISHED_CODE: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Notes to oneself.
const UNFINISHED_NOTES: [&str; 2] = ["FIXME", "XXX"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in &tree.rust {
        found.extend(opening(source));
        found.extend(length(source));
        unfinished(source, &source.code, &UNFINISHED_CODE, &mut found);
        unfinished(source, &source.code, &UNFINISHED_NOTES, &mut found);
        unfinished(source, &source.comments, &UNFINISHED_NOTES, &mut found);
    }
    found
}

/// A file opens by saying what it is for.
fn opening(source: &Source) -> Option<Violation> {
    let opens = source.text.trim_start_matches(['\u{feff}', '\n']).starts_with("//!");
    let what = "open the file with `//!`: what it is for and what always holds in it";
    (!opens).then(|| Violation::new(&source.path, 1, what))
}

fn length(source: &Source) -> Option<Violation> {
    let measured = MEASURED.iter().any(|dir| source.path.starts_with(dir));
    let excepted = LONG_FILES.iter().any(|(path, _)| *path == source.path);
    let lines = source.text.lines().count();
    let what = format!("{lines} lines, more than {MAX_LINES}: split it by concept");
    (measured && !excepted && lines > MAX_LINES)
        .then(|| Violation::new(&source.path, MAX_LINES + 1, what))
}

fn unfinished(source: &Source, text: &str, words: &[&str], found: &mut Vec<Violation>) {
    for word in words {
        for (at, _) in text.match_indices(word) {
            let begins =
                at == 0 || !is_word(text.as_bytes()[at - 1]) || !is_word(word.as_bytes()[0]);
            let ends = text.as_bytes().get(at + word.len()).is_none_or(|byte| !is_word(*byte));
            if begins && ends {
                found.push(Violation::new(
                    &source.path,
                    source.line(at),
                    format!("{word}: finish it or leave it out"),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)]))
            .into_iter()
            .map(|v| format!("{} {}", v.line, v.what))
            .collect()
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        assert!(whats("cli/src/a.rs", "//! Good.\n").is_empty());
        assert!(whats("cli/src/a.rs", "// Not a doc comment.\n")[0].starts_with("1 open the file"));
    }

    #[test]
    fn a_long_file_is_a_violation_in_the_library_alone() {
        let long = format!("//! Long.\n{}", "\n".repeat(600));
        assert!(whats("engine/src/a.rs", &long)[0].starts_with("601 601 lines"));
        assert!(whats("engine/src/a.rs", &long[..long.len() - 1]).is_empty());
        assert!(whats("sim/src/a.rs", &long).is_empty());
    }

    #[test]
    fn nothing_unfinished() {
        let planted = "//! A.\nfn f() { todo!() }\n// FIXME later\n#[ignore = \"slow\"]\nlet x = dbg!(1); // XXX\n";
        let lines: Vec<String> =
            whats("cli/src/a.rs", planted).iter().map(|w| w[..1].to_owned()).collect();
        assert_eq!(lines, ["2", "5", "4", "3", "5"]);
        assert!(
            whats("cli/src/a.rs", "//! A.\nf(\"todo!() FIXME\"); // XXXL, mytodo!\n").is_empty()
        );
    }
}
