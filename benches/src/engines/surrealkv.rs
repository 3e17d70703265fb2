//! `SurrealKV`: an LSM tree with an asynchronous commit pipeline. Every commit with
//! `Durability::Immediate`; the log is preallocated, which its documentation recommends for small
//! synced commits. Old versions through its own versioning, with the version as the timestamp.

use std::path::Path;

use surrealkv::{
    CompactRangeOptions, Durability, LSMIterator, Mode, Options, Transaction, Tree, TreeBuilder,
};
use tokio::runtime::Runtime;

use crate::Result;
use crate::data::{Key, Tally};
use crate::store::{Compacted, Config, Keys, Records, Session, Store};

/// Records of a transaction of the sorted load: a transaction is held in memory.
const LOAD_BATCH_RECORDS: usize = 10_000;

struct Surrealkv {
    runtime: Runtime,
    tree: Tree,
    versions: bool,
}

pub(super) fn open(dir: &Path, config: Config) -> Result<Box<dyn Store>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let options = Options::new()
        .with_path(dir.join("surrealkv"))
        .with_block_cache_capacity(config.cache_bytes)
        .with_wal_preallocation(true)
        .with_versioning(config.versions, 0);
    let tree = {
        let _inside = runtime.enter();
        TreeBuilder::with_options(options).build()?
    };
    Ok(Box::new(Surrealkv { runtime, tree, versions: config.versions }))
}

impl Surrealkv {
    fn handle(&self) -> Handle<'_> {
        Handle { store: self }
    }
}

impl Store for Surrealkv {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self.handle()))
    }

    fn load_sorted(&self, records: &mut Records<'_>) -> Result<()> {
        let mut handle = self.handle();
        let mut records = records.peekable();
        while records.peek().is_some() {
            handle.commit(&mut records.by_ref().take(LOAD_BATCH_RECORDS))?;
        }
        Ok(())
    }

    fn compact(&mut self) -> Result<Compacted> {
        let _inside = self.runtime.enter();
        self.tree.compact_range(None, None, &CompactRangeOptions::default())?;
        Ok(Compacted::InPlace)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.runtime.block_on(self.tree.close())?)
    }
}

struct Handle<'a> {
    store: &'a Surrealkv,
}

impl Handle<'_> {
    fn write(
        &self,
        records: &mut Records<'_>,
        set: impl Fn(&mut Transaction, Key, &[u8]) -> surrealkv::Result<()>,
    ) -> Result<()> {
        let mut tx = self.store.tree.begin_with_mode(Mode::WriteOnly)?;
        tx.set_durability(Durability::Immediate);
        for (key, value) in records {
            set(&mut tx, key, &value)?;
        }
        Ok(self.store.runtime.block_on(tx.commit())?)
    }
}

impl Session for Handle<'_> {
    fn commit(&mut self, records: &mut Records<'_>) -> Result<()> {
        self.write(records, |tx, key, value| tx.set(key.as_ref(), value))
    }

    fn read(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        let tx = self.store.tree.begin_with_mode(Mode::ReadOnly)?;
        for key in keys {
            if let Some(value) = tx.get(key.as_ref())? {
                found.see(key.as_ref(), &value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, starts: &mut Keys<'_>, limit: usize, found: &mut Tally) -> Result<()> {
        let tx = self.store.tree.begin_with_mode(Mode::ReadOnly)?;
        for start in starts {
            let mut records = tx.scan(start.as_ref()..)?;
            let mut valid = records.seek_first()?;
            for _ in 0..limit {
                if !valid {
                    break;
                }
                found.see(records.key().user_key(), &records.value_ref()?);
                valid = records.next()?;
            }
        }
        Ok(())
    }

    fn commit_version(&mut self, version: u64, records: &mut Records<'_>) -> Result<()> {
        if !self.store.versions {
            return Err("opened without versions".into());
        }
        self.write(records, |tx, key, value| tx.set_at(key.as_ref(), value, version))
    }

    fn read_as_of(&mut self, version: u64, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        let tx = self.store.tree.begin_with_mode(Mode::ReadOnly)?;
        for key in keys {
            if let Some(value) = tx.get_at(key.as_ref(), version)? {
                found.see(key.as_ref(), &value);
            }
        }
        Ok(())
    }

    fn read_newest(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        self.read(keys, found)
    }
}
