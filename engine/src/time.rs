//! Points in time, signed nanoseconds since 1970-01-01 UTC, and the weeks that they lie in.

mod week;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use week::Week;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A point in time, in nanoseconds since 1970-01-01 UTC (years 1677 to 2262).
///
/// ```
/// use hexxladb::Timestamp;
/// let t = Timestamp::from_secs(1_700_000_000);
/// assert_eq!(t.as_nanos(), 1_700_000_000_000_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest point that can be told.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest point that can be told.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since 1970-01-01 UTC.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From seconds since 1970-01-01 UTC; clamped to the range of the type.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970-01-01 UTC.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    /// Seconds since 1970-01-01 UTC with nine decimals: `-0.500000000` is half a second before.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:09}", magnitude / NANOS_PER_SEC, magnitude % NANOS_PER_SEC)
    }
}

impl From<SystemTime> for Timestamp {
    /// Clamped to the range of the type.
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).map_or(Self::MAX, Self),
            Err(before) => {
                i64::try_from(before.duration().as_nanos()).map_or(Self::MIN, |n| Self(-n))
            }
        }
    }
}

impl From<Timestamp> for SystemTime {
    /// 1970-01-01 UTC where the system cannot represent the time: some systems know no earlier
    /// one.
    fn from(time: Timestamp) -> Self {
        let magnitude = Duration::from_nanos(time.0.unsigned_abs());
        let told = if time.0 < 0 {
            UNIX_EPOCH.checked_sub(magnitude)
        } else {
            UNIX_EPOCH.checked_add(magnitude)
        };
        told.unwrap_or(UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_shown(nanos: i64, shown: &str) {
        assert_eq!(Timestamp::from_nanos(nanos).to_string(), shown);
    }

    #[test]
    fn shown_with_the_sign_of_the_whole() {
        check_shown(0, "0.000000000");
        check_shown(1, "0.000000001");
        check_shown(-1, "-0.000000001");
        check_shown(-500_000_000, "-0.500000000");
        check_shown(-1_500_000_000, "-1.500000000");
        check_shown(1_700_000_000_000_000_042, "1700000000.000000042");
        check_shown(i64::MAX, "9223372036.854775807");
        check_shown(i64::MIN, "-9223372036.854775808");
    }

    #[test]
    fn seconds_are_clamped() {
        assert_eq!(Timestamp::from_secs(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_secs(i64::MIN), Timestamp::MIN);
        assert_eq!(Timestamp::from_secs(-1).as_nanos(), -1_000_000_000);
    }

    #[test]
    fn system_times_beyond_the_range_are_clamped() {
        let thousand_years = Duration::from_hours(1000 * 366 * 24);
        if let Some(far) = UNIX_EPOCH.checked_add(thousand_years) {
            assert_eq!(Timestamp::from(far), Timestamp::MAX);
        }
        if let Some(far) = UNIX_EPOCH.checked_sub(thousand_years) {
            assert_eq!(Timestamp::from(far), Timestamp::MIN);
        }
    }

    #[cfg(unix)]
    #[test]
    fn extremes_survive_the_way_through_system_time() {
        for nanos in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
            let time = Timestamp::from_nanos(nanos);
            assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        }
    }

    proptest! {
        // Nanoseconds survive where the system's clock counts them.
        #[cfg(unix)]
        #[test]
        fn round_trip(nanos in any::<i64>()) {
            let time = Timestamp::from_nanos(nanos);
            prop_assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        }

        // spec: API-04
        #[test]
        fn order_agrees_with_system_time(a in any::<i64>(), b in any::<i64>()) {
            let system = |nanos| SystemTime::from(Timestamp::from_nanos(nanos));
            if a <= b {
                prop_assert!(system(a) <= system(b));
            }
        }

        // spec: API-04
        #[test]
        fn any_distance_from_the_epoch_converts(secs in any::<u64>(), nanos in 0..1_000_000_000u32) {
            let magnitude = Duration::new(secs, nanos);
            let exact = i128::from(secs) * 1_000_000_000 + i128::from(nanos);
            let clamp = |n: i128| n.clamp(i64::MIN.into(), i64::MAX.into());
            if let Some(after) = UNIX_EPOCH.checked_add(magnitude) {
                prop_assert_eq!(i128::from(Timestamp::from(after).as_nanos()), clamp(exact));
            }
            if let Some(before) = UNIX_EPOCH.checked_sub(magnitude) {
                prop_assert_eq!(i128::from(Timestamp::from(before).as_nanos()), clamp(-exact));
            }
        }
    }
}
