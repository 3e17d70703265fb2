//! As much of Rust's syntax as the rules need: paths, `mod` declarations, code for tests alone.
//!
//! All of it works on code whose comments and literals are blanked (see [`crate::tree`]).

use crate::tree::is_word;

/// A path that the code names, such as `std::fs::File`, at a byte offset. Trees of a `use` are
/// spelled out: `a::{b, c}` is `a::b` and `a::c`. The name of a macro that is called ends in `!`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) at: usize,
    pub(crate) parts: Vec<String>,
}

impl Path {
    pub(crate) fn text(&self) -> String {
        self.parts.join("::")
    }
}

/// Every path in `code`, single names included.
pub(crate) fn paths(code: &str) -> Vec<Path> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if is_word(bytes[at]) {
            at = path_tree(bytes, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path or `use` tree that begins at `at`; returns where it ends.
fn path_tree(bytes: &[u8], at: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut parts = prefix.to_vec();
    let mut end = at;
    loop {
        let begin = end;
        while end < bytes.len() && is_word(bytes[end]) {
            end += 1;
        }
        if end > begin {
            parts.push(String::from_utf8_lossy(&bytes[begin..end]).into_owned());
        }
        let colons = skip_spaces(bytes, end);
        if !bytes[colons..].starts_with(b"::") {
            break;
        }
        let next = skip_spaces(bytes, colons + 2);
        match bytes.get(next) {
            Some(b'{') => return group(bytes, next + 1, &parts, found),
            Some(b'*') => {
                parts.push("*".into());
                end = next + 1;
                break;
            }
            Some(byte) if is_word(*byte) => end = next,
            _ => break,
        }
    }
    if bytes.get(end) == Some(&b'!') && matches!(bytes.get(end + 1), Some(b'(' | b'[' | b'{')) {
        parts.last_mut().expect("a path has a part").push('!');
    }
    found.push(Path { at, parts });
    end.max(at + 1)
}

/// The members of `{…}` after `::`.
fn group(bytes: &[u8], mut at: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'}' => return at + 1,
            b'*' => {
                let parts = prefix.iter().cloned().chain(["*".into()]).collect();
                found.push(Path { at, parts });
                at += 1;
            }
            byte if is_word(byte) => {
                at = path_tree(bytes, at, prefix, found);
                // `as other` renames; what was named has been taken down already.
                let next = skip_spaces(bytes, at);
                if bytes[next..].starts_with(b"as ") {
                    at = next + 3;
                    at = skip_spaces(bytes, at);
                    while at < bytes.len() && is_word(bytes[at]) {
                        at += 1;
                    }
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn skip_spaces(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at].is_ascii_whitespace() {
        at += 1;
    }
    at
}

/// A declaration `mod name;`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mod {
    pub(crate) at: usize,
    pub(crate) name: String,
}

/// The modules that `code` declares in files of their own.
pub(crate) fn mods(code: &str) -> Vec<Mod> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("mod") {
        let alone = (at == 0 || !is_word(bytes[at - 1]))
            && bytes.get(at + 3).is_some_and(u8::is_ascii_whitespace);
        if !alone {
            continue;
        }
        let begin = skip_spaces(bytes, at + 3);
        let len = bytes[begin..].iter().take_while(|byte| is_word(**byte)).count();
        if len > 0 && bytes.get(skip_spaces(bytes, begin + len)) == Some(&b';') {
            found.push(Mod { at, name: code[begin..begin + len].to_owned() });
        }
    }
    found
}

/// The code without the items that exist for tests alone (`#[cfg(test)]`, `#[test]`), blanked.
pub(crate) fn without_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for marker in ["#[cfg(test)]", "#[cfg(all(test", "#[test]"] {
        for (at, _) in code.match_indices(marker) {
            let end = item_end(code.as_bytes(), at);
            for byte in &mut bytes[at..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether the declaration at `at` has `#[cfg(test)]` among the attributes before it.
pub(crate) fn is_for_tests(code: &str, at: usize) -> bool {
    let before = code[..at].rfind([';', '}', '{']).map_or(0, |end| end + 1);
    code[before..at].contains("#[cfg(test)]") || code[before..at].contains("#[cfg(all(test")
}

/// Where the item ends whose attribute begins at `at`: its first `;` outside of brackets, or the
/// brace that closes its first block.
fn item_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, byte) in bytes[at..].iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth -= 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + offset + 1;
                }
            }
            b';' if depth == 0 => return at + offset + 1,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(code: &str) -> Vec<String> {
        paths(code).iter().map(Path::text).collect()
    }

    #[test]
    fn use_trees_are_spelled_out() {
        assert_eq!(
            texts("crate::{a, b::{c, d::*}, e as f}; x::y()"),
            ["crate::a", "crate::b::c", "crate::b::d::*", "crate::e", "x::y"]
        );
        assert_eq!(texts("std :: fs::read::<u8>(1)"), ["std::fs::read", "u8", "1"]);
        assert_eq!(texts("a::{self, b}"), ["a::self", "a::b"]);
        assert_eq!(texts("a::{\n  *\n}"), ["a::*"]);
        assert_eq!(texts("a::b!(c) != d"), ["a::b!", "c", "d"]);
    }

    #[test]
    fn modules_in_files_are_told_from_modules_inside() {
        let names: Vec<String> =
            mods("pub(crate) mod a; mod b { } mod  c ; modx d; #[cfg(test)] mod t;")
                .into_iter()
                .map(|m| m.name)
                .collect();
        assert_eq!(names, ["a", "c", "t"]);
    }

    #[test]
    fn what_is_for_tests_alone_is_blanked() {
        let code = "a(); #[cfg(test)] mod tests { fn f() { b() } } c(); #[cfg(test)] mod d; #[cfg(test)] use e; g()";
        let left: String = without_tests(code).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(left, "a(); c(); g()");
        assert!(is_for_tests(code, code.find("mod d").unwrap()));
        assert!(!is_for_tests(code, code.find("c()").unwrap()));
    }
}
