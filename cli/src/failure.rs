//! How a command ends when it does not end well: what is printed, and the exit code.
//!
//! Every error is one or a few lines that begin with `error:` and say what to do. The codes are a
//! promise to scripts and stand in `--help`.

use std::io::{self, Write};
use std::process::ExitCode;

use hexxladb::Error;

/// The table that `--help` ends with.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  the answer is no: differences or damage were found, or there is no such record
    2  wrong usage
    3  the database could not be opened, read or written
    4  input or output failed: the git repository, standard input or standard output
  130  ended by SIGINT, between two commits
  143  ended by SIGTERM, between two commits";

/// Why a command did not do all it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The answer is no, and the text says why.
    No(String),
    /// The answer is no, and the command has already said why.
    Told,
    /// The arguments make no sense together or with this database.
    Usage(String),
    /// The engine refused.
    Database(Error),
    /// The engine refused, and what that means here.
    Explained(Error, String),
    /// Input that cannot be used: a git repository, a line of JSON.
    Input(String),
    /// Standard output does not take any more.
    Output(io::Error),
    /// A signal of this number asked for the end.
    Stopped {
        /// The signal.
        signal: i32,
        /// What was done until then.
        note: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<hexxladb_sinks::Error> for Failure {
    fn from(error: hexxladb_sinks::Error) -> Self {
        use hexxladb_sinks::Error as E;
        match error {
            E::Database(error) => Self::Database(error),
            E::Url { .. } | E::UnknownFamily => Self::Usage(error.to_string()),
            E::Unreachable { target, source } => match source.downcast::<io::Error>() {
                Ok(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::Output(*error),
                Ok(error) => Self::Input(format!("{target}: {error}")),
                Err(source) => Self::Input(format!("{target}: {source}")),
            },
            other => Self::Input(other.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    /// For standard output alone; other I/O says what it worked on.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// Prints the failure and returns its exit code. A reader that closed the pipe has seen what
    /// it wanted: that is a quiet success.
    pub(crate) fn report(self) -> ExitCode {
        let (code, message) = match self {
            Self::No(text) => (1, format!("error: {text}")),
            Self::Told => return ExitCode::from(1),
            Self::Usage(text) => (2, format!("error: {text}")),
            Self::Database(error) => (code(&error), format!("error: {error}{}", advice(&error))),
            Self::Explained(error, text) => (code(&error), format!("error: {error}\n  {text}")),
            Self::Input(text) => (4, format!("error: {text}")),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Self::Output(error) => (4, format!("error: cannot write to standard output: {error}")),
            Self::Stopped { signal, note } => {
                (u8::try_from(128 + signal).unwrap_or(u8::MAX), format!("stopped: {note}"))
            }
        };
        // With standard error closed there is nobody left to tell; the code still tells.
        let _ = writeln!(io::stderr(), "{message}");
        ExitCode::from(code)
    }
}

/// What an error of the engine means for a script.
fn code(error: &Error) -> u8 {
    match error {
        Error::CellNotFound { .. }
        | Error::SeamNotFound { .. }
        | Error::SnapshotTagNotFound { .. }
        | Error::ChangelogConsumerNotFound { .. } => 1,
        Error::CoordOutOfRange { .. }
        | Error::InvalidArgument { .. }
        | Error::InvalidRecord { .. }
        | Error::KeyTooLarge { .. }
        | Error::ValueTooLarge { .. }
        | Error::SupersessionCycle { .. }
        | Error::SnapshotTagExists { .. } => 2,
        _ => 3,
    }
}

/// What the program can add to the engine's own advice.
fn advice(error: &Error) -> &'static str {
    match error {
        Error::DatabaseMissing { .. } => {
            "\n  `hexxladb put`, `ingest`, `import jsonl` and `git import` make new databases"
        }
        Error::SeamNotFound { .. } => "\n  `hexxladb seam list` shows those that are",
        Error::SnapshotTagNotFound { .. } => "\n  `hexxladb tag list` shows those that are",
        Error::ReadSeqFuture { .. } => "\n  a time in seconds is written @1715934600",
        Error::SnapshotPruned { .. } => "\n  `hexxladb log` shows the commits that are readable",
        Error::ChangelogDisabled => {
            "\n  any command that writes turns it on, for example `hexxladb put … --changelog`"
        }
        Error::ChangelogConsumerNotFound { .. } => {
            "\n  `hexxladb changelog consumers` shows those that are"
        }
        Error::ChangelogTruncated { .. } => {
            "\n  without --since, `hexxladb changelog tail` reads everything that is there"
        }
        Error::ChangelogGap { .. } => {
            "\n  `hexxladb changelog tail --skip-gaps` reads on behind it"
        }
        Error::ChangelogForeign { .. } => {
            "\n  `hexxladb changelog repair` sets it aside and begins a fresh one"
        }
        _ => "",
    }
}
