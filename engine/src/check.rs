//! Checking a whole database: every page, the order of every tree, free space, and the counters.
//! All findings are reported, not the first alone.

mod versions;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::btree::{Broken, Verifier, Verify};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::format::free_list::Extent;
use crate::format::header::first_page;
use crate::format::overflow::OverflowRef;
use crate::ids::PageNo;
use crate::index::IndexKeys;
use crate::keys;
use crate::pager::{Node, Pager};
use crate::sync::lock;
use crate::timeline::{MetaRow, Root, is_tombstone, read_value};
use versions::Version;

/// What kind of damage a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum FindingKind {
    /// A page cannot be read or is not what was written.
    Page,
    /// Keys of a page are not in order.
    Order,
    /// A key lies outside of the fence keys of its page.
    Fence,
    /// A page says that what lies below it is older than it is.
    Bound,
    /// A large value is not what was written.
    Value,
    /// A row cannot be understood.
    Row,
    /// A page is both reachable and free, or reachable twice.
    DoublyUsed,
    /// A page is neither reachable nor free.
    Leaked,
    /// A counter disagrees with a recount.
    Counter,
    /// The timeline misses a commit or is out of order.
    Timeline,
    /// An index and the records disagree at some snapshot.
    Index,
    /// A version that pruning should have removed.
    Unpruned,
}

/// Something that is wrong with the database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// What kind of damage it is.
    pub kind: FindingKind,
    /// The damaged file.
    pub file: PathBuf,
    /// Byte offset of the damage.
    pub offset: u64,
    /// What was expected and found.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}: {} at offset {}: {}",
            self.kind,
            self.file.display(),
            self.offset,
            self.what
        )
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CheckReport {
    /// Pages that were read.
    pub pages: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Checks the newest state.
pub(crate) fn check(core: &Arc<Core>) -> Result<CheckReport> {
    core.check_open()?;
    // Without a writer the tree, free space and counters belong together.
    core.claim_seat()?;
    let settled = if core.wal.get().is_some() { core.checkpoint_now() } else { Ok(()) };
    let checked = settled.and_then(|()| Walk::new(core, &core.base()).run());
    core.leave_seat();
    checked
}

struct Walk<'a> {
    core: &'a Core,
    root: &'a Root,
    report: CheckReport,
    reached: BTreeSet<PageNo>,
    /// Rows seen in the tree being walked, by what the tree is.
    in_records: bool,
    seen: Recount,
    failed: Option<Error>,
}

/// Counters as a walk finds them.
#[derive(Default)]
struct Recount {
    rows: u64,
    /// Rows, records and visible records of each record family.
    families: [(u64, u64, u64); keys::RECORD_FAMILIES.len()],
    last_logical: Vec<u8>,
    /// Sequence of the row before, which is the next newer version if it is of the same record.
    last_seq: u64,
    /// Index rows of the record's version before, if it was one that can be read.
    newer_index: IndexKeys,
    commits: Vec<(u64, MetaRow)>,
    commit_times: u64,
}

impl<'a> Walk<'a> {
    fn new(core: &'a Core, root: &'a Root) -> Self {
        Self {
            core,
            root,
            report: CheckReport::default(),
            reached: BTreeSet::new(),
            in_records: false,
            seen: Recount::default(),
            failed: None,
        }
    }

    fn run(mut self) -> Result<CheckReport> {
        let (core, root) = (self.core, self.root);
        for in_records in [false, true] {
            self.in_records = in_records;
            self.seen.rows = 0;
            let tree = if in_records { &root.records } else { &root.meta };
            Verifier::new(&core.pager, &mut self).tree(tree)?;
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.seen.rows != tree.rows {
                let what = format!("a tree counts {} rows, {} found", tree.rows, self.seen.rows);
                self.add(PageNo::NONE, FindingKind::Counter, what);
            }
        }
        self.check_counters();
        self.check_timeline();
        self.check_space();
        Ok(self.report)
    }

    fn add(&mut self, page: PageNo, kind: FindingKind, what: String) {
        let pager = &self.core.pager;
        self.report.findings.push(Finding {
            kind,
            file: pager.file.path().to_path_buf(),
            offset: page.offset(pager.page_size),
            what,
        });
    }

    /// Notes that a page is used; says whether it is for the first time.
    fn reach(&mut self, page: PageNo) -> bool {
        self.report.pages += 1;
        let first = self.reached.insert(page);
        if !first {
            self.add(page, FindingKind::DoublyUsed, format!("page {page} is reachable twice"));
        }
        first
    }

    fn check_counters(&mut self) {
        for (count, found) in self.root.families.into_iter().zip(self.seen.families) {
            if (count.rows, count.logical, count.visible) != found {
                let what = format!(
                    "family {:#04x} counts {:?} rows, records and visible records, {found:?} found",
                    count.family,
                    (count.rows, count.logical, count.visible),
                );
                self.add(PageNo::NONE, FindingKind::Counter, what);
            }
        }
    }

    /// Every commit from the floor to head is there, and of those below, which pruning takes away
    /// oldest first, the newest.
    fn check_timeline(&mut self) {
        let commits = std::mem::take(&mut self.seen.commits);
        let first = self.root.floor.max(1);
        let in_order = commits
            .windows(2)
            .all(|pair| pair[0].0 + 1 == pair[1].0 && pair[0].1.time <= pair[1].1.time);
        let begins = commits.first().is_none_or(|(seq, _)| *seq <= first);
        let ends = match commits.last() {
            Some((seq, row)) => *seq == self.root.seq && row.hash == self.root.hash,
            None => self.root.seq < first,
        };
        let times = self.seen.commit_times;
        if !in_order || !begins || !ends || commits.len() as u64 != times {
            let what = format!(
                "{} commits and {times} times in the timeline, expected in order from {first} to {}",
                commits.len(),
                self.root.seq
            );
            self.add(PageNo::NONE, FindingKind::Timeline, what);
        }
    }

