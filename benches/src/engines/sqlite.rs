//! `SQLite` through rusqlite: the bundled library, WAL, `synchronous=FULL`, a table without row
//! ids, prepared statements kept. A connection per thread; writers take turns on a lock of the
//! process, which is kinder to `SQLite` than its own waiting by sleeping.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::Result;
use crate::data::Tally;
use crate::store::{Compacted, Config, Keys, Records, Session, Store};

/// How long to wait for another connection's lock. Only checkpoints at close can hold one.
const LOCK_LIMIT: Duration = Duration::from_mins(1);

struct Sqlite {
    path: PathBuf,
    cache_bytes: u64,
    writing: Mutex<()>,
}

pub(super) fn open(dir: &Path, config: Config) -> Result<Box<dyn Store>> {
    let path = dir.join("records.sqlite");
    let store = Sqlite { path, cache_bytes: config.cache_bytes, writing: Mutex::new(()) };
    store.connect()?.execute_batch(
        "CREATE TABLE IF NOT EXISTS records (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID",
    )?;
    Ok(Box::new(store))
}

impl Sqlite {
    fn connect(&self) -> Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Negative: in KiB, not in pages.
        connection.pragma_update(None, "cache_size", -i64::try_from(self.cache_bytes / 1024)?)?;
        connection.busy_timeout(LOCK_LIMIT)?;
        Ok(connection)
    }

    fn handle(&self) -> Result<Handle<'_>> {
        Ok(Handle { connection: self.connect()?, writing: &self.writing })
    }
}

impl Store for Sqlite {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self.handle()?))
    }

    fn load_sorted(&self, records: &mut Records<'_>) -> Result<()> {
        self.handle()?.commit(records)
    }

    fn compact(&mut self) -> Result<Compacted> {
        let connection = self.connect()?;
        connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(Compacted::InPlace)
    }

    fn close(self: Box<Self>) -> Result<()> {
        // The last connection to close checkpoints and removes the log.
        self.connect()?.close().map_err(|(_, error)| error.into())
    }
}

struct Handle<'a> {
    connection: Connection,
    writing: &'a Mutex<()>,
}

impl Session for Handle<'_> {
    fn commit(&mut self, records: &mut Records<'_>) -> Result<()> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = tx.prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2)")?;
            for (key, value) in records {
                put.execute(params![key.as_ref(), value.as_slice()])?;
            }
        }
        Ok(tx.commit()?)
    }

    fn read(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        let tx = self.connection.transaction()?;
        let mut get = tx.prepare_cached("SELECT v FROM records WHERE k = ?1")?;
        for key in keys {
            let mut rows = get.query([key.as_ref()])?;
            if let Some(row) = rows.next()? {
                found.see(key.as_ref(), row.get_ref(0)?.as_blob()?);
            }
        }
        Ok(())
    }

    fn scan(&mut self, starts: &mut Keys<'_>, limit: usize, found: &mut Tally) -> Result<()> {
        let tx = self.connection.transaction()?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut scan =
            tx.prepare_cached("SELECT k, v FROM records WHERE k >= ?1 ORDER BY k LIMIT ?2")?;
        for start in starts {
            let mut rows = scan.query(params![start.as_ref(), limit])?;
            while let Some(row) = rows.next()? {
                found.see(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            }
        }
        Ok(())
    }
}
