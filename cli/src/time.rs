//! Points in time as text: RFC 3339 out, RFC 3339 or seconds in.

use hexxladb::Timestamp;
pub(crate) use hexxladb_sinks::json::rfc3339 as show;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads a point in time: RFC 3339 (`2024-05-17T08:30:00Z`, `2024-05-17 10:30+02:00`), a date
/// or a date with a time (UTC), or seconds since 1970 with an optional fraction, with or without
/// a leading `@`.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Some(nanos) = seconds(text.strip_prefix('@').unwrap_or(text)) {
        return i64::try_from(nanos).map(Timestamp::from_nanos).map_err(|_| out_of_range(text));
    }
    let instant = match text.parse::<jiff::Timestamp>() {
        Ok(instant) => Some(instant),
        Err(_) => text
            .parse::<DateTime>()
            .ok()
            .and_then(|civil| civil.to_zoned(TimeZone::UTC).ok())
            .map(|zoned| zoned.timestamp()),
    };
    let instant = instant.ok_or_else(|| {
        format!("{text:?} is not a time; write 2024-05-17T08:30:00Z, 2024-05-17 or seconds (@1715934600)")
    })?;
    i64::try_from(instant.as_nanosecond())
        .map(Timestamp::from_nanos)
        .map_err(|_| out_of_range(text))
}

fn out_of_range(text: &str) -> String {
    format!("{text} is out of range; times lie between the years 1677 and 2262")
}

/// Decimal seconds as nanoseconds; digits past the ninth place of the fraction are dropped.
fn seconds(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    // Longer numbers are out of range whatever their digits; they must not overflow here.
    let whole: i128 = if whole.len() > 20 { i128::from(i64::MAX) } else { whole.parse().ok()? };
    let nanos: i128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let total = whole * 1_000_000_000 + nanos;
    Some(if negative { -total } else { total })
}

/// As [`show`]; pruning removes the times of old commits.
pub(crate) fn show_known(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "pruned".to_owned(), show)
}

/// Seconds since 1970 in UTC; git knows seconds that no calendar reaches.
pub(crate) fn show_seconds(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(instant) => instant.to_string(),
        Err(_) => format!("@{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let nanos = |text: &str| parse(text).map(Timestamp::as_nanos);
        assert_eq!(nanos("1970-01-01T00:00:01Z"), Ok(1_000_000_000));
        assert_eq!(nanos("1970-01-01T01:00:01+01:00"), Ok(1_000_000_000));
        assert_eq!(nanos("1970-01-02"), Ok(86_400_000_000_000));
        assert_eq!(nanos("1970-01-01T00:00:02"), Ok(2_000_000_000));
        assert_eq!(nanos("7"), Ok(7_000_000_000));
        assert_eq!(nanos("@7.25"), Ok(7_250_000_000));
        assert_eq!(nanos("-1.5"), Ok(-1_500_000_000));
        assert_eq!(nanos("0.1234567899"), Ok(123_456_789));
        assert_eq!(nanos(" 3 "), Ok(3_000_000_000));
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "@", "yesterday", "1.", ".5", "--1", "2024-13-01", "1e9"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        for text in ["3000-01-01", "9223372037", "-9223372037", &"9".repeat(60), "0001-01-01"] {
            assert!(parse(text).is_err_and(|e| e.contains("out of range")), "{text:?}");
        }
    }

    #[test]
    fn shows_what_it_reads() {
        for nanos in [0, 1, -1, 1_715_934_600_000_000_000, i64::MAX, i64::MIN] {
            let time = Timestamp::from_nanos(nanos);
            assert_eq!(parse(&show(time)), Ok(time), "{}", show(time));
        }
        assert_eq!(show_seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(show_seconds(i64::MAX), format!("@{}", i64::MAX));
    }
}
