//! The names of records, read back from `Db::dump`.

use hexxladb::{EdgeId, FacetId, RecordId, Ulid};

/// The record that a dumped key names; `None` for keys of indexes and of the timeline.
pub(crate) fn parse(key: &str) -> Option<RecordId> {
    let (family, name) = key.split_once('/')?;
    match family {
        "raw" => unescape(name).map(RecordId::Raw),
        "cell" => name.parse().ok().map(RecordId::Cell),
        "facet" => {
            let (coord, id) = name.split_once('/')?;
            let id = FacetId::new(id.parse().ok()?).ok()?;
            Some(RecordId::Facet(coord.parse().ok()?, id))
        }
        "edge" => {
            let (from, rest) = name.split_once('/')?;
            let (to, relation) = rest.split_once('/')?;
            let relation = String::from_utf8(unescape(relation)?).ok()?;
            Some(RecordId::Edge(EdgeId::new(from.parse().ok()?, to.parse().ok()?, relation)))
        }
        "seam" => Ulid::from_string(name).ok().map(RecordId::Seam),
        _ => None,
    }
}

/// Bytes shown as text: `\\` is a backslash, `\xNN` a byte, anything else stands for itself.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        if let Some(after) = escape.strip_prefix('\\') {
            bytes.push(b'\\');
            rest = after;
        } else {
            let digits = escape.strip_prefix('x')?.get(..2)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &escape[3..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use hexxladb::{Cell, Coord, Db, Edge, Facet, Options, Seam, SeamType};

    use super::*;

    /// Every name that a dump shows is the name of the record again.
    #[test]
    fn dumped_names_are_read_back() {
        let db = Db::open("names", Options::in_memory()).unwrap();
        let coord = |q, r| Coord::new(q, r).unwrap();
        let relations = ["", "a/b", "(0,0)/1", "\\x41", "\\", "é\u{0}\u{1f980}\n", "x#7", "x"];
        db.update(|tx| {
            for key in
                [&b""[..], b"\xff\x00", b"a\\b", b"__meta/x", b"\\xff", "\u{202e}".as_bytes()]
            {
                tx.put(key, "")?;
            }
            for at in [coord(0, 0), coord(-5, 3), coord(7, -7)] {
                tx.put_cell(at, &Cell::new("x").with_tags(["t"]).with_source("s"))?;
                tx.put_facet(at, FacetId::ALL[5], &Facet::default())?;
                tx.put_facet(at, FacetId::ALL[0], &Facet::default())?;
                for relation in relations {
                    tx.put_edge(at, coord(1, 1), relation, &Edge::default())?;
                }
                let seam = Seam::new(at, coord(1, 1), SeamType::Conflict);
                let id = tx.new_seam_id()?;
                tx.put_seam(id, &seam)?;
            }
            Ok::<_, hexxladb::Error>(())
        })
        .unwrap();
        let named: Vec<_> = db.snapshot_diff(0, 1).unwrap().map(|c| c.unwrap().id).collect();
        let dumped: Vec<_> =
            db.dump().unwrap().filter_map(|row| parse(&row.unwrap().key)).collect();
        assert_eq!(named.len(), 6 + 3 + 6 + 24 + 3);
        assert_eq!(dumped, named);
    }
}
