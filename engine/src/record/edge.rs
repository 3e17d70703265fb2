//! Edges: directed, weighted links between two coordinates. The coordinates and the relation are
//! the edge's name, not part of the record.

use super::cell::Provenance;

/// A link from one coordinate to another.
///
/// ```
/// use hexxladb::Edge;
/// let edge = Edge::new(0.5).with_source("kitchen");
/// assert_eq!(edge.provenance.source_id, "kitchen");
/// assert_eq!(Edge::default().weight, 1.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Edge {
    /// How strong the link is; finite.
    pub weight: f64,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl Default for Edge {
    /// Weight 1.
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Edge {
    /// An edge with this weight and defaults elsewhere.
    pub fn new(weight: f64) -> Self {
        Self { weight, provenance: Provenance::default() }
    }

    /// With this source.
    #[must_use]
    pub fn with_source(mut self, source_id: impl Into<String>) -> Self {
        self.provenance.source_id = source_id.into();
        self
    }

    /// With this provenance.
    #[must_use]
    pub fn with_provenance(mut self, provenance: Provenance) -> Self {
        self.provenance = provenance;
        self
    }
}
