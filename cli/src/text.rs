//! Text for people: counts, sizes, rates, and foreign text made safe for a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use hexxladb::Cell;

/// A count with thousands separated: `1,234,567`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A count and its noun, in the plural unless there is just one.
pub(crate) fn counted(value: u64, noun: &str) -> String {
    match noun.strip_suffix("ry") {
        _ if value == 1 => format!("1 {noun}"),
        Some(stem) => format!("{} {stem}ries", count(value)),
        None => format!("{} {noun}s", count(value)),
    }
}

/// Commits from one to another: `commit 7`, `commits 7 to 9`.
pub(crate) fn commits(first: u64, last: u64) -> String {
    if first == last {
        return format!("commit {}", count(first));
    }
    format!("commits {} to {}", count(first), count(last))
}

/// A size: `17 B`, `4.2 KiB`, `1.5 GiB`.
#[expect(clippy::cast_precision_loss, reason = "one decimal place is shown")]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut scaled = bytes as f64 / 1024.0;
    let mut unit = 0;
    while scaled >= 1023.95 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// How many per second, as a whole number.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a rate of whole, positive numbers for people"
)]
pub(crate) fn rate(done: u64, elapsed: Duration) -> u64 {
    (done as f64 / elapsed.as_secs_f64().max(1e-6)).round() as u64
}

/// A time span: `0.42 s`, `12.3 s`, `4 min 05 s`.
pub(crate) fn span(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02} s", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
    }
}

/// Text as one line for a terminal: control characters escaped, cut at `most` characters.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (place, c) in text.chars().enumerate() {
        if place == most {
            shown.push('…');
            break;
        }
        push_visible(&mut shown, c);
    }
    shown
}

/// Text for a terminal with its lines kept, other control characters escaped.
pub(crate) fn lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || c == '\t' { shown.push(c) } else { push_visible(&mut shown, c) }
    }
    shown
}

/// A cell on a line: size, source, start of its text.
pub(crate) fn summary(cell: &Cell) -> String {
    let bytes = size(cell.raw_content.len() as u64);
    let source = one_line(&cell.provenance.source_id, 60);
    format!("{bytes}\t{source}\t{}", one_line(&cell.raw_content, 60))
}

fn push_visible(shown: &mut String, c: char) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        // The characters that turn text around would let it say something else than it holds.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            let _ = write!(shown, "{}", c.escape_unicode());
        }
        c if c.is_control() => {
            let _ = write!(shown, "{}", c.escape_unicode());
        }
        c => shown.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "commit"), "1 commit");
        assert_eq!(counted(0, "commit"), "0 commits");
        assert_eq!(counted(1, "entry"), "1 entry");
        assert_eq!(counted(2, "entry"), "2 entries");
        assert_eq!(commits(7, 7), "commit 7");
        assert_eq!(commits(7, 1_009), "commits 7 to 1,009");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(1_048_575), "1.0 MiB");
        assert_eq!(size(64 << 20), "64.0 MiB");
        assert_eq!(span(Duration::from_millis(420)), "0.42 s");
        assert_eq!(span(Duration::from_secs(245)), "4 min 05 s");
        assert_eq!(rate(10, Duration::from_secs(4)), 3);
    }

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(one_line("a\nb\x1b[2Jc\u{202e}d", 80), "a\\nb\\u{1b}[2Jc\\u{202e}d");
        assert_eq!(one_line("äöüß", 3), "äöü…");
        assert_eq!(lines("a\tb\r\n\x07"), "a\tb\\r\n\\u{7}");
    }
}
