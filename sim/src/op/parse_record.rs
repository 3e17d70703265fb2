//! The text form of plans: reading edits and reads.

use std::str::FromStr;

use super::changelog::spot;
use super::parse::{ParseError, Parsed, Words, fail, setting};
use super::{Edit, Index, Read, Way};

impl FromStr for Edit {
    type Err = ParseError;

    fn from_str(line: &str) -> Parsed<Self> {
        let mut words = Words::new(line);
        let edit = match words.word()? {
            "put" => Self::Put(words.value()?, words.value()?),
            "delete" => Self::Delete(words.value()?),
            "put_cell" => Self::PutCell(words.value()?, words.value()?),
            "delete_cell" => Self::DeleteCell(words.value()?),
            "fill" => Self::Fill {
                stem: words.value()?,
                from: words.value()?,
                count: words.value()?,
                value: words.value()?,
            },
            "clear" => {
                Self::Clear { stem: words.value()?, from: words.value()?, count: words.value()? }
            }
            "retag" => Self::Retag(words.value()?, words.value()?),
            "put_facet" => Self::PutFacet(words.value()?, facet(&mut words)?, words.value()?),
            "update_facet" => Self::UpdateFacet(words.value()?, facet(&mut words)?, words.value()?),
            "delete_facet" => Self::DeleteFacet(words.value()?, facet(&mut words)?),
            "put_edge" => {
                Self::PutEdge(words.value()?, words.value()?, words.value()?, words.value()?)
            }
            "link" => Self::Link(words.value()?, words.value()?, words.value()?, words.value()?),
            "delete_edge" => Self::DeleteEdge(words.value()?, words.value()?, words.value()?),
            "put_seam" => {
                Self::PutSeam(words.value()?, words.value()?, words.value()?, words.value()?)
            }
            "conflict" => Self::Conflict(words.value()?, words.value()?, words.value()?),
            "supersede" => Self::Supersede(words.value()?, words.value()?, words.value()?),
            "resolve" => Self::Resolve(words.value()?, words.value()?),
            "note" => Self::Note(words.value()?),
            "time" => Self::Time(words.value()?),
            "get" => Self::Get(words.value()?),
            "get_cell" => Self::GetCell(words.value()?),
            "scan" => Self::Scan,
            other => return words.unknown(other),
        };
        words.end(edit)
    }
}

/// The number of a facet.
fn facet(words: &mut Words<'_>) -> Parsed<u8> {
    let id: u8 = words.value()?;
    if id < 6 { Ok(id) } else { fail(format!("facet {id} is not 0 to 5")) }
}

fn index(words: &mut Words<'_>) -> Parsed<Index> {
    let word = words.word()?;
    match Index::ALL.iter().find(|(_, name)| *name == word) {
        Some((index, _)) => Ok(*index),
        None => words.unknown(word),
    }
}

fn ring(words: &mut Words<'_>) -> Parsed<Read> {
    let (center, radius) = (words.value()?, words.value()?);
    let (mut valid_at, mut with_facet) = (None, None);
    while let Some(word) = words.maybe() {
        match word.split_once('=') {
            Some(("valid", value)) => valid_at = Some(setting(word, value)?),
            Some(("facet", value)) => {
                with_facet = Some(setting(word, value)?);
                if with_facet > Some(5) {
                    return fail(format!("`{word}`: 0 to 5"));
                }
            }
            _ => return words.unknown(word),
        }
    }
    Ok(Read::Ring { center, radius, valid_at, facet: with_facet })
}

pub(super) fn read(mut words: Words<'_>) -> Parsed<Read> {
    let read = match words.word()? {
        "all" => Read::All,
        "get" => Read::Get(words.value()?),
        "get_cell" => Read::GetCell(words.value()?),
        "at" => Read::At(words.value()?),
        "time" => Read::Time(words.value()?),
        "range" => Read::Range { from: words.value()?, to: words.value()?, limit: words.value()? },
        "prefix" => Read::Prefix(words.value()?),
        "cells" => Read::Cells { from: words.value()?, to: words.value()?, limit: words.value()? },
        "history" => Read::History(words.value()?),
        "history_cell" => Read::HistoryCell(words.value()?),
        "commits" => Read::Commits(words.value()?, words.value()?),
        "stats" => Read::Stats,
        "facets" => Read::Facets(words.value()?),
        "edges" => Read::Edges(words.value()?),
        "seams" => Read::Seams(words.value()?),
        "index" => Read::Index {
            index: index(&mut words)?,
            from: words.value()?,
            to: words.value()?,
            limit: words.value()?,
        },
        "index_prefix" => Read::IndexPrefix(index(&mut words)?, words.value()?),
        "ring" => ring(&mut words)?,
        "find_seams" => Read::FindSeams(words.value()?, words.value()?, words.value()?),
        "history_nth" => Read::HistoryNth(words.value()?),
        "diff" => Read::Diff(words.value()?, words.value()?),
        "tag" => Read::Tag(words.value()?),
        other => match Way::ALL.iter().find(|(_, name)| *name == other) {
            Some((way, _)) => Read::Changelog(*way, spot(&mut words)?),
            None => return words.unknown(other),
        },
    };
    words.end(read)
}
