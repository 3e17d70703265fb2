//! The text form of plans: writing edits and reads.

use std::fmt::{self, Display};

use super::{Edit, Index, Read};

impl Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edit::Put(key, value) => write!(f, "put {key} {value}"),
            Edit::Delete(key) => write!(f, "delete {key}"),
            Edit::PutCell(pos, value) => write!(f, "put_cell {pos} {value}"),
            Edit::DeleteCell(pos) => write!(f, "delete_cell {pos}"),
            Edit::Fill { stem, from, count, value } => {
                write!(f, "fill {stem} {from} {count} {value}")
            }
            Edit::Clear { stem, from, count } => write!(f, "clear {stem} {from} {count}"),
            Edit::Retag(pos, value) => write!(f, "retag {pos} {value}"),
            Edit::PutFacet(pos, id, value) => write!(f, "put_facet {pos} {id} {value}"),
            Edit::UpdateFacet(pos, id, value) => write!(f, "update_facet {pos} {id} {value}"),
            Edit::DeleteFacet(pos, id) => write!(f, "delete_facet {pos} {id}"),
            Edit::PutEdge(from, to, relation, value) => {
                write!(f, "put_edge {from} {to} {relation} {value}")
            }
            Edit::Link(from, to, relation, value) => {
                write!(f, "link {from} {to} {relation} {value}")
            }
            Edit::DeleteEdge(from, to, relation) => write!(f, "delete_edge {from} {to} {relation}"),
            Edit::PutSeam(number, a, b, value) => write!(f, "put_seam {number} {a} {b} {value}"),
            Edit::Conflict(a, b, value) => write!(f, "conflict {a} {b} {value}"),
            Edit::Supersede(a, b, value) => write!(f, "supersede {a} {b} {value}"),
            Edit::Resolve(number, value) => write!(f, "resolve {number} {value}"),
            Edit::Note(bytes) => write!(f, "note {bytes}"),
            Edit::Time(nanos) => write!(f, "time {nanos}"),
            Edit::Get(key) => write!(f, "get {key}"),
            Edit::GetCell(pos) => write!(f, "get_cell {pos}"),
            Edit::Scan => f.write_str("scan"),
        }
    }
}

impl Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(index, _)| index == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

impl Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("read ")?;
        match self {
            Read::All => f.write_str("all"),
            Read::Get(key) => write!(f, "get {key}"),
            Read::GetCell(pos) => write!(f, "get_cell {pos}"),
            Read::At(seq) => write!(f, "at {seq}"),
            Read::Time(nanos) => write!(f, "time {nanos}"),
            Read::Range { from, to, limit } => write!(f, "range {from} {to} {limit}"),
            Read::Prefix(prefix) => write!(f, "prefix {prefix}"),
            Read::Cells { from, to, limit } => write!(f, "cells {from} {to} {limit}"),
            Read::History(key) => write!(f, "history {key}"),
            Read::HistoryCell(pos) => write!(f, "history_cell {pos}"),
            Read::Commits(from, to) => write!(f, "commits {from} {to}"),
            Read::Stats => f.write_str("stats"),
            Read::Facets(pos) => write!(f, "facets {pos}"),
            Read::Edges(pos) => write!(f, "edges {pos}"),
            Read::Seams(pos) => write!(f, "seams {pos}"),
            Read::Index { index, from, to, limit } => {
                write!(f, "index {index} {from} {to} {limit}")
            }
            Read::IndexPrefix(index, prefix) => write!(f, "index_prefix {index} {prefix}"),
            Read::Ring { center, radius, valid_at, facet } => {
                write!(f, "ring {center} {radius}")?;
                if let Some(nanos) = valid_at {
                    write!(f, " valid={nanos}")?;
                }
                facet.map_or(Ok(()), |facet| write!(f, " facet={facet}"))
            }
            Read::FindSeams(center, radius, filter) => {
                write!(f, "find_seams {center} {radius} {filter}")
            }
            Read::HistoryNth(number) => write!(f, "history_nth {number}"),
            Read::Diff(a, b) => write!(f, "diff {a} {b}"),
            Read::Tag(name) => write!(f, "tag {name}"),
            Read::Changelog(way, spot) => write!(f, "{way} {spot}"),
        }
    }
}
