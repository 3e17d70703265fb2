//! fjall: an LSM tree. After every write batch `persist` with `PersistMode::SyncData`, which syncs
//! the journal; with several writers that is faster than syncing within the batch's commit, and
//! promises the caller the same. Sorted loads go through its ingestion.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use crate::Result;
use crate::data::Tally;
use crate::store::{Compacted, Config, Keys, Records, Session, Store};

struct Fjall {
    db: Database,
    records: Keyspace,
}

pub(super) fn open(dir: &Path, config: Config) -> Result<Box<dyn Store>> {
    let db = Database::builder(dir.join("fjall")).cache_size(config.cache_bytes).open()?;
    let records = db.keyspace("records", KeyspaceCreateOptions::default)?;
    Ok(Box::new(Fjall { db, records }))
}

impl Store for Fjall {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Handle { db: &self.db, records: &self.records }))
    }

    fn load_sorted(&self, records: &mut Records<'_>) -> Result<()> {
        let mut ingestion = self.records.start_ingestion()?;
        for (key, value) in records {
            ingestion.write(key.as_ref(), value.as_slice())?;
        }
        ingestion.finish()?;
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    fn compact(&mut self) -> Result<Compacted> {
        self.records.rotate_memtable_and_wait()?;
        self.records.major_compact()?;
        Ok(Compacted::InPlace)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }
}

struct Handle<'a> {
    db: &'a Database,
    records: &'a Keyspace,
}

impl Session for Handle<'_> {
    fn commit(&mut self, records: &mut Records<'_>) -> Result<()> {
        let mut batch = self.db.batch();
        for (key, value) in records {
            batch.insert(self.records, key.as_ref(), value.as_slice());
        }
        batch.commit()?;
        Ok(self.db.persist(PersistMode::SyncData)?)
    }

    fn read(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        let snapshot = self.db.snapshot();
        for key in keys {
            if let Some(value) = snapshot.get(self.records, key)? {
                found.see(key.as_ref(), &value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, starts: &mut Keys<'_>, limit: usize, found: &mut Tally) -> Result<()> {
        let snapshot = self.db.snapshot();
        for start in starts {
            for record in snapshot.range(self.records, start..).take(limit) {
                let (key, value) = record.into_inner()?;
                found.see(&key, &value);
            }
        }
        Ok(())
    }
}
