//! A path on one line: as git prints it by default.
//!
//! Paths with control characters, quotes, backslashes or bytes outside ASCII stand in double
//! quotes with C escapes; all others stand as they are.

use std::fmt::Write;

/// The path as a line of text.
pub(crate) fn quoted(path: &[u8]) -> String {
    let is_plain = |&byte: &u8| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if path.iter().all(is_plain) {
        return path.iter().copied().map(char::from).collect();
    }
    let mut text = String::from("\"");
    for &byte in path {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            0x0b => text.push_str("\\v"),
            0x0c => text.push_str("\\f"),
            b'\r' => text.push_str("\\r"),
            b' '..0x7f => text.push(char::from(byte)),
            other => {
                let _ = write!(text, "\\{other:03o}");
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_only_what_needs_it() {
        assert_eq!(quoted(b"src/a file.rs"), "src/a file.rs");
        assert_eq!(quoted(b"a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(quoted(b"a\nb\x01\x7f"), r#""a\nb\001\177""#);
        assert_eq!(quoted("ä".as_bytes()), r#""\303\244""#);
        assert_eq!(quoted(b"\xff"), r#""\377""#);
    }
}
