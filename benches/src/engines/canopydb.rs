//! canopydb: a B+ tree with a write-ahead log. Every commit waits for its sync
//! (`default_commit_sync`); page checksums stay off, as they are by default. Closing checkpoints
//! first, as its documentation advises applications that want a quick start.

use std::path::Path;

use canopydb::{Database, DbOptions, EnvOptions};

use crate::Result;
use crate::data::Tally;
use crate::store::{Compacted, Config, Keys, Records, Session, Store};

const RECORDS: &[u8] = b"records";

struct Canopydb {
    db: Database,
}

pub(super) fn open(dir: &Path, config: Config) -> Result<Box<dyn Store>> {
    let path = dir.join("canopydb");
    let is_new = !path.exists();
    std::fs::create_dir_all(&path)?;
    let mut env = EnvOptions::new(&path);
    env.page_cache_size = usize::try_from(config.cache_bytes)?;
    let mut options = DbOptions::new();
    options.default_commit_sync = true;
    let db = Database::with_options(env, options)?;
    if is_new {
        put(&db, &mut std::iter::empty())?;
    }
    Ok(Box::new(Canopydb { db }))
}

fn put(db: &Database, records: &mut Records<'_>) -> Result<()> {
    let tx = db.begin_write()?;
    {
        let mut tree = tx.get_or_create_tree(RECORDS)?;
        for (key, value) in records {
            tree.insert(key.as_ref(), &value)?;
        }
    }
    tx.commit()?;
    Ok(())
}

impl Store for Canopydb {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Handle { db: &self.db }))
    }

    fn load_sorted(&self, records: &mut Records<'_>) -> Result<()> {
        put(&self.db, records)
    }

    fn compact(&mut self) -> Result<Compacted> {
        self.db.compact()?;
        Ok(Compacted::InPlace)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.db.checkpoint()?)
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
        let tree = tx.get_tree(RECORDS)?.ok_or("no tree of records")?;
        for key in keys {
            if let Some(value) = tree.get(key.as_ref())? {
                found.see(key.as_ref(), &value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, starts: &mut Keys<'_>, limit: usize, found: &mut Tally) -> Result<()> {
        let tx = self.db.begin_read()?;
        let tree = tx.get_tree(RECORDS)?.ok_or("no tree of records")?;
        for start in starts {
            for record in tree.range(start..)?.take(limit) {
                let (key, value) = record?;
                found.see(&key, &value);
            }
        }
        Ok(())
    }
}
