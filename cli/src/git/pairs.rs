//! Differences between snapshots against git's own: `snapshot_diff` of pairs of commits must list
//! the files that `git diff --no-renames --name-status` lists, no other, and say the same of each.
//!
//! Git is asked through one long-lived `diff-tree`, which also tells modes and ids. Between
//! neighbours the cells and edges of commits and renames are compared, too.

use std::collections::{BTreeMap, HashMap};

use hexxladb::{Cell, ChangeKind, Coord, Db, EdgeId, Record, RecordChange, RecordId};

use super::batch::Batch;
use super::compare::Differences;
use super::diff::{Change, TreeDiff};
use super::layout::{Note, PARENT, RENAMED_TO, commit_cell, name_key, parse_coord, path_key};
use super::object::ObjectId;
use super::places;
use super::quote::quoted;
use super::renames::renames;
use super::repo::Repo;
use super::verify::State;
use crate::failure::Failure;

/// Pairs that are no neighbours.
const DISTANT_PAIRS: u64 = 200;

/// Compares pairs of states.
pub(crate) struct Pairs<'a> {
    db: &'a Db,
    states: &'a [State],
    /// The tree of each state's git commit.
    trees: Vec<ObjectId>,
    /// The note of each state's commit, as git has it.
    notes: Vec<Note>,
    diff: TreeDiff,
    paths: HashMap<Coord, Vec<u8>>,
    pub(crate) neighbours: u64,
    pub(crate) distant: u64,
}

/// Files that differ, by their paths.
type Files = BTreeMap<Vec<u8>, ChangeKind>;

impl<'a> Pairs<'a> {
    pub(crate) fn new(repo: &Repo, db: &'a Db, states: &'a [State]) -> Result<Self, Failure> {
        let ids: Vec<_> = states.iter().map(|state| state.expected.id).collect();
        let objects = Batch::start(repo)?.commits(&ids)?;
        let trees = objects.iter().map(|object| object.tree).collect();
        let notes = objects.into_iter().zip(states).map(|(object, state)| Note {
            commit: state.expected.id,
            committer_secs: state.expected.committer_secs,
            subject: object.subject,
        });
        Ok(Self {
            db,
            states,
            trees,
            notes: notes.collect(),
            diff: TreeDiff::new(repo),
            paths: HashMap::new(),
            neighbours: 0,
            distant: 0,
        })
    }

    /// Compares a state with the one before it, the first with the empty one.
    pub(crate) fn neighbour(
        &mut self,
        at: usize,
        differences: &mut Differences,
    ) -> Result<(), Failure> {
        self.neighbours += 1;
        let before = at.checked_sub(1);
        let git = self.git(before, at)?;
        let (from, to) = (before.map_or(0, |before| self.states[before].seq), self.states[at].seq);
        let place = format!("commits {from} and {to}");
        let mut files = Files::new();
        let mut beside = Vec::new();
        for change in self.db.snapshot_diff(from, to)? {
            self.sort(change?, to, &mut files, &mut beside)?;
        }
        compare(&place, &files_of(&git), &files, differences);
        self.compare_beside(at, &git, &beside, differences)
    }

    /// Compares pairs all over the history, either way round: always the same for a history.
    pub(crate) fn distant(
        &mut self,
        stop: impl Fn() -> Result<(), Failure>,
        differences: &mut Differences,
    ) -> Result<(), Failure> {
        let count = self.states.len() as u64;
        if count < 3 {
            return Ok(());
        }
        // Weyl's sequence: steps of the golden ratio reach every part evenly.
        let mut chosen = 0_u64;
        let mut next = || {
            chosen = chosen.wrapping_add(0x9E37_79B9_7F4A_7C15);
            usize::try_from((u128::from(chosen) * u128::from(count)) >> 64).unwrap_or_default()
        };
        for _ in 0..DISTANT_PAIRS {
            stop()?;
            let (a, b) = (next(), next());
            self.distant += 1;
            let git = self.git(Some(a), b)?;
            let (from, to) = (self.states[a].seq, self.states[b].seq);
            let mut files = Files::new();
            for change in self.db.snapshot_diff(from, to)? {
                self.sort(change?, from.max(to), &mut files, &mut Vec::new())?;
            }
            let place = format!("commits {from} and {to}");
            compare(&place, &files_of(&git), &files, differences);
        }
        Ok(())
    }

    fn git(&mut self, from: Option<usize>, to: usize) -> Result<Vec<Change>, Failure> {
        let to = self.trees[to];
        let from = from.map_or_else(|| to.format().empty_tree(), |from| self.trees[from]);
        self.diff.changes(from, to)
    }

