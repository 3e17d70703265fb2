//! One state of the database: its trees, counters and place in the history. Published roots
//! never change.

use std::sync::Arc;

use crate::btree::Tree;
use crate::error::Result;
use crate::format::FormatResult;
use crate::format::bytes::Reader;
use crate::format::catalog::{Catalog, FamilyCount, TreeEntry};
use crate::format::header::{Header, Retired};
use crate::ids::{FrameNo, HistoryHash, PageNo};
use crate::keys::{Family, RECORD_FAMILIES};
use crate::pager::{Node, Owner, Pager, dirty_nodes, write_all};
use crate::time::Timestamp;

const RECORDS: &str = "records";
const META: &str = "meta";
/// A tree whose rows this engine understands.
const KIND_ROWS: u8 = 1;
/// No tree is higher: even two rows a page would need more pages than there are.
const MAX_LEVEL: u8 = 48;

/// A state after some commit.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// The last frame of the log that the state contains, and where it is.
    pub(crate) place: Retired,
    /// The newest commit.
    pub(crate) seq: u64,
    pub(crate) time: i64,
    pub(crate) hash: HistoryHash,
    /// The oldest sequence that reads right.
    pub(crate) floor: u64,
    /// A floor to which everything has been pruned: no record has a version that only snapshots
    /// below it could see.
    pub(crate) pruned: u64,
    /// The sequence that an empty database adopted.
    pub(crate) base: u64,
    pub(crate) records: Tree,
    pub(crate) meta: Tree,
    /// Counters of the record families, in the order of [`RECORD_FAMILIES`].
    pub(crate) families: [FamilyCount; RECORD_FAMILIES.len()],
    /// Trees and counters of kinds that this version does not know: kept as they are.
    pub(crate) other_trees: Vec<TreeEntry>,
    pub(crate) other_families: Vec<FamilyCount>,
}

impl Root {
    /// The state that a header names.
    pub(crate) fn load(pager: &Pager, header: &Header) -> Result<Self> {
        let (page, checksum) = header.catalog;
        let bytes = pager.read_page(page, crate::format::page::PageType::Catalog, &checksum)?;
        let catalog = Catalog::decode(&bytes).map_err(|what| pager.corrupt(page, what))?;
        Self::from_catalog(catalog, header).map_err(|what| pager.corrupt(page, what))
    }

    fn from_catalog(catalog: Catalog, header: &Header) -> FormatResult<Self> {
        let mut trees = catalog.trees;
        if trees.iter().any(|tree| tree.level > MAX_LEVEL) {
            return Err("a tree is higher than any can be".into());
        }
        let mut take_tree = |name: &str| {
            let at = trees.iter().position(|tree| tree.name == name && tree.kind == KIND_ROWS);
            at.map(|at| Tree::from_entry(&trees.remove(at))).ok_or(format!("no tree {name}"))
        };
        let (records, meta) = (take_tree(RECORDS)?, take_tree(META)?);
        let mut others = catalog.families;
        let mut families = RECORD_FAMILIES.map(no_count);
        for count in &mut families {
            let at = others.iter().position(|other| other.family == count.family);
            *count = others.remove(at.ok_or("counters of a family are missing")?);
        }
        if catalog.floor > header.head_seq || catalog.pruned > catalog.floor {
            return Err("the prune floor is above head".into());
        }
        Ok(Self {
            place: header.retired,
            seq: header.head_seq,
            time: header.head_time,
            hash: header.head_hash,
            floor: catalog.floor,
            pruned: catalog.pruned,
            base: catalog.base,
            records,
            meta,
            families,
            other_trees: trees,
            other_families: others,
        })
    }

    /// The state before the first commit, over two empty trees.
    pub(crate) fn empty(records: Tree, meta: Tree) -> Self {
        Self {
            place: Retired::default(),
            seq: 0,
            time: i64::MIN,
            hash: HistoryHash::default(),
            floor: 0,
            pruned: 0,
            base: 0,
            records,
            meta,
            families: RECORD_FAMILIES.map(no_count),
            other_trees: Vec::new(),
            other_families: Vec::new(),
        }
    }

