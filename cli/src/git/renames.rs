//! Which files of a commit went to another path as they were: the same blob, removed here and added
//! there. Empty files are all alike and tell nothing.

use std::collections::HashMap;

use hexxladb::ChangeKind;

use super::diff::Change;
use super::object::ObjectId;

/// Old and new paths, in the order of the new ones; each path at most once.
pub(crate) fn renames(changes: &[Change]) -> Vec<(&[u8], &[u8])> {
    let mut removed: HashMap<ObjectId, Vec<&[u8]>> = HashMap::new();
    // The last ones first, so that the first is taken first.
    for change in changes.iter().rev() {
        let is_empty = change.old_id == change.old_id.format().blob_id(b"");
        if change.kind() == Some(ChangeKind::Removed) && !is_empty {
            removed.entry(change.old_id).or_default().push(&change.path);
        }
    }
    let added = changes.iter().filter(|change| change.kind() == Some(ChangeKind::Added));
    added
        .filter_map(|change| {
            Some((removed.get_mut(&change.new_id)?.pop()?, change.path.as_slice()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::object::{Mode, ObjectFormat};

    #[test]
    fn equal_blobs_pair_in_order() {
        let id = |text: &str| ObjectFormat::Sha1.blob_id(text.as_bytes());
        let change = |path: &str, old: Option<&str>, new: Option<&str>| {
            let mode = |text: Option<&str>| {
                let octal = if text.is_some() { b"100644" } else { b"000000" };
                Mode::from_octal(octal).unwrap()
            };
            Change {
                path: path.as_bytes().to_vec(),
                old_mode: mode(old),
                new_mode: mode(new),
                old_id: id(old.unwrap_or("none")),
                new_id: id(new.unwrap_or("none")),
            }
        };
        let changes = [
            change("a", Some("x"), None),
            change("b", Some("x"), None),
            change("c", None, Some("x")),
            change("d", Some("y"), Some("x")),
            change("e", None, Some("x")),
            change("f", None, Some("x")),
            change("g", Some(""), None),
            change("h", None, Some("")),
            change("i", Some("z"), None),
        ];
        let text = |path: &[u8]| String::from_utf8(path.to_vec()).unwrap();
        let found: Vec<_> =
            renames(&changes).into_iter().map(|(old, new)| text(old) + &text(new)).collect();
        assert_eq!(found, ["ac", "be"]);
    }
}