    /// Puts a change up to commit `seq` with the files, or with the other cells and the edges.
    fn sort(
        &mut self,
        change: RecordChange,
        seq: u64,
        files: &mut Files,
        beside: &mut Vec<RecordChange>,
    ) -> Result<(), Failure> {
        match &change.id {
            RecordId::Cell(coord) if places::is_of_files(*coord) => {
                if is_same_file(&change) {
                    return Ok(());
                }
                let path = self.path(*coord, seq)?;
                files.insert(path, change.kind());
            }
            RecordId::Cell(_) | RecordId::Edge(_) => beside.push(change),
            _ => {}
        }
        Ok(())
    }

    /// The path of a place, as the state says in which it was first met.
    fn path(&mut self, coord: Coord, seq: u64) -> Result<Vec<u8>, Failure> {
        if let Some(path) = self.paths.get(&coord) {
            return Ok(path.clone());
        }
        let path = match self.db.view_at(seq, |tx| tx.get(name_key(coord)))? {
            Some(path) => path.to_vec(),
            None => format!("cell {coord}").into_bytes(),
        };
        self.paths.insert(coord, path.clone());
        Ok(path)
    }

    /// Compares what is no file: the commit's cell and its parent, and the renames.
    fn compare_beside(
        &self,
        at: usize,
        git: &[Change],
        beside: &[RecordChange],
        differences: &mut Differences,
    ) -> Result<(), Failure> {
        let state = &self.states[at];
        let seq = state.seq;
        let tx = self.db.snapshot_at(seq)?;
        let mut expected = Vec::new();
        // A commit that the import did not make has its predecessor's git commit.
        let is_new = at == 0 || self.states[at - 1].expected.id != state.expected.id;
        if is_new {
            let place = places::of_commit(state.number)?;
            let same = |cell: &Cell| is_same(cell, &commit_cell(&self.notes[at]));
            if !tx.get_cell(place)?.is_some_and(|cell| same(&cell)) {
                differences.add(format!("commit {seq}: its cell {place} is not what git says"));
            }
            expected.push(RecordId::Cell(place));
            if state.number > 0 {
                let parent = places::of_commit(state.number - 1)?;
                expected.push(EdgeId::new(place, parent, PARENT).into());
            }
            for (old, new) in renames(git) {
                let place = |path: &[u8]| {
                    let text = tx.get(path_key(path))?;
                    Ok::<_, Failure>(text.and_then(|text| parse_coord(&text)))
                };
                if let (Some(old), Some(new)) = (place(old)?, place(new)?) {
                    expected.push(EdgeId::new(old, new, RENAMED_TO).into());
                }
            }
        }
        for id in &expected {
            if let RecordId::Edge(edge) = id
                && tx.get_edge(edge.from, edge.to, &edge.relation)?.is_none()
            {
                differences.add(format!("commit {seq}: {id} is missing"));
            }
        }
        // Edges go with the files that they leave.
        let unexpected = beside.iter().filter(|change| match &change.id {
            RecordId::Edge(edge) if change.new.is_none() => edge.relation != RENAMED_TO,
            id => !expected.contains(id),
        });
        for change in unexpected {
            differences.add(format!("commit {seq}: {} is not of the import", change.id));
        }
        Ok(())
    }
}

/// Whether only the cell's times differ: a file that was changed and changed back.
fn is_same_file(change: &RecordChange) -> bool {
    match (&change.old, &change.new) {
        (Some(Record::Cell(old)), Some(Record::Cell(new))) => is_same(old, new),
        _ => false,
    }
}

fn is_same(a: &Cell, b: &Cell) -> bool {
    (&a.raw_content, &a.tags, &a.provenance.source_id)
        == (&b.raw_content, &b.tags, &b.provenance.source_id)
}

fn files_of(git: &[Change]) -> Files {
    let kinds = git.iter().filter_map(|change| Some((change.path.clone(), change.kind()?)));
    kinds.collect()
}

fn compare(place: &str, git: &Files, ours: &Files, differences: &mut Differences) {
    if git == ours {
        return;
    }
    let said = |kind: Option<&ChangeKind>| match kind {
        None => "the same",
        Some(ChangeKind::Added) => "added",
        Some(ChangeKind::Modified) => "modified",
        Some(ChangeKind::Removed) => "removed",
    };
    let paths: std::collections::BTreeSet<_> = git.keys().chain(ours.keys()).collect();
    for path in paths {
        let (git, ours) = (git.get(path), ours.get(path));
        if git != ours {
            let (path, ours, git) = (quoted(path), said(ours), said(git));
            differences.add(format!("{place}: {path} is {ours} in the diff, git says {git}"));
        }
    }
}
