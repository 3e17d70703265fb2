//! Weeks as ISO 8601 counts them: from Monday 00:00 UTC, each in the year that its Thursday lies
//! in. A [`Week`] always holds a point in time that a [`Timestamp`] can tell.

use std::fmt;
use std::str::FromStr;

use super::Timestamp;
use crate::error::{Error, Result};

const NANOS_PER_WEEK: i64 = 7 * NANOS_PER_DAY;
const NANOS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000_000;

/// 1970-01-01 was a Thursday: week 0 began three days before it.
const DAYS_BEFORE_EPOCH: i64 = 3;

/// A week, Monday 00:00 UTC to the next.
///
/// Weeks are numbered from the one that holds 1970-01-01. Shown and read as ISO 8601 writes them;
/// through serde they are that text, too.
///
/// ```
/// use hexxladb::{Timestamp, Week};
/// let week: Week = "2026-W47".parse()?;
/// assert_eq!(week.start(), Timestamp::from_secs(1_794_787_200));
/// assert_eq!(Week::of(Timestamp::from_secs(0)).to_string(), "1970-W01");
/// # Ok::<(), hexxladb::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Week(i32);

impl Week {
    /// The week of [`Timestamp::MIN`], 1677-W38.
    pub const MIN: Self = Self::of(Timestamp::MIN);
    /// The week of [`Timestamp::MAX`], 2262-W15.
    pub const MAX: Self = Self::of(Timestamp::MAX);

    /// The week that `time` lies in.
    pub const fn of(time: Timestamp) -> Self {
        let nanos = time.as_nanos();
        let (week, into_week) =
            (nanos.div_euclid(NANOS_PER_WEEK), nanos.rem_euclid(NANOS_PER_WEEK));
        // Week 0 counted from the epoch's Thursday turns into the next on the fourth day.
        let is_next = into_week >= NANOS_PER_WEEK - DAYS_BEFORE_EPOCH * NANOS_PER_DAY;
        Self(week as i32 + is_next as i32)
    }

    /// The week with this number; 0 holds 1970-01-01.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] before [`MIN`](Self::MIN) or after [`MAX`](Self::MAX).
    pub fn new(number: i32) -> Result<Self> {
        Self::from_wide(number.into()).ok_or_else(|| {
            Error::invalid("week", number, format!("{} to {}", Self::MIN.0, Self::MAX.0))
        })
    }

    fn from_wide(number: i64) -> Option<Self> {
        let week = Self(i32::try_from(number).ok()?);
        (Self::MIN..=Self::MAX).contains(&week).then_some(week)
    }

    /// Its number; 0 holds 1970-01-01.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// Its first instant, or [`Timestamp::MIN`] for the week that began before it.
    pub const fn start(self) -> Timestamp {
        let thursday = self.0 as i64 * NANOS_PER_WEEK;
        Timestamp::from_nanos(thursday.saturating_sub(DAYS_BEFORE_EPOCH * NANOS_PER_DAY))
    }
}

/// Number of the first week of a year. Thursdays are the days since 1970-01-01 that seven divides,
/// so it is the first multiple of seven in the year.
fn first_week(year: i64) -> i64 {
    -(-new_year_days(year)).div_euclid(7)
}

/// Days from 1970-01-01 to January 1 of `year`, in the Gregorian calendar.
fn new_year_days(year: i64) -> i64 {
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * (year - 1970) + leap_days(year - 1) - leap_days(1969)
}

impl fmt::Display for Week {
    /// `2026-W47`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let week = i64::from(self.0);
        // The mean year of the calendar is 146,097 / 400 days; the guess is off by one at most.
        let guess = 1970 + (week * 7 * 400).div_euclid(146_097);
        let first_of_year = [guess + 1, guess].into_iter().find(|year| first_week(*year) <= week);
        let year = first_of_year.unwrap_or(guess - 1);
        write!(f, "{year:04}-W{:02}", week - first_week(year) + 1)
    }
}

impl FromStr for Week {
    type Err = Error;

    /// Reads four digits of the year, `-W`, and two digits of the week.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for other text, for a week that its year does not have, and for
    /// one before [`MIN`](Self::MIN) or after [`MAX`](Self::MAX).
    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            let accepted = format!("an ISO week, {} to {}", Self::MIN, Self::MAX);
            Error::invalid("week", text, accepted)
        })
    }
}

fn parse(text: &str) -> Option<Week> {
    let (year, week) = text.split_once("-W")?;
    let (year, week) = (digits(year, 4)?, digits(week, 2)?);
    let number = first_week(year) + week - 1;
    let of_the_year = first_week(year)..first_week(year + 1);
    of_the_year.contains(&number).then(|| Week::from_wide(number)).flatten()
}

/// The number that exactly `len` digits make.
fn digits(text: &str, len: usize) -> Option<i64> {
    let is_number = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(feature = "serde")]
