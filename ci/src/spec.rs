//! `cargo xtask spec`: docs/SPEC.md beside the tests that prove it.
//!
//! Fails on a promise that is marked built and has no test, on a test that names an id which is
//! not there, and on an id that is there twice. What counts as a test: a function with `#[test]`,
//! any function in a directory or file of tests or in an example (a check runs those), and a doc
//! comment that holds a doc test.

use std::collections::BTreeMap;

use crate::Result;
use crate::sh;
use crate::tree::{self, Source};

/// The document, from the root.
const DOCUMENT: &str = "docs/SPEC.md";

/// One promise of the document.
#[derive(Debug, PartialEq, Eq)]
struct Promise {
    id: String,
    built: bool,
    text: String,
    line: usize,
}

/// One comment of a test that names promises.
#[derive(Debug, PartialEq, Eq)]
struct Mention {
    /// `path::function` of the test.
    test: String,
    /// Where the comment stands.
    place: String,
    ids: Vec<String>,
    /// Whether it stands in a test at all.
    in_test: bool,
}

/// The command: the whole table, then what is wrong with it.
pub(crate) fn run() -> Result<()> {
    let (promises, mentions, wrong) = load()?;
    print(&promises, &tests_by_id(&mentions));
    conclude(&promises, &mentions, &wrong)
}

/// The step of a check: what is wrong, alone.
pub(crate) fn check() -> Result<()> {
    let (promises, mentions, wrong) = load()?;
    conclude(&promises, &mentions, &wrong)
}

/// The document, what the tests name, and what is wrong with either.
fn load() -> Result<(Vec<Promise>, Vec<Mention>, Vec<String>)> {
    let text = std::fs::read_to_string(sh::root().join(DOCUMENT))
        .map_err(|e| format!("cannot read {DOCUMENT}: {e}"))?;
    let (promises, mut wrong) = promises(&text);
    let files = tree::files(sh::root(), &[".rs"])?;
    let mentions: Vec<Mention> =
        files.into_iter().flat_map(|file| mentions(&Source::new(file))).collect();
    wrong.extend(complaints(&promises, &mentions));
    Ok((promises, mentions, wrong))
}

fn conclude(promises: &[Promise], mentions: &[Mention], wrong: &[String]) -> Result<()> {
    for complaint in wrong {
        println!("{complaint}");
    }
    let tests = tests_by_id(mentions);
    let built = promises.iter().filter(|promise| promise.built).count();
    let proved = promises.iter().filter(|promise| tests.contains_key(promise.id.as_str())).count();
    println!("spec: {} promises, {built} built, {proved} with a test", promises.len());
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} complaints about {DOCUMENT} and its tests", wrong.len()))
    }
}

fn print(promises: &[Promise], tests: &BTreeMap<&str, Vec<&str>>) {
    for promise in promises {
        let state = if promise.built { "built" } else { "planned" };
        println!("{:<9} {state:<8} {}", promise.id, promise.text);
        for test in tests.get(promise.id.as_str()).into_iter().flatten() {
            println!("{:19}{test}", "");
        }
    }
}

/// The promises of the document, and the items that look like one and are not.
fn promises(text: &str) -> (Vec<Promise>, Vec<String>) {
    let mut found: Vec<Promise> = Vec::new();
    let mut wrong = Vec::new();
    let mut continues = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(item) = line.strip_prefix("- **") {
            continues = true;
            let Some(promise) = parse(item, index + 1) else {
                wrong.push(format!(
                    "{DOCUMENT}:{}: not of the form `- **ID** (built|planned) text`",
                    index + 1
                ));
                continue;
            };
            if let Some(first) = found.iter().find(|other| other.id == promise.id) {
                wrong.push(format!(
                    "{DOCUMENT}:{}: {} is there already, in line {}",
                    index + 1,
                    promise.id,
                    first.line
                ));
            }
            found.push(promise);
        } else if continues && line.starts_with("  ") {
            if let Some(promise) = found.last_mut() {
                promise.text.push(' ');
                promise.text.push_str(line.trim());
            }
        } else {
            continues = false;
        }
    }
    (found, wrong)
}

