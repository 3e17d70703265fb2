//! `--changelog`: whether a command that writes keeps the changelog, and what of values.
//!
//! What always holds: a database that keeps a changelog goes on keeping it, unless
//! `--changelog=off` is given, which warns.

use std::io::{self, Write};
use std::path::Path;

use hexxladb::{ChangelogOptions, ChangelogReader, ChangelogValues, Db, Error, Options};

use crate::failure::Failure;

/// What the user says of the changelog.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Keeping {
    /// Keep a changelog of what is committed, with the values (full), their SHA-256 (hash) or
    /// without (none); off ends it. A database that keeps one goes on keeping it without this
    #[arg(
        long,
        value_name = "VALUES",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "full"
    )]
    changelog: Option<Choice>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lower")]
enum Choice {
    Full,
    Hash,
    None,
    Off,
}

impl Keeping {
    /// The database at `path`, made unless the options say otherwise.
    pub(crate) fn open(self, path: &Path, options: Options) -> Result<Db, Failure> {
        Ok(Db::open(path, self.options(path, options)?)?)
    }

    /// The options, with the changelog that is to be kept.
    pub(crate) fn options(self, path: &Path, options: Options) -> Result<Options, Failure> {
        let kept = kept(path)?;
        if kept.is_some() && self.changelog == Some(Choice::Off) {
            warn_of_the_gap();
        }
        Ok(match self.values(kept) {
            Some(values) => options.changelog(ChangelogOptions::new().values(values)),
            None => options,
        })
    }

    /// What is to be kept of values, where this is what was kept before; `None` for no changelog.
    pub(crate) fn values(self, kept: Option<ChangelogValues>) -> Option<ChangelogValues> {
        match self.changelog {
            None => kept,
            Some(Choice::Full) => Some(ChangelogValues::Full),
            Some(Choice::Hash) => Some(ChangelogValues::Hash),
            Some(Choice::None) => Some(ChangelogValues::None),
            Some(Choice::Off) => None,
        }
    }
}

fn warn_of_the_gap() {
    // Nobody may be listening; what is asked for is done all the same.
    let _ = writeln!(
        io::stderr(),
        "warning: the changelog is off from here on; when it is turned on again, the commits until \
         then are a declared gap"
    );
}

/// What the changelog of the database at `path` holds of values; `None` where it keeps none. What
/// is no database is left to the opening proper to judge.
pub(crate) fn kept(path: &Path) -> Result<Option<ChangelogValues>, Failure> {
    match ChangelogReader::open(path).and_then(|reader| reader.values()) {
        Ok(values) => Ok(values),
        Err(
            Error::ChangelogDisabled | Error::DatabaseMissing { .. } | Error::NotADatabase { .. },
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens a database that must be there and keep a changelog, and goes on keeping it as it is, but
/// for `how`.
pub(crate) fn open_kept(
    path: &Path,
    how: impl FnOnce(ChangelogOptions) -> ChangelogOptions,
) -> Result<Db, Failure> {
    let values = ChangelogReader::open(path)?.values()?.ok_or(Error::ChangelogDisabled)?;
    let changelog = how(ChangelogOptions::new().values(values));
    Ok(Db::open(path, Options::new().create_if_missing(false).changelog(changelog))?)
}

/// What is kept of values, in words.
pub(crate) fn show(values: Option<ChangelogValues>) -> &'static str {
    match values {
        None => "off",
        Some(ChangelogValues::Full) => "full",
        Some(ChangelogValues::Hash) => "hash",
        Some(ChangelogValues::None) => "none",
        Some(_) => "unknown",
    }
}
