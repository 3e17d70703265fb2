//! redb: a copy-on-write B-tree. Every commit with `Durability::Immediate` (its default), in one
//! phase (its default).

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::Result;
use crate::data::Tally;
use crate::store::{Compacted, Config, Keys, Records, Session, Store};

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

struct Redb {
    db: Database,
}

pub(super) fn open(dir: &Path, config: Config) -> Result<Box<dyn Store>> {
    let path = dir.join("records.redb");
    let is_new = !path.exists();
    let cache_bytes = usize::try_from(config.cache_bytes)?;
    let db = Database::builder().set_cache_size(cache_bytes).create(path)?;
    if is_new {
        put(&db, &mut std::iter::empty())?;
    }
    Ok(Box::new(Redb { db }))
}

fn put(db: &Database, records: &mut Records<'_>) -> Result<()> {
    let mut tx = db.begin_write()?;
    tx.set_durability(Durability::Immediate)?;
    {
        let mut table = tx.open_table(RECORDS)?;
        for (key, value) in records {
            table.insert(key.as_ref(), value.as_slice())?;
        }
    }
    Ok(tx.commit()?)
}

impl Store for Redb {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Handle { db: &self.db }))
    }

    fn load_sorted(&self, records: &mut Records<'_>) -> Result<()> {
        put(&self.db, records)
    }

    fn compact(&mut self) -> Result<Compacted> {
        while self.db.compact()? {}
        Ok(Compacted::InPlace)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

struct Handle<'a> {
    db: &'a Database,
}

impl Session for Handle<'_> {
    fn commit(&mut self, records: &mut Records<'_>) -> Result<()> {
        put(self.db, records)
    }

    fn read(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        let tx = self.db.begin_read()?;
        let table = tx.open_table(RECORDS)?;
        for key in keys {
            if let Some(value) = table.get(key.as_ref())? {
                found.see(key.as_ref(), value.value());
            }
        }
        Ok(())
    }

    fn scan(&mut self, starts: &mut Keys<'_>, limit: usize, found: &mut Tally) -> Result<()> {
        let tx = self.db.begin_read()?;
        let table = tx.open_table(RECORDS)?;
        for start in starts {
            for record in table.range(start.as_ref()..)?.take(limit) {
                let (key, value) = record?;
                found.see(key.value(), value.value());
            }
        }
        Ok(())
    }
}