fn parse(item: &str, line: usize) -> Option<Promise> {
    let (id, rest) = item.split_once("** (")?;
    let (state, text) = rest.split_once(") ")?;
    let built = match state {
        "built" => true,
        "planned" => false,
        _ => return None,
    };
    is_id(id).then(|| Promise { id: id.to_owned(), built, text: text.to_owned(), line })
}

/// Capital letters, a hyphen, two digits.
fn is_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(area, number)| {
        let letters = !area.is_empty() && area.bytes().all(|byte| byte.is_ascii_uppercase());
        letters && number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// What a file's comments name: lines that begin with `spec:`.
fn mentions(source: &Source) -> Vec<Mention> {
    let comments: Vec<&str> = source.comments.lines().collect();
    let code: Vec<&str> = source.code.lines().collect();
    let mut found = Vec::new();
    for (index, comment) in comments.iter().enumerate() {
        let words = comment.trim().trim_start_matches(['/', '!', ' ']);
        let Some(list) = words.strip_prefix("spec:") else { continue };
        let ids =
            list.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let (name, in_test) = owner(source, &comments, &code, index);
        let test = format!("{}::{name}", source.path);
        found.push(Mention { test, place: format!("{}:{}", source.path, index + 1), ids, in_test });
    }
    found
}

/// The function that a comment belongs to, and whether that is a test.
fn owner(source: &Source, comments: &[&str], code: &[&str], index: usize) -> (String, bool) {
    let in_tests =
        source.path.split('/').any(|part| matches!(part, "tests" | "examples" | "tests.rs"));
    let is_doc =
        |line: &&str| line.trim_start().starts_with("///") || line.trim_start().starts_with("//!");
    if is_doc(&comments[index]) {
        let above = comments[..index].iter().rev().take_while(|line| is_doc(line));
        let below = comments[index..].iter().take_while(|line| is_doc(line));
        if above.chain(below).any(|line| line.contains("```")) {
            return (format!("(doc test in line {})", index + 1), true);
        }
    }
    let above = (index..code.len())
        .find(|at| !code[*at].trim().is_empty() && !code[*at].trim_start().starts_with("#["));
    let owner = match above {
        Some(at) if code[index].trim().is_empty() && function(code[at]).is_some() => Some(at),
        _ => (0..index).rev().find(|at| {
            function(code[*at]).is_some() && indent(code[*at]) < indent(comments[index])
        }),
    };
    let Some(at) = owner else { return ("(no function)".into(), in_tests) };
    let attributes = code[..at]
        .iter()
        .rev()
        .take_while(|line| line.trim().is_empty() || line.trim_start().starts_with("#["));
    let is_test =
        attributes.into_iter().any(|line| line.contains("test]") || line.contains("test("));
    (function(code[at]).unwrap_or_default().to_owned(), is_test || in_tests)
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let mut words = line.trim_start();
    for prefix in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async "] {
        words = words.strip_prefix(prefix).unwrap_or(words);
    }
    words.strip_prefix("fn ")?.split(['(', '<']).next()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn tests_by_id(mentions: &[Mention]) -> BTreeMap<&str, Vec<&str>> {
    let mut tests: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for mention in mentions.iter().filter(|mention| mention.in_test) {
        for id in &mention.ids {
            let named = tests.entry(id).or_default();
            if !named.contains(&mention.test.as_str()) {
                named.push(&mention.test);
            }
        }
    }
    tests
}

fn complaints(promises: &[Promise], mentions: &[Mention]) -> Vec<String> {
    let mut wrong = Vec::new();
    for mention in mentions {
        if !mention.in_test {
            wrong.push(format!("{}: names promises outside of a test", mention.place));
        }
        for id in &mention.ids {
            if !promises.iter().any(|promise| promise.id == *id) {
                wrong.push(format!("{}: {id} is not in {DOCUMENT}", mention.place));
            }
        }
    }
    let tests = tests_by_id(mentions);
    for promise in
        promises.iter().filter(|promise| promise.built && !tests.contains_key(promise.id.as_str()))
    {
        wrong.push(format!(
            "{DOCUMENT}:{}: {} is marked built and no test names it",
            promise.line, promise.id
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::File;

    const SPEC: &str = "# x\n- **A-01** (built) one\n  and more\n- **A-02** (planned) two\n\n  not this\n- a list\n";

    fn found(path: &str, text: &str) -> Vec<(String, bool)> {
        let source = Source::new(File { path: path.into(), text: text.into() });
        mentions(&source)
            .into_iter()
            .map(|m| (m.test.split_once("::").unwrap().1.to_owned(), m.in_test))
            .collect()
    }

    fn wrong(spec: &str, code: &str) -> Vec<String> {
        let (promises, mut wrong) = promises(spec);
        let source = Source::new(File { path: "a/tests/it.rs".into(), text: code.into() });
        wrong.extend(complaints(&promises, &mentions(&source)));
        wrong
    }

    #[test]
    fn the_document_is_read_item_by_item() {
        let (found, wrong) = promises(SPEC);
        assert_eq!(wrong, [""; 0]);
        let seen: Vec<_> =
            found.iter().map(|p| (p.id.as_str(), p.built, p.text.as_str(), p.line)).collect();
        assert_eq!(seen, [("A-01", true, "one and more", 2), ("A-02", false, "two", 4)]);
        for bad in [
            "- **A-1** (built) x",
            "- **a-01** (built) x",
            "- **A-01** (done) x",
            "- **A-01** built x",
        ] {
            assert_eq!(promises(bad).1.len(), 1, "{bad}");
        }
    }

    #[test]
    fn the_shipped_document_is_well_formed() {
        let text = std::fs::read_to_string(sh::root().join(DOCUMENT)).unwrap();
        let (found, wrong) = promises(&text);
        assert_eq!(wrong, [""; 0]);
        assert!(found.len() > 100);
    }

    #[test]
    fn a_comment_belongs_to_the_function_below_or_around_it() {
        let above = "// spec: A-01\n#[test]\nfn a() {}\n";
        let inside =
            "#[test]\nfn a() {\n    let x = 1;\n    // spec: A-01\n    f(x);\n}\nfn b() {}";
        let with_doc = "/// What it is about.\n/// spec: A-01\n#[test]\nfn a() {}";
        for code in [above, inside, with_doc] {
            assert_eq!(found("a/src/x.rs", code), [("a".to_owned(), true)], "{code}");
        }
        let nested =
            "fn helper() {}\nmod tests {\n    // spec: A-01\n    #[test]\n    fn c() {}\n}";
        assert_eq!(found("a/src/x.rs", nested), [("c".to_owned(), true)]);
    }

    #[test]
    fn only_tests_count() {
        assert_eq!(found("a/src/x.rs", "// spec: A-01\nfn a() {}"), [("a".to_owned(), false)]);
        assert_eq!(found("a/tests/it/x.rs", "// spec: A-01\nfn a() {}"), [("a".to_owned(), true)]);
        assert_eq!(found("a/src/x.rs", "let s = \"// spec: A-01\";"), []);
        let doc = "/// Opens.\n/// ```compile_fail\n/// // spec: A-01\n/// ```\npub fn open() {}";
        assert_eq!(found("a/src/x.rs", doc), [("(doc test in line 3)".to_owned(), true)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(wrong(SPEC, "// spec: A-01\n#[test]\nfn a() {}"), [""; 0]);
        assert_eq!(wrong(SPEC, ""), ["docs/SPEC.md:2: A-01 is marked built and no test names it"]);
        let unknown = wrong(SPEC, "// spec: A-01, A-09\n#[test]\nfn a() {}");
        assert_eq!(unknown, ["a/tests/it.rs:1: A-09 is not in docs/SPEC.md"]);
        let twice = wrong("- **A-02** (planned) x\n- **A-02** (planned) y\n", "");
        assert_eq!(twice, ["docs/SPEC.md:2: A-02 is there already, in line 1"]);
    }
}