    /// The catalogue of this state; `None` while a tree is not on disk.
    pub(crate) fn catalog(&self) -> Option<Catalog> {
        let entry = |name: &str, tree: &Tree| {
            tree.root.pointer().map(|root| TreeEntry {
                name: name.to_owned(),
                kind: KIND_ROWS,
                level: tree.level,
                rows: tree.rows,
                root,
            })
        };
        let mut trees = vec![entry(RECORDS, &self.records)?, entry(META, &self.meta)?];
        trees.extend(self.other_trees.iter().cloned());
        let mut families = self.families.to_vec();
        families.extend(self.other_families.iter().copied());
        let Self { floor, pruned, base, .. } = *self;
        Some(Catalog { floor, pruned, base, trees, families })
    }

    /// Writes out what is in memory only.
    pub(crate) fn write_out(&self, pager: &Pager, owner: Owner) -> Result<()> {
        write_all(pager, self.dirty_nodes(), owner)
    }

    /// Nodes that are not on disk, children before parents.
    pub(crate) fn dirty_nodes(&self) -> Vec<Arc<Node>> {
        let mut nodes = Vec::new();
        dirty_nodes(&self.records.root, &mut nodes);
        dirty_nodes(&self.meta.root, &mut nodes);
        nodes
    }

    /// The last frame that the state contains.
    pub(crate) fn frame(&self) -> FrameNo {
        self.place.frame
    }

    /// The counters of a family; none for indexes, whose rows are not counted.
    pub(crate) fn count_mut(&mut self, family: u8) -> Option<&mut FamilyCount> {
        self.families.iter_mut().find(|count| count.family == family)
    }

    /// The counters of a family of records.
    pub(crate) fn count(&self, family: Family) -> FamilyCount {
        let found = self.families.iter().find(|count| count.family == family as u8);
        found.copied().unwrap_or_default()
    }

    /// The same state with its written nodes let go of.
    pub(crate) fn fold(&self, pager: &Pager) -> Self {
        Self { records: self.records.fold(pager), meta: self.meta.fold(pager), ..self.clone() }
    }

    /// The same state with its written branches dropped from memory.
    pub(crate) fn shed(&self) -> Self {
        Self { records: self.records.shed(), meta: self.meta.shed(), ..self.clone() }
    }

    /// The pages that other trees start at.
    pub(crate) fn other_pages(&self) -> impl Iterator<Item = PageNo> + '_ {
        self.other_trees.iter().map(|tree| tree.root.page)
    }
}

fn no_count(family: Family) -> FamilyCount {
    FamilyCount { family: family as u8, ..FamilyCount::default() }
}

/// What the timeline keeps of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetaRow {
    pub(crate) time: Timestamp,
    pub(crate) hash: HistoryHash,
    pub(crate) note: Option<String>,
}

impl MetaRow {
    /// time i64, history hash 16 B, 0 or 1 and the note.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = self.time.as_nanos().to_le_bytes().to_vec();
        out.extend_from_slice(&self.hash);
        if let Some(note) = &self.note {
            out.push(1);
            out.extend_from_slice(note.as_bytes());
        } else {
            out.push(0);
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> FormatResult<Self> {
        let mut reader = Reader::new(bytes);
        let time = Timestamp::from_nanos(reader.i64()?);
        let hash = reader.array()?;
        let has_note = reader.u8()?;
        let rest = reader.take(reader.remaining())?;
        let note = match has_note {
            0 if rest.is_empty() => None,
            1 => Some(std::str::from_utf8(rest).map_err(|_| "note is not text")?.to_owned()),
            _ => return Err("a timeline row of unknown form".into()),
        };
        Ok(Self { time, hash, note })
    }
}