impl TryFrom<String> for Week {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(feature = "serde")]
impl From<Week> for String {
    fn from(week: Week) -> Self {
        week.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A time of day on the day `days` after 1970-01-01, clamped.
    fn on_day(days: i64, nanos: i64) -> Timestamp {
        let exact = i128::from(days) * i128::from(NANOS_PER_DAY) + i128::from(nanos);
        Timestamp::from_nanos(exact.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    #[test]
    fn well_known_weeks() {
        let cases = [
            (0, "1970-W01"),
            (-1, "1970-W01"),
            (-4, "1969-W52"),
            (14_242, "2009-W01"), // 2008-12-29, a Monday
            (14_612, "2009-W53"), // 2010-01-03, a Sunday
            (18_627, "2020-W53"), // 2020-12-31, a Thursday
            (18_631, "2021-W01"), // 2021-01-04, a Monday
            (20_454, "2026-W01"), // 2026-01-01, a Thursday
            (20_773, "2026-W47"), // 2026-11-16, a Monday
        ];
        for (days, shown) in cases {
            assert_eq!(Week::of(on_day(days, 0)).to_string(), shown, "day {days}");
        }
        assert_eq!(
            (Week::MIN.to_string(), Week::MAX.to_string()),
            ("1677-W38".into(), "2262-W15".into())
        );
    }

    // Counts days one by one from a Thursday that the calendars of 1970 give: the n-th Thursday of
    // a year lies in its week n.
    #[test]
    fn every_week_of_the_range_agrees_with_a_calendar() {
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_of = |year: i64| if is_leap(year) { 366 } else { 365 };
        let mut day: i64 = -(1677..1970).map(days_of).sum::<i64>();
        let mut seen = 0;
        for year in 1677..=2262 {
            let mut thursdays = 0;
            for today in day..day + days_of(year) {
                if today.rem_euclid(7) != 0 {
                    continue;
                }
                thursdays += 1;
                let week = Week::of(on_day(today, 0));
                if on_day(today - 3, 0) == Timestamp::MIN || on_day(today + 4, 0) == Timestamp::MAX
                {
                    continue;
                }
                assert_eq!(week.to_string(), format!("{year}-W{thursdays:02}"));
                assert_eq!(week.start(), on_day(today - 3, 0));
                assert_eq!(Week::of(on_day(today + 4, -1)), week);
                assert_eq!(Week::of(on_day(today - 3, -1)).get(), week.get() - 1);
                seen += 1;
            }
            day += days_of(year);
        }
        assert_eq!(seen, Week::MAX.get() - Week::MIN.get() - 1, "all but the first and last");
    }

    #[test]
    fn every_week_is_read_back_from_its_text() {
        for number in Week::MIN.get()..=Week::MAX.get() {
            let week = Week::new(number).unwrap();
            assert_eq!(week.to_string().parse::<Week>().unwrap(), week);
        }
        for number in [i32::MIN, Week::MIN.get() - 1, Week::MAX.get() + 1, i32::MAX] {
            assert!(matches!(Week::new(number), Err(Error::InvalidArgument { .. })));
        }
    }

    #[test]
    fn other_text_is_refused() {
        let texts = [
            "",
            "2026",
            "2026-47",
            "2026W47",
            "2026-w47",
            "2026-W4",
            "2026-W047",
            "26-W47",
            "+026-W47",
            "2026-W+4",
            "2026-W00",
            "2025-W53",
            "2026-W54",
            " 2026-W47",
            "2026-W47 ",
            "1677-W37",
            "2262-W16",
            "0000-W01",
            "9999-W01",
            "２026-W01",
        ];
        for text in texts {
            let error = text.parse::<Week>().unwrap_err();
            assert!(matches!(error, Error::InvalidArgument { what: "week", .. }), "{text}");
        }
        assert!("2020-W53".parse::<Week>().is_ok() && "2026-W53".parse::<Week>().is_ok());
    }

    proptest! {
        #[test]
        fn a_time_lies_in_its_week(nanos in any::<i64>()) {
            let time = Timestamp::from_nanos(nanos);
            let week = Week::of(time);
            prop_assert!(week.start() <= time);
            prop_assert!(week == Week::MAX || time < Week::new(week.get() + 1).unwrap().start());
            prop_assert_eq!(week.to_string().parse::<Week>().unwrap(), week);
        }

        #[test]
        fn weeks_are_in_the_order_of_their_texts(a in any::<i64>(), b in any::<i64>()) {
            let [a, b] = [a, b].map(|nanos| Week::of(Timestamp::from_nanos(nanos)));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,3}[0-9]{0,4}(-W)?[0-9]{0,2}\\PC{0,2}") {
            if let Ok(week) = text.parse::<Week>() {
                prop_assert_eq!(week.to_string(), text);
            }
        }
    }
}
