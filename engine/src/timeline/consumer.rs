//! Positions of the changelog's consumers, as the tree `meta` keeps them.

use super::rows::{Source, read_value};
use crate::btree;
use crate::error::{Error, Result};
use crate::format::FormatResult;
use crate::format::bytes::Reader;
use crate::ids::HistoryHash;
use crate::keys::{self, LogicalKey};

/// Where a consumer of the changelog stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConsumerRow {
    /// The entry that it reads next.
    pub(crate) seq: u64,
    pub(crate) index: u32,
    /// History hash of the commit that it read last, where that is known.
    pub(crate) hash: Option<HistoryHash>,
    /// Pruning waits for it.
    pub(crate) holds_floor: bool,
}

impl ConsumerRow {
    /// seq u64, index u32, flags u32 (bit 0: the hash is known, bit 1: holds the floor), hash 16 B.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let flags = u32::from(self.hash.is_some()) | u32::from(self.holds_floor) << 1;
        let mut out = self.seq.to_le_bytes().to_vec();
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&flags.to_le_bytes());
        out.extend_from_slice(&self.hash.unwrap_or_default());
        out
    }

    fn decode(bytes: &[u8]) -> FormatResult<Self> {
        let mut reader = Reader::new(bytes);
        let (seq, index, flags) = (reader.u64()?, reader.u32()?, reader.u32()?);
        let hash = reader.array()?;
        if !reader.is_empty() || flags > 3 {
            return Err("a consumer's position of unknown form".into());
        }
        let hash = (flags & 1 != 0).then_some(hash);
        Ok(Self { seq, index, hash, holds_floor: flags & 2 != 0 })
    }
}

/// The position of a consumer.
pub(crate) fn consumer(source: &Source<'_>, name: &str) -> Result<Option<ConsumerRow>> {
    let value = source.meta(&keys::consumer_key(name))?;
    value.map(|value| decoded(source, &value)).transpose()
}

/// All consumers, by name.
pub(crate) fn consumers(source: &Source<'_>) -> Result<Vec<(String, ConsumerRow)>> {
    let range = keys::consumer_range();
    let mut next = range.start.clone();
    let mut found = Vec::new();
    while let Some(row) = btree::lower_bound(source.pager, &source.root.meta, &next)? {
        let mut key = row.leaf.keys.key(row.index);
        if !range.contains(&key) {
            break;
        }
        let file = source.pager.file.path();
        let logical = keys::decode_logical(&key).map_err(|error| error.at(file, 0))?;
        let LogicalKey::Consumer(name) = logical else {
            return Err(Error::corrupt(file, 0, "a row of another kind among consumers"));
        };
        let value = read_value(source.pager, &row.leaf, row.index)?;
        found.push((name, decoded(source, &value)?));
        key.push(0);
        next = key;
    }
    Ok(found)
}

fn decoded(source: &Source<'_>, value: &[u8]) -> Result<ConsumerRow> {
    ConsumerRow::decode(value).map_err(|what| Error::corrupt(source.pager.file.path(), 0, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_read_back_and_other_bytes_are_refused() {
        for row in [
            ConsumerRow::default(),
            ConsumerRow { seq: 7, index: 3, hash: Some([9; 16]), holds_floor: true },
        ] {
            let bytes = row.encode();
            assert_eq!(ConsumerRow::decode(&bytes), Ok(row));
            assert!(ConsumerRow::decode(&bytes[1..]).is_err());
        }
        assert!(ConsumerRow::decode(&[255; 32]).is_err());
    }
}
