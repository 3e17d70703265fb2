//! For reference: the standard library's ordered map behind a read-write lock. It stores nothing;
//! it shows what memory alone would do.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::Result;
use crate::data::{KEY_BYTES, Tally, Value};
use crate::store::{Compacted, Keys, Records, Session, Store};

type Map = BTreeMap<[u8; KEY_BYTES], Value>;

#[derive(Default)]
struct OrderedMap {
    map: RwLock<Map>,
}

pub(super) fn open() -> Box<dyn Store> {
    Box::new(OrderedMap::default())
}

impl Store for OrderedMap {
    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Handle(&self.map)))
    }

    fn load_sorted(&self, records: &mut Records<'_>) -> Result<()> {
        Handle(&self.map).commit(records)
    }

    fn compact(&mut self) -> Result<Compacted> {
        Ok(Compacted::Unsupported)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

struct Handle<'a>(&'a RwLock<Map>);

impl Session for Handle<'_> {
    fn commit(&mut self, records: &mut Records<'_>) -> Result<()> {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        map.extend(records.map(|(key, value)| (key.plain(), value)));
        Ok(())
    }

    fn read(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(value) = map.get(&key.plain()) {
                found.see(key.as_ref(), value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, starts: &mut Keys<'_>, limit: usize, found: &mut Tally) -> Result<()> {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for start in starts {
            for (key, value) in map.range(start.plain()..).take(limit) {
                found.see(key, value);
            }
        }
        Ok(())
    }
}
