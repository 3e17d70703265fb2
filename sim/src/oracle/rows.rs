//! The rows as they lie in the trees, where it is known what must be left of them.

use hexxladb::Db;

use super::{Check, Excuses, Kind, Shown, fail, same};
use crate::model::{Index, Model, indexed};

/// After everything below head is pruned: one row for each entry of each index and none that hides
/// one, and of each record what is left.
///
/// # Errors
/// When there are others, or at an error.
pub fn nothing_left_over(db: &Db, model: &Model, shown: &Shown, excuses: &Excuses) -> Check {
    let state: Vec<_> = model.state(shown.head).collect();
    let entries: usize = Index::ALL.iter().map(|index| indexed(*index, &state).len()).sum();
    let (mut index_rows, mut record_rows) = (0, 0);
    for row in excuses.take("dump", db.dump())? {
        let row = excuses.take("dump", row)?;
        if row.key.starts_with("__index/") {
            if row.tombstone {
                return fail(Kind::Wrong, "index row that hides nothing", row.to_string());
            }
            index_rows += 1;
        } else if !row.key.starts_with("__meta/") {
            record_rows += 1;
        }
    }
    same("rows of indexes after pruning", &index_rows, &entries)?;
    let left = model.rows(shown.head) - shown.upkeep.removed;
    same("rows of records after pruning", &record_rows, &left)
}
