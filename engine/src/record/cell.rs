//! Cells: a text with its provenance, validity and tags. The fields are free; the rules that bind
//! them are checked when a cell is put.

use crate::time::Timestamp;

/// Where a record comes from.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Provenance {
    /// Who or what said it; at most 255 bytes, zero bytes counted twice.
    pub source_id: String,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// When it was first recorded.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// When a fact is true: from `valid_from` (inclusive) to `valid_to` (exclusive), the first before
/// the second; open ends are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Validity {
    /// First instant at which it holds.
    pub valid_from: Option<Timestamp>,
    /// First instant at which it no longer holds.
    pub valid_to: Option<Timestamp>,
}

impl Validity {
    /// Whether it holds at `time`.
    ///
    /// ```
    /// use hexxladb::{Timestamp, Validity};
    /// let [from, to] = [10, 20].map(Timestamp::from_secs);
    /// let validity = Validity { valid_from: Some(from), valid_to: Some(to) };
    /// assert!(validity.contains(from) && !validity.contains(to));
    /// assert!(Validity::default().contains(to), "open at both ends");
    /// ```
    pub fn contains(&self, time: Timestamp) -> bool {
        self.valid_from.is_none_or(|from| from <= time) && self.valid_to.is_none_or(|to| time < to)
    }
}

/// A record at a coordinate.
///
/// ```
/// use hexxladb::Cell;
/// let cell = Cell::new("The kettle is on.").with_source("kitchen").with_tags(["tea", "home"]);
/// assert_eq!(cell.provenance.confidence, 1.0);
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Cell {
    /// The text.
    pub raw_content: String,
    /// Where it comes from.
    pub provenance: Provenance,
    /// When it is true.
    pub validity: Validity,
    /// Labels, each at most 255 bytes, zero bytes counted twice. Stored sorted by their bytes,
    /// without repeats.
    pub tags: Vec<String>,
    /// A hint for placing it near its likes.
    pub cluster_hint: Option<String>,
}

impl Default for Provenance {
    /// Empty source, confidence 1, times 0.
    fn default() -> Self {
        Self {
            source_id: String::new(),
            confidence: 1.0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }
    }
}

impl Cell {
    /// A cell with this text and defaults elsewhere.
    pub fn new(raw_content: impl Into<String>) -> Self {
        Self { raw_content: raw_content.into(), ..Self::default() }
    }

    /// With these tags.
    #[must_use]
    pub fn with_tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// With this source.
    #[must_use]
    pub fn with_source(mut self, source_id: impl Into<String>) -> Self {
        self.provenance.source_id = source_id.into();
        self
    }

    /// With this confidence, 0 to 1.
    #[must_use]
    pub fn with_confidence(mut self, confidence: f64) -> Self {
        self.provenance.confidence = confidence;
        self
    }

    /// With this validity.
    #[must_use]
    pub fn with_validity(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// Whether it is true at `time`, by its validity.
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        self.validity.contains(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_begins_with_its_first_instant_and_ends_before_its_last() {
        let times: Vec<Timestamp> =
            [i64::MIN, 9, 10, 11, 19, 20, i64::MAX].map(Timestamp::from_nanos).to_vec();
        let held = |from: Option<i64>, to: Option<i64>| {
            let [valid_from, valid_to] = [from, to].map(|end| end.map(Timestamp::from_nanos));
            let cell = Cell::new("x").with_validity(Validity { valid_from, valid_to });
            let held = times.iter().map(|time| cell.is_valid_at(*time));
            held.map(|holds| if holds { 'x' } else { '.' }).collect::<String>()
        };
        assert_eq!(held(None, None), "xxxxxxx");
        assert_eq!(held(Some(10), None), "..xxxxx");
        assert_eq!(held(None, Some(20)), "xxxxx..");
        assert_eq!(held(Some(10), Some(20)), "..xxx..");
        assert_eq!(held(Some(20), Some(10)), ".......");
    }
}