    /// Reachable and free pages are disjoint and together are all pages.
    fn check_space(&mut self) {
        let roots = self.core.checkpoints.root_pages();
        for page in roots.iter().flat_map(|extent| extent.start.0..extent.start.0 + extent.pages) {
            self.reach(PageNo(page));
        }
        let (free, end) = {
            let space = lock(&self.core.pager.space);
            (space.unused(), space.end())
        };
        let mut free_pages = BTreeSet::new();
        for page in free.iter().flat_map(|extent| extent.start.0..extent.start.0 + extent.pages) {
            free_pages.insert(PageNo(page));
        }
        let both: Vec<PageNo> = self.reached.intersection(&free_pages).copied().collect();
        for page in both {
            let what = format!("page {page} is both reachable and free");
            self.add(page, FindingKind::DoublyUsed, what);
        }
        // What lies below a damaged page cannot be told from a leak.
        let damaged = self.report.findings.iter().any(|found| found.kind == FindingKind::Page);
        if !damaged && self.root.other_pages().next().is_none() {
            for page in first_page(self.core.pager.page_size)..end {
                let page = PageNo(page);
                if !self.reached.contains(&page) && !free_pages.contains(&page) {
                    let what = format!("page {page} is neither reachable nor free");
                    self.add(page, FindingKind::Leaked, what);
                }
            }
        }
    }

    fn row(&mut self, leaf: &Arc<Node>, index: usize) -> Result<(), String> {
        self.report.rows += 1;
        self.seen.rows += 1;
        let pager = &self.core.pager;
        let (range, overflow) = leaf.keys.value_range(index);
        if overflow {
            let bytes = &leaf.keys.bytes()[range];
            let reference = OverflowRef::decode(bytes, pager.page_size)?;
            let end = lock(&pager.space).end();
            let inside = |extent: &Extent| extent.start.0.saturating_add(extent.pages) <= end;
            if !reference.extents.iter().all(inside) {
                return Err("a value in pages past the end of the file".into());
            }
            for page in reference.pages() {
                self.reach(page);
            }
        }
        let key = leaf.keys.key(index);
        keys::decode_physical(&key, self.core.limits.mvcc).map_err(|error| error.to_string())?;
        if self.in_records {
            self.count_record(pager, leaf, index, &key)
        } else {
            self.note_timeline(pager, leaf, index, &key)
        }
    }

    fn count_record(
        &mut self,
        pager: &Pager,
        leaf: &Arc<Node>,
        index: usize,
        key: &[u8],
    ) -> Result<(), String> {
        let mvcc = self.core.limits.mvcc;
        let (logical, seq) =
            if mvcc { keys::split_seq(key).ok_or("no sequence")? } else { (key, 0) };
        let tombstone = is_tombstone(pager, leaf, index).map_err(|error| error.to_string())?;
        let first = self.seen.last_logical != logical;
        let families = keys::RECORD_FAMILIES;
        if let Some(at) = families.iter().position(|family| *family as u8 == key[0]) {
            let counts = &mut self.seen.families[at];
            counts.0 += 1;
            counts.1 += u64::from(first);
            counts.2 += u64::from(first && !tombstone);
        }
        let superseded_by = (!first).then_some(self.seen.last_seq);
        self.seen.last_seq = seq;
        if first {
            self.seen.last_logical = logical.to_vec();
        }
        let value = if tombstone { Ok(None) } else { read_value(pager, leaf, index).map(Some) };
        match value {
            Ok(value) => {
                let row = Version { logical, seq, value, superseded_by };
                self.check_version(leaf, &row);
            }
            Err(error) => self.note_error(error, FindingKind::Value),
        }
        Ok(())
    }

    fn note_timeline(
        &mut self,
        pager: &Pager,
        leaf: &Arc<Node>,
        index: usize,
        key: &[u8],
    ) -> Result<(), String> {
        if keys::commit_range().contains(key) {
            let seq = key.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            match read_value(pager, leaf, index) {
                Ok(value) => self.seen.commits.push((seq, MetaRow::decode(&value)?)),
                Err(error) => self.note_error(error, FindingKind::Value),
            }
        } else if keys::commit_time_range().contains(key) {
            self.seen.commit_times += 1;
        }
        Ok(())
    }

    fn note_error(&mut self, error: Error, kind: FindingKind) {
        match error {
            Error::CorruptDatabase { file, offset, what } => {
                self.report.findings.push(Finding { kind, file, offset, what });
            }
            other => self.failed = Some(other),
        }
    }
}

impl Verify for Walk<'_> {
    fn page(&mut self, page: Option<PageNo>) -> bool {
        page.is_none_or(|page| self.reach(page))
    }

    fn leaf(&mut self, leaf: &Arc<Node>) {
        for index in 0..leaf.keys.count() {
            if let Err(what) = self.row(leaf, index) {
                let page = leaf.disk.get().map_or(PageNo::NONE, |disk| disk.page);
                self.add(page, FindingKind::Row, format!("row {index}: {what}"));
            }
        }
    }

    fn finding(&mut self, page: PageNo, kind: Broken, what: String) {
        let kind = match kind {
            Broken::Page => FindingKind::Page,
            Broken::Order => FindingKind::Order,
            Broken::Fence => FindingKind::Fence,
            Broken::Bound => FindingKind::Bound,
        };
        self.add(page, kind, what);
    }
}
