//! Reads: of the newest state, of the past, of snapshots that are held.

use hexxladb::{Db, Error, ReadTx, Timestamp};

use super::World;
use crate::model::{self, Id};
use crate::op::{Index, Key, Read, Slot};
use crate::oracle::{
    Check, Excuses, Kind, Shown, Span, at_time, brief, cell_range, commits, differences, edges,
    everything, facets, fail, histories, index, is_pruned, point, prefix, raw_range, ring,
    ring_filter, same, seam_filter, seams_around, snapshot, version_one, view_at_tag,
};

impl Index {
    /// As the model calls it.
    fn in_model(self) -> model::Index {
        match self {
            Self::CellTag => model::Index::CellTag,
            Self::CellSource => model::Index::CellSource,
            Self::CellWeek => model::Index::CellWeek,
            Self::SeamSource => model::Index::SeamSource,
            Self::SeamWeek => model::Index::SeamWeek,
        }
    }
}

/// A part of an index; one that ends before it starts is empty.
fn span(index: Index, from: &Key, to: &Key) -> Span {
    let (from, to) = (from.text(), to.text());
    if matches!(index, Index::CellWeek | Index::SeamWeek) {
        let [from, to] = [from, to].map(|text| text.parse().unwrap_or(0));
        return Span::Weeks(from, to.max(from));
    }
    let to = to.max(from.clone());
    Span::Texts(from, to)
}

/// Runs `look` on what the call reads.
fn viewed(
    call: &'static str,
    excuses: &Excuses,
    read: impl FnOnce(&mut dyn FnMut(&ReadTx)) -> Result<(), Error>,
    look: impl FnOnce(&ReadTx) -> Check,
) -> Check {
    let mut verdict = Ok(());
    let mut look = Some(look);
    let result = read(&mut |view| {
        if let Some(look) = look.take() {
            verdict = look(view);
        }
    });
    excuses.take(call, result)?;
    verdict
}

impl World {
    /// The handle and what it shows.
    pub(super) fn shown(&mut self) -> Check<Option<(Db, Shown)>> {
        let excuses = self.excuses();
        let Some(session) = &self.session else { return Ok(None) };
        let (db, upkeep) = (session.db.clone(), session.upkeep.clone());
        if session.read_only {
            return Ok(Some((db, Shown { head: session.opened_at, upkeep })));
        }
        let head = excuses.take("head", db.head())?;
        if let Err(failure) = self.observe() {
            return Err(failure.into());
        }
        Ok(Some((db, Shown { head, upkeep })))
    }

    pub(super) fn read(&mut self, read: &Read) -> Check {
        if let Read::Changelog(way, spot) = read {
            return self.read_spot(*way, *spot);
        }
        self.read_records(read)?;
        if *read == Read::All { self.whole_changelog() } else { Ok(()) }
    }

    fn read_records(&mut self, read: &Read) -> Check {
        let Some((db, shown)) = self.shown()? else { return Ok(()) };
        let excuses = self.excuses();
        let (head, model) = (shown.head, &self.model);
        let newest = |look: &dyn Fn(&ReadTx) -> Check| {
            viewed(
                "view",
                &excuses,
                |see| {
                    db.view(|view| {
                        see(view);
                        Ok(())
                    })
                },
                |view| {
                    same("sequence of a view", &view.seq(), &head)?;
                    look(view)
                },
            )
        };
        let one = |id: &Id| newest(&|view| point(view, id, model.get(id, head), &excuses));
        let state: Vec<_> = model.state(head).collect();
        match read {
            Read::All => everything(&db, model, &shown, &excuses),
            Read::Get(key) => one(&Id::Raw(key.0.clone())),
            Read::GetCell(pos) => one(&Id::cell(*pos)),
            Read::Range { from, to, limit } => {
                newest(&|view| raw_range(view, model, (from, to), *limit, &excuses))
            }
            Read::Prefix(stem) => newest(&|view| prefix(view, model, stem, &excuses)),
            Read::Cells { from, to, limit } => {
                newest(&|view| cell_range(view, model, (*from, *to), *limit, &excuses))
            }
            Read::Commits(from, to) => commits(&db, model, (*from, *to), &shown, &excuses),
            Read::Facets(pos) => newest(&|view| facets(view, model, *pos, &excuses)),
            Read::Edges(pos) => newest(&|view| edges(view, model, *pos, &excuses)),
            Read::Seams(pos) => newest(&|view| {
                let span = Span::At(*pos);
                index(view, model, model::Index::SeamCell, (&span, u32::MAX), &excuses)
            }),
            Read::Index { index: of, from, to, limit } => newest(&|view| {
                index(view, model, of.in_model(), (&span(*of, from, to), *limit), &excuses)
            }),
            Read::IndexPrefix(of, stem) => newest(&|view| {
                let weeks = matches!(of, Index::CellWeek | Index::SeamWeek);
                let span = if weeks { Span::All } else { Span::Prefix(stem.text()) };
                index(view, model, of.in_model(), (&span, u32::MAX), &excuses)
            }),
            Read::Ring { center, radius, valid_at, facet } => newest(&|view| {
                let filter = ring_filter(*valid_at, *facet);
                ring(view, &state, (*center, *radius), filter, &excuses)
            }),
            Read::FindSeams(center, radius, filter) => newest(&|view| {
                seams_around(view, &state, (*center, *radius), &seam_filter(*filter), &excuses)
            }),
            _ => self.read_versions(&db, read, &shown, &excuses),
        }
    }

