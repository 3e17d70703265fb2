//! What the documents say exists, exists: links between them, their headings, paths of the tree.
//!
//! Paths are looked for in the documents' code spans and in the comments of the source.

use std::collections::BTreeSet;

use super::modules::normal;
use super::{Tree, Violation};
use crate::tree::File;

/// Where a word must begin to count as a path of this tree.
const TOP: [&str; 10] =
    ["engine/", "vfs/", "sinks/", "sim/", "cli/", "ci/", "benches/", "fuzz/", "corpus/", "docs/"];

/// Paths that only exist while something runs.
const MADE: [&str; 2] = ["fuzz/artifacts", "fuzz/target"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in &tree.markdown {
        for (line, text) in prose(&file.text) {
            for target in links(text) {
                if let Some(what) = broken(tree, file, target) {
                    found.push(Violation::new(&file.path, line, what));
                }
            }
        }
        for (index, text) in file.text.lines().enumerate() {
            missing_paths(tree, &file.path, index + 1, text, &mut found);
        }
    }
    for source in &tree.rust {
        for (index, text) in source.comments.lines().enumerate() {
            missing_paths(tree, &source.path, index + 1, text, &mut found);
        }
    }
    found
}

/// The numbered lines of a document outside of fenced code.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// The targets of the links in a line, `[text](target)`, outside of code spans.
fn links(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (index, span) in line.split('`').enumerate() {
        let after = if index % 2 == 0 { span } else { continue };
        found.extend(
            after
                .match_indices("](")
                .filter_map(|(at, _)| after[at + 2..].split([')', ' ']).next()),
        );
    }
    // The text of a link may itself be code: `[`text`](target)`.
    if let Some(rest) = line.split("`](").nth(1)
        && let Some(target) = rest.split([')', ' ']).next()
        && !found.contains(&target)
    {
        found.push(target);
    }
    found
}

/// Why a link leads nowhere, if it does.
fn broken(tree: &Tree, file: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) =
        target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let dir = file.path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let path = if path.is_empty() { file.path.clone() } else { normal(&format!("{dir}/{path}")) };
    if !tree.exists(&path) {
        return Some(format!("link to {target}: there is no {path}"));
    }
    let document = tree.markdown.iter().find(|other| other.path == path)?;
    let heading = heading?;
    let known = headings(&document.text).contains(heading);
    (!known).then(|| format!("link to {target}: {path} has no such heading"))
}

/// The anchors of a document's headings, as the usual renderers make them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() < line.len() && title.starts_with(' ') {
            let kept = title
                .trim()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            anchors.insert(kept.collect::<String>().to_lowercase().replace(' ', "-"));
        }
    }
    anchors
}

/// Paths of this tree that a line names and that are not there.
fn missing_paths(tree: &Tree, path: &str, line: usize, text: &str, found: &mut Vec<Violation>) {
    for word in text.split(|c: char| c.is_whitespace() || "`()[],;\"'|".contains(c)) {
        let word = word.trim_end_matches(['.', ':', '!', '?']);
        let begins = TOP.iter().any(|top| {
            word.strip_prefix(top).is_some_and(|rest| rest.starts_with(char::is_alphanumeric))
        });
        let pattern = word.contains(['<', '>', '*', '{', '}', '…', '$', '=', '+', '#'])
            || word.contains("NN");
        let made = MADE.iter().any(|made| word.starts_with(made));
        // `vfs/engine` and the like are prose: a path has more than one `/`, or an ending.
        let is_path = word.matches('/').count() > 1
            || word.rsplit('/').next().is_some_and(|name| name.contains('.'));
        if begins
            && is_path
            && !pattern
            && !made
            && !tree.exists(word.split("::").next().unwrap_or(word))
        {
            found.push(Violation::new(path, line, format!("{word} does not exist")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(text: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("docs/A.md", text),
            ("README.md", "# The start\n## Two, words\n"),
            ("engine/src/lib.rs", "//! x\n"),
        ]);
        check(&tree).into_iter().map(|v| format!("{}: {}", v.line, v.what)).collect()
    }

    #[test]
    fn a_link_to_nothing_is_seen() {
        assert_eq!(whats("\n[b](B.md)"), ["2: link to B.md: there is no docs/B.md"]);
        assert_eq!(whats("[`b`](B.md)"), ["1: link to B.md: there is no docs/B.md"]);
        assert_eq!(
            whats("[r](../README.md#three)"),
            ["1: link to ../README.md#three: README.md has no such heading"]
        );
        let fine = "[r](../README.md#two-words) [w](https://x.y/z) [here](#top) `[c](D.md)`\n# Top\n```\n[d](E.md)\n```";
        assert_eq!(whats(fine), [""; 0]);
    }

    #[test]
    fn a_path_that_is_not_there_is_seen() {
        assert_eq!(whats("see `engine/src/gone.rs`."), ["1: engine/src/gone.rs does not exist"]);
        assert_eq!(
            whats("in a block\n```\nls engine/src/gone\n```"),
            ["3: engine/src/gone does not exist"]
        );
        assert_eq!(
            whats(
                "`engine/src/lib.rs`, engine/src/, `corpus/plans/*`, `corpus/mutants/NN-name.patch`, engine/vfs"
            ),
            [""; 0]
        );
        let tree = Tree::of(&[("cli/src/a.rs", "// as in docs/FORMAT.md\nlet a = \"docs/B.md\";")]);
        assert_eq!(check(&tree)[0].what, "docs/FORMAT.md does not exist");
        assert_eq!(check(&tree).len(), 1);
    }
}
