//! LMDB through heed: a copy-on-write B-tree in a memory map. Default flags, none of the `NO_SYNC`
//! family: a commit syncs the data pages and writes the meta page through a descriptor opened
//! with `O_DSYNC`. LMDB has no cache of its own.

use std::ops::Bound;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, CompactionOption, Env, EnvOpenOptions, PutFlags};

use crate::Result;
use crate::data::Tally;
use crate::store::{Compacted, Config, Keys, Records, Session, Store};

/// Address space for the map; the file grows only as it is used.
const MAP_BYTES: usize = 16 << 30;

type Database<'a> = heed::Database<'a, Bytes, Bytes>;

struct Lmdb {
    env: Env,
}

pub(super) fn open(dir: &Path, _: Config) -> Result<Box<dyn Store>> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES);
    #[expect(unsafe_code, reason = "the only way to open LMDB: nothing else may change its files")]
    // SAFETY: the directory belongs to this run alone, and one process at a time opens it.
    let env = unsafe { options.open(dir)? };
    Ok(Box::new(Lmdb { env }))
}

impl Lmdb {
    fn handle(&self) -> Result<Handle<'_>> {
        let db = self
            .env
            .open_databases_and_commit(self.env.read_txn()?, |opener, tx| {
                opener.open_database::<Bytes, Bytes>(tx, None).map(CommitOrAbort::<_, ()>::Commit)
            })?
            .unwrap_commit()
            .ok_or("LMDB's unnamed database is not there")?;
        Ok(Handle { env: &self.env, db })
    }
}

impl Store for Lmdb {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self.handle()?))
    }

    fn load_sorted(&self, records: &mut Records<'_>) -> Result<()> {
        let Handle { env, db } = self.handle()?;
        let mut tx = env.write_txn()?;
        for (key, value) in records {
            db.put_with_flags(&mut tx, PutFlags::APPEND, key.as_ref(), &value)?;
        }
        Ok(tx.commit()?)
    }

    fn compact(&mut self) -> Result<Compacted> {
        let copy = self.env.path().join("compacted.mdb");
        self.env.copy_to_path(&copy, CompactionOption::Enabled)?;
        Ok(Compacted::Copy(copy))
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.env.prepare_for_closing().wait();
        Ok(())
    }
}

struct Handle<'a> {
    env: &'a Env,
    db: Database<'a>,
}

impl Session for Handle<'_> {
    fn commit(&mut self, records: &mut Records<'_>) -> Result<()> {
        let mut tx = self.env.write_txn()?;
        for (key, value) in records {
            self.db.put(&mut tx, key.as_ref(), &value)?;
        }
        Ok(tx.commit()?)
    }

    fn read(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        let tx = self.env.read_txn()?;
        for key in keys {
            if let Some(value) = self.db.get(&tx, key.as_ref())? {
                found.see(key.as_ref(), value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, starts: &mut Keys<'_>, limit: usize, found: &mut Tally) -> Result<()> {
        let tx = self.env.read_txn()?;
        for start in starts {
            if limit == 1 {
                let first = self.db.get_greater_than_or_equal_to(&tx, start.as_ref())?;
                first.inspect(|(key, value)| found.see(key, value));
                continue;
            }
            let from = (Bound::Included(start.as_ref()), Bound::Unbounded);
            for record in self.db.range(&tx, &from)?.take(limit) {
                let (key, value) = record?;
                found.see(key, value);
            }
        }
        Ok(())
    }
}