    /// Reads of the past, which format v1 refuses.
    fn read_versions(&self, db: &Db, read: &Read, shown: &Shown, excuses: &Excuses) -> Check {
        let model = &self.model;
        let history = |id: &Id| histories(db, model, id, shown, excuses).map(drop);
        match read {
            _ if !model.mvcc() => version_one(db),
            Read::At(seq) => self.read_at(db, *seq, shown, excuses),
            Read::Time(nanos) => self.read_time(db, *nanos, shown, excuses),
            Read::History(key) => history(&Id::Raw(key.0.clone())),
            Read::HistoryCell(pos) => history(&Id::cell(*pos)),
            Read::HistoryNth(number) => {
                let ids: Vec<_> = model.ids(shown.head).collect();
                ids.get(*number as usize % ids.len().max(1)).map_or(Ok(()), |id| history(id))
            }
            Read::Stats => self.statistics(db, shown, excuses),
            Read::Diff(a, b) if (*a).max(*b) <= shown.head => {
                differences(db, model, (*a, *b), shown, excuses)
            }
            Read::Tag(name) => match shown.upkeep.tags.get(&name.text()) {
                Some(seq) => view_at_tag(db, model, (&name.text(), *seq), shown, excuses),
                None => match db.view_at_tag(&name.text(), |_| Ok::<_, Error>(())) {
                    Err(Error::SnapshotTagNotFound { .. }) => Ok(()),
                    Err(error) => Err(excuses.stop("view_at_tag", &error)),
                    Ok(()) => fail(Kind::Accepted, "view_at_tag", name.text()),
                },
            },
            _ => Ok(()),
        }
    }

    fn read_at(&self, db: &Db, seq: u64, shown: &Shown, excuses: &Excuses) -> Check {
        let head = shown.head;
        if (1..shown.floor()).contains(&seq) {
            let read = db.view_at(seq, |_| Ok::<_, Error>(()));
            return is_pruned("view_at below the floor", read, shown.floor(), excuses);
        }
        if seq <= head {
            let read = |see: &mut dyn FnMut(&ReadTx)| {
                db.view_at(seq, |view| {
                    see(view);
                    Ok(())
                })
            };
            return viewed("view_at", excuses, read, |view| {
                snapshot(view, &self.model, seq, shown, excuses)
            });
        }
        match db.view_at(seq, |_| Ok::<_, Error>(())) {
            Err(Error::ReadSeqFuture { seq: asked, head: newest }) => {
                same("error of a future read", &(asked, newest), &(seq, head))
            }
            Err(error) => Err(excuses.stop("view_at in the future", &error)),
            Ok(()) => fail(Kind::Accepted, "view_at in the future", format!("{seq} > {head}")),
        }
    }

    fn read_time(&self, db: &Db, nanos: i64, shown: &Shown, excuses: &Excuses) -> Check {
        let time = Timestamp::from_nanos(nanos);
        let seq = self.model.seq_at_time(nanos, shown.head);
        at_time(db, &self.model, nanos, shown, excuses)?;
        if seq < shown.floor() {
            let read = db.view_at_time(time, |_| Ok::<_, Error>(()));
            return is_pruned("view_at_time below the floor", read, shown.floor(), excuses);
        }
        let read = |see: &mut dyn FnMut(&ReadTx)| {
            db.view_at_time(time, |view| {
                see(view);
                Ok(())
            })
        };
        viewed("view_at_time", excuses, read, |view| {
            snapshot(view, &self.model, seq, shown, excuses)
        })
    }

    pub(super) fn snap(&mut self, slot: Slot, seq: Option<u64>) -> Check {
        let Some((db, shown)) = self.shown()? else { return Ok(()) };
        let (head, excuses) = (shown.head, self.excuses());
        let result = match seq {
            None => db.snapshot(),
            Some(seq) => db.snapshot_at(seq),
        };
        let expected = seq.unwrap_or(head);
        if seq.is_some() && !self.model.mvcc() {
            return match result {
                Err(Error::MvccRequired { .. }) => Ok(()),
                Err(error) => Err(excuses.stop("snapshot_at", &error)),
                Ok(_) => fail(Kind::Accepted, "snapshot_at", "on format v1"),
            };
        }
        if expected > head {
            return match result {
                Err(Error::ReadSeqFuture { .. }) => Ok(()),
                Err(error) => Err(excuses.stop("snapshot_at", &error)),
                Ok(_) => fail(Kind::Accepted, "snapshot_at in the future", brief(&expected)),
            };
        }
        if (1..shown.floor()).contains(&expected) {
            return is_pruned("snapshot_at below the floor", result, shown.floor(), &excuses);
        }
        let snapshot = excuses.take("snapshot", result)?;
        same("sequence of a snapshot", &snapshot.seq(), &expected)?;
        if let Some(session) = &mut self.session {
            session.snapshots.insert(slot, (expected, snapshot));
        }
        Ok(())
    }

    pub(super) fn read_snap(&mut self, slot: Slot) -> Check {
        let excuses = self.excuses();
        let Some(session) = &self.session else { return Ok(()) };
        let Some((seq, held)) = session.snapshots.get(&slot) else { return Ok(()) };
        let shown = Shown { head: *seq, upkeep: session.upkeep.clone() };
        snapshot(held, &self.model, *seq, &shown, &excuses)
    }

    pub(super) fn drop_snap(&mut self, slot: Slot) {
        if let Some(session) = &mut self.session {
            drop(session.snapshots.remove(&slot));
        }
    }
}
