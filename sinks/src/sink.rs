//! What a target must do to have a changelog sent to it.

use hexxladb::ChangelogEntry;

use crate::error::Result;
use crate::position::LastPosition;

/// A target of entries.
///
/// It is asked for its last position before the first entry, and again after any error before it
/// is sent anything else. Entries come in the changelog's order, and must become visible in it.
///
/// - A sink that tells [`LastPosition::At`] truthfully, read from the target itself, gets each
///   entry exactly once.
/// - One that tells [`LastPosition::Unknown`] gets each entry at least once, and its readers drop
///   repeats by the history hash, sequence and index that each entry carries.
///
/// A whole one, which keeps the changes in a directory, one file each:
///
/// ```
/// use std::path::PathBuf;
/// use hexxladb::ChangelogEntry;
/// use hexxladb_sinks::{Error, LastPosition, Position, Result, Sink, json};
///
/// struct Directory(PathBuf);
///
/// impl Sink for Directory {
///     fn last_position(&mut self) -> Result<LastPosition> {
///         match std::fs::read(self.0.join("last")) {
///             Ok(line) => Ok(Position::from_json(&line).map_or(LastPosition::Unknown, LastPosition::At)),
///             Err(_) => Ok(LastPosition::Empty),
///         }
///     }
///
///     fn send(&mut self, entries: &[ChangelogEntry]) -> Result<()> {
///         for entry in entries {
///             let line = json::entry_line(entry)?;
///             // Writing an entry again changes nothing, so that the order of these two is all it takes.
///             for name in [Position::of(entry).message_id(), "last".into()] {
///                 std::fs::write(self.0.join(name), &line)
///                     .map_err(|error| Error::unreachable(self.0.to_string_lossy(), error))?;
///             }
///         }
///         Ok(())
///     }
///
///     fn flush(&mut self) -> Result<()> {
///         Ok(())
///     }
/// }
/// # use hexxladb::{ChangelogOptions, Db, Options};
/// # use hexxladb_sinks::{PumpOptions, pump};
/// # let dir = tempfile::tempdir()?;
/// # let db = Db::open("d", Options::in_memory().changelog(ChangelogOptions::new()))?;
/// # db.update(|tx| tx.put("a", "1"))?;
/// # let mut sink = Directory(dir.path().to_owned());
/// # for _ in 0..2 {
/// #     let from = sink.last_position()?.resume(Default::default());
/// #     let mut entries = db.read_changelog(from, Default::default())?;
/// #     pump(&mut entries, &mut sink, &PumpOptions::new(), &mut |_| Ok(()))?;
/// # }
/// # assert_eq!(std::fs::read_dir(dir.path())?.count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Sink: Send {
    /// Where the target stands, asked of the target itself.
    ///
    /// # Errors
    /// What the target says; [`Error::Refused`](crate::Error::Refused) where it holds something
    /// else than a changelog.
    fn last_position(&mut self) -> Result<LastPosition>;

    /// Takes entries, in order, after those that it was given before. They need not be at the
    /// target when it returns.
    ///
    /// # Errors
    /// What the target says.
    fn send(&mut self, entries: &[ChangelogEntry]) -> Result<()>;

    /// Returns once the target has acknowledged everything that was sent.
    ///
    /// # Errors
    /// What the target says. Any number of the entries since the last flush may be there then,
    /// from the first on and without a gap.
    fn flush(&mut self) -> Result<()>;
}
