//! What to keep of the past.

use std::time::Duration;

/// What to keep of the past. A version may go only when every part of the policy allows it.
///
/// ```
/// use std::time::Duration;
/// use hexxladb::{Options, Retention};
/// let week = Duration::from_secs(7 * 24 * 3600);
/// let options = Options::new().retention(Retention::both(1000, week));
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Retention {
    /// The snapshots of the last so many commits, head's included; 0 is no policy.
    Commits(u64),
    /// Every snapshot that was head within this time; zero is no policy.
    Duration(Duration),
    /// Both: the one that keeps more decides.
    Both {
        /// As in [`Retention::Commits`].
        commits: u64,
        /// As in [`Retention::Duration`].
        duration: Duration,
    },
}

impl Retention {
    /// The last so many commits and everything within this time.
    pub fn both(commits: u64, duration: Duration) -> Self {
        Self::Both { commits, duration }
    }

    /// Commits to keep, if that is a part of the policy.
    pub(crate) fn commits(&self) -> Option<u64> {
        match *self {
            Self::Commits(commits) | Self::Both { commits, .. } => Some(commits),
            Self::Duration(_) => None,
        }
        .filter(|&commits| commits > 0)
    }

    /// Time to keep, if that is a part of the policy.
    pub(crate) fn duration(&self) -> Option<Duration> {
        match *self {
            Self::Duration(duration) | Self::Both { duration, .. } => Some(duration),
            Self::Commits(_) => None,
        }
        .filter(|duration| !duration.is_zero())
    }

    /// The same with its window longer by `percent`; `None` where it asks for nothing.
    pub(crate) fn widened(&self, percent: u32) -> Option<Self> {
        let longer = |commits: u64| {
            let extra = u128::from(commits) * u128::from(percent);
            u64::try_from(u128::from(commits) + extra.div_ceil(100)).unwrap_or(u64::MAX)
        };
        let later =
            |duration: Duration| duration.saturating_add(duration.saturating_mul(percent) / 100);
        match (self.commits().map(longer), self.duration().map(later)) {
            (Some(commits), Some(duration)) => Some(Self::Both { commits, duration }),
            (Some(commits), None) => Some(Self::Commits(commits)),
            (None, Some(duration)) => Some(Self::Duration(duration)),
            (None, None) => None,
        }
    }
}
