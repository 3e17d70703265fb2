//! `HexxlaDB`: the raw keyspace of a database that keeps versions (the default), so that its
//! figures carry the cost of versioning. Old versions are read through `view_at`.

use std::path::Path;

use hexxladb::{Db, Options, ReadTx};

use crate::Result;
use crate::data::{Key, Tally, Value};
use crate::store::{Compacted, Config, Keys, Records, Session, Store};

/// Records of a transaction of the sorted load: enough that its sync costs nothing.
const LOAD_BATCH_RECORDS: usize = 50_000;

struct Hexxladb {
    db: Db,
}

pub(super) fn open(dir: &Path, config: Config) -> Result<Box<dyn Store>> {
    let options = Options::new().cache_bytes(config.cache_bytes);
    Ok(Box::new(Hexxladb { db: Db::open(dir.join("db"), options)? }))
}

impl Store for Hexxladb {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Handle { db: &self.db }))
    }

    fn load_sorted(&self, records: &mut Records<'_>) -> Result<()> {
        let mut records = records.peekable();
        while records.peek().is_some() {
            put(&self.db, &mut records.by_ref().take(LOAD_BATCH_RECORDS))?;
        }
        Ok(())
    }

    fn compact(&mut self) -> Result<Compacted> {
        Ok(Compacted::Unsupported)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.db.close()?)
    }
}

struct Handle<'a> {
    db: &'a Db,
}

impl Session for Handle<'_> {
    fn commit(&mut self, records: &mut Records<'_>) -> Result<()> {
        put(self.db, records).map(drop)
    }

    fn read(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        Ok(self.db.view(|tx| look_up(tx, keys, found))?)
    }

    fn scan(&mut self, starts: &mut Keys<'_>, limit: usize, found: &mut Tally) -> Result<()> {
        Ok(self.db.view(|tx| {
            for start in starts {
                for record in tx.scan(start..).take(limit) {
                    let (key, value) = record?;
                    found.see(&key, &value);
                }
            }
            Ok::<_, hexxladb::Error>(())
        })?)
    }

    fn commit_version(&mut self, version: u64, records: &mut Records<'_>) -> Result<()> {
        let seq = put(self.db, records)?;
        if seq != version {
            return Err(format!("version {version} became commit {seq}").into());
        }
        Ok(())
    }

    fn read_as_of(&mut self, version: u64, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        Ok(self.db.view_at(version, |tx| look_up(tx, keys, found))?)
    }

    fn read_newest(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        self.read(keys, found)
    }
}

fn put(db: &Db, records: &mut dyn Iterator<Item = (Key, Value)>) -> Result<u64> {
    Ok(db.update(|tx| {
        for (key, value) in records {
            tx.put(key, value)?;
        }
        Ok::<_, hexxladb::Error>(tx.commit_seq())
    })?)
}

fn look_up(tx: &ReadTx, keys: &mut Keys<'_>, found: &mut Tally) -> hexxladb::Result<()> {
    for key in keys {
        if let Some(value) = tx.get(key)? {
            found.see(key.as_ref(), &value);
        }
    }
    Ok(())
}
