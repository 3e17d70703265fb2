//! The root page: a catalogue of named trees and the counters that go with them.
//!
//! ```text
//! 64  trees     u16
//! 66  families  u16
//! 68  floor     u64   the oldest sequence that reads right (0: all)
//! 76  pruned    u64   the floor to which everything has been pruned (0: none)
//! 84  base      u64   the sequence that an empty database adopted (0: none)
//! 92  trees:    name len u8, name, kind u8, level u8, reserved u16, rows u64, child pointer
//!     families: family u8, zeros 7, visible u64, logical u64, rows u64
//! ```
//!
//! A tree of a kind that this version does not know stays as it is: opaque, but reachable.

use super::FormatResult;
use super::bytes::Reader;
use super::child::ChildPointer;
use super::page::PAGE_HEADER_BYTES;

/// A tree of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeEntry {
    pub(crate) name: String,
    pub(crate) kind: u8,
    pub(crate) level: u8,
    pub(crate) rows: u64,
    pub(crate) root: ChildPointer,
}

/// Counters of one record family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FamilyCount {
    pub(crate) family: u8,
    /// Records that a read at head finds.
    pub(crate) visible: u64,
    /// Records with any version.
    pub(crate) logical: u64,
    /// Versions, tombstones included.
    pub(crate) rows: u64,
}

/// Content of the root page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalog {
    pub(crate) floor: u64,
    pub(crate) pruned: u64,
    pub(crate) base: u64,
    pub(crate) trees: Vec<TreeEntry>,
    pub(crate) families: Vec<FamilyCount>,
}

impl Catalog {
    /// Writes the catalogue into a page, `None` if it does not fit.
    pub(crate) fn encode(&self, page_size: usize) -> Option<Box<[u8]>> {
        let mut out = vec![0; PAGE_HEADER_BYTES];
        out.extend_from_slice(&(self.trees.len() as u16).to_le_bytes());
        out.extend_from_slice(&(self.families.len() as u16).to_le_bytes());
        for seq in [self.floor, self.pruned, self.base] {
            out.extend_from_slice(&seq.to_le_bytes());
        }
        for tree in &self.trees {
            out.push(tree.name.len() as u8);
            out.extend_from_slice(tree.name.as_bytes());
            out.extend_from_slice(&[tree.kind, tree.level, 0, 0]);
            out.extend_from_slice(&tree.rows.to_le_bytes());
            tree.root.encode(&mut out);
        }
        for family in &self.families {
            out.extend_from_slice(&[family.family, 0, 0, 0, 0, 0, 0, 0]);
            for count in [family.visible, family.logical, family.rows] {
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
        if out.len() > page_size {
            return None;
        }
        out.resize(page_size, 0);
        Some(out.into_boxed_slice())
    }

    /// Reads the catalogue from a verified page.
    pub(crate) fn decode(page: &[u8]) -> FormatResult<Self> {
        let mut reader = Reader::new(page.get(PAGE_HEADER_BYTES..).ok_or("short page")?);
        let (trees, families) = (reader.u16()?, reader.u16()?);
        let mut catalog = Self {
            floor: reader.u64()?,
            pruned: reader.u64()?,
            base: reader.u64()?,
            ..Self::default()
        };
        for _ in 0..trees {
            let name_len = usize::from(reader.u8()?);
            let name = std::str::from_utf8(reader.take(name_len)?)
                .map_err(|_| "name of a tree is not text")?
                .to_owned();
            let (kind, level) = (reader.u8()?, reader.u8()?);
            reader.u16()?;
            let rows = reader.u64()?;
            let root = ChildPointer::decode(&mut reader)?;
            catalog.trees.push(TreeEntry { name, kind, level, rows, root });
        }
        for _ in 0..families {
            let family = reader.u8()?;
            reader.take(7)?;
            catalog.families.push(FamilyCount {
                family,
                visible: reader.u64()?,
                logical: reader.u64()?,
                rows: reader.u64()?,
            });
        }
        Ok(catalog)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PageNo;

    #[test]
    fn round_trip_and_every_cut_is_refused() {
        let catalog = Catalog {
            floor: 3,
            pruned: 2,
            base: 1,
            trees: vec![TreeEntry {
                name: "records".into(),
                kind: 1,
                level: 2,
                rows: 9,
                root: ChildPointer { page: PageNo(7), max_seq: 4, ..ChildPointer::default() },
            }],
            families: vec![FamilyCount { family: 2, visible: 1, logical: 2, rows: 3 }],
        };
        let page = catalog.encode(512).unwrap();
        assert_eq!(Catalog::decode(&page).unwrap(), catalog);
        for len in 0..150 {
            assert!(Catalog::decode(&page[..len]).is_err());
        }
        assert!(catalog.encode(128).is_none());
    }
}
