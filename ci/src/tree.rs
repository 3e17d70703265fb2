//! The files of the workspace, as text and as Rust source.
//!
//! What cargo built is left out (its directories carry a `CACHEDIR.TAG`), as is git's own
//! store; everything else in the tree counts, committed or not.

use std::path::Path;

use crate::Result;

/// One text file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Path from the root, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Directories that hold no source.
const SKIPPED: [&str; 3] = [".git", "target", "fuzz/artifacts"];

/// The paths of all files below `root`, sorted, relative to it.
pub(crate) fn paths(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    walk(root, "", &mut found).map_err(|e| format!("cannot list {}: {e}", root.display()))?;
    found.sort();
    Ok(found)
}

/// The text files below `root` with one of these endings.
pub(crate) fn files(root: &Path, endings: &[&str]) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for path in paths(root)? {
        if endings.iter().any(|ending| path.ends_with(ending)) {
            let text = std::fs::read_to_string(root.join(&path))
                .map_err(|e| format!("cannot read {path}: {e}"))?;
            files.push(File { path, text });
        }
    }
    Ok(files)
}

fn walk(root: &Path, below: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type()?.is_dir() {
            if !SKIPPED.contains(&path.as_str()) && !entry.path().join("CACHEDIR.TAG").exists() {
                walk(root, &path, found)?;
            }
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// A Rust file taken apart: the same text three times, with everything else blanked out and every
/// line and column where it was.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    /// Neither comments nor what stands inside literals.
    pub(crate) code: String,
    /// Comments alone.
    pub(crate) comments: String,
}

impl Source {
    pub(crate) fn new(file: File) -> Self {
        let (code, comments) = split(&file.text);
        Self { path: file.path, text: file.text, code, comments }
    }

    /// The 1-based line of a byte offset.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }
}

/// What a byte of Rust source belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

/// Code and comments of a Rust text, each with the rest turned to spaces.
fn split(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let mut parts = vec![Part::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let (part, end) = token(bytes, at);
        parts[at..end].fill(part);
        at = end;
    }
    let only = |kept: Part| -> String {
        let blank =
            |(byte, part): (&u8, &Part)| if *part == kept || *byte == b'\n' { *byte } else { b' ' };
        String::from_utf8_lossy(&bytes.iter().zip(&parts).map(blank).collect::<Vec<u8>>())
            .into_owned()
    };
    (only(Part::Code), only(Part::Comment))
}

/// The part that begins at `at` and where it ends. Quotes count as literal.
fn token(bytes: &[u8], at: usize) -> (Part, usize) {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        let len = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        return (Part::Comment, at + len);
    }
    if rest.starts_with(b"/*") {
        return (Part::Comment, block_comment_end(bytes, at));
    }
    let in_word = at > 0 && is_word(bytes[at - 1]);
    if let Some(hashes) = raw_hashes(rest).filter(|_| !in_word) {
        return (Part::Literal, raw_end(bytes, at, hashes));
    }
    match rest[0] {
        b'"' => (Part::Literal, quoted_end(bytes, at, b'"')),
        b'\'' if rest.get(1) == Some(&b'\\') => (Part::Literal, quoted_end(bytes, at, b'\'')),
        b'\'' => match char_len(rest) {
            Some(len) => (Part::Literal, at + len),
            None => (Part::Code, at + 1),
        },
        _ => (Part::Code, at + 1),
    }
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Length of a character literal such as `'x'`; none for a lifetime.
fn char_len(rest: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)])
        .or_else(|e| std::str::from_utf8(&rest[1..=e.valid_up_to()]))
        .ok()?;
    let len = text.chars().next()?.len_utf8();
    (rest.get(1 + len) == Some(&b'\'')).then_some(len + 2)
}

/// How many `#` a raw string here has; none if it is not one.
fn raw_hashes(rest: &[u8]) -> Option<usize> {
    let marker = [&b"r"[..], b"br", b"cr"].into_iter().find(|m| rest.starts_with(m))?.len();
    let hashes = rest[marker..].iter().take_while(|byte| **byte == b'#').count();
    (rest.get(marker + hashes) == Some(&b'"')).then_some(hashes)
}

fn raw_end(bytes: &[u8], at: usize, hashes: usize) -> usize {
    let open = at + bytes[at..].iter().position(|byte| *byte == b'"').unwrap_or(0);
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = &bytes[open + 1..];
    let len = body.windows(close.len()).position(|window| window == close);
    len.map_or(bytes.len(), |len| open + 1 + len + close.len())
}

fn quoted_end(bytes: &[u8], at: usize, quote: u8) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != quote {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

fn block_comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut end) = (0_usize, at);
    while end < bytes.len() {
        if bytes[end..].starts_with(b"/*") {
            depth += 1;
            end += 2;
        } else if bytes[end..].starts_with(b"*/") {
            depth -= 1;
            end += 2;
            if depth == 0 {
                return end;
            }
        } else {
            end += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let source = Source::new(File { path: "x.rs".into(), text: text.into() });
        assert_eq!(source.code.len(), text.len());
        assert_eq!(source.comments.len(), text.len());
        source.code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        assert_eq!(code("let a = \"x // y\"; // z"), "let a = ;");
        assert_eq!(code("a /* b /* c */ d */ e"), "a e");
        assert_eq!(code("r#\"a \" b\"# + br\"c\" + bar\"d\""), "+ + bar");
        assert_eq!(code("'\"' 'é' '\\'' x"), "x");
        assert_eq!(code("fn f<'a>(x: &'a str, c: char) {}"), "fn f<'a>(x: &'a str, c: char) {}");
        assert_eq!(code("\"a \\\" b\" c"), "c");
    }

    #[test]
    fn lines_and_comments_stay_where_they_are() {
        let text = "a\n  // über spec\nb \"x\ny\" c";
        let source = Source::new(File { path: "x.rs".into(), text: text.into() });
        assert_eq!(source.comments.lines().nth(1), Some("  // über spec"));
        assert_eq!(source.line(source.code.find('c').unwrap()), 4);
    }
}
