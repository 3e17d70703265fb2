//! The data that operations carry: keys, values and coordinates, each a short token of text.
//!
//! A value is named by a seed and a length, so that a plan stays readable whatever the size of
//! its records; the bytes follow from the name alone.

use std::fmt;

use hexxladb::{
    Cell, Coord, Edge, Facet, Provenance, ResolutionStatus, Seam, SeamType, Timestamp, Validity,
};

/// A raw key.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub Vec<u8>);

impl Key {
    /// The key that a numbered record under this stem has.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        let mut bytes = self.0.clone();
        bytes.extend_from_slice(format!("{number:05}").as_bytes());
        Self(bytes)
    }

    /// As a tag, a source, a relation type or a name.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl fmt::Display for Key {
    /// `-` for the empty key; letters, digits and `_` as they are, other bytes as `%hh`; a run
    /// of more than three equal bytes as the byte and `{count}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        let mut rest = self.0.as_slice();
        while let Some((&byte, _)) = rest.split_first() {
            let run = rest.iter().take_while(|&&other| other == byte).count();
            if byte.is_ascii_alphanumeric() || byte == b'_' {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02x}")?;
            }
            let taken = if run > 3 {
                write!(f, "{{{run}}}")?;
                run
            } else {
                1
            };
            rest = &rest[taken..];
        }
        Ok(())
    }
}

/// The name of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Which bytes.
    pub seed: u32,
    /// How many.
    pub len: u32,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.seed, self.len)
    }
}

impl Value {
    /// The bytes.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        let mut state = u64::from(self.seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut bytes = Vec::with_capacity(self.len as usize + 8);
        while bytes.len() < self.len as usize {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bytes.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
        }
        bytes.truncate(self.len as usize);
        bytes
    }

    /// Text of the same length.
    #[must_use]
    pub fn text(self) -> String {
        self.bytes().into_iter().map(|byte| char::from(b' ' + byte % 95)).collect()
    }

    /// The value of the record `index` places on.
    #[must_use]
    pub fn offset(self, index: u32) -> Self {
        Self { seed: self.seed.wrapping_add(index), len: self.len }
    }

    /// A cell with this text; the seed says which other fields it has. Tags come in no order
    /// and may repeat, as an application may give them. There are few tags, sources and weeks, so
    /// that many cells share them.
    #[must_use]
    pub fn cell(self) -> Cell {
        let mut cell = Cell::new(self.text());
        self.mark_cell(&mut cell);
        let seed = self.seed;
        cell.cluster_hint = (seed % 7 == 1).then(|| format!("cluster {}", seed % 13));
        cell
    }

    /// Gives a cell the tags, source and validity of this seed.
    pub fn mark_cell(self, cell: &mut Cell) {
        let seed = i64::from(self.seed);
        cell.tags = if seed % 2 == 1 {
            (0..seed % 4).map(|n| format!("tag{}", (seed >> 2) % (3 - n % 3))).collect()
        } else {
            Vec::new()
        };
        cell.provenance = self.provenance();
        cell.validity = self.validity();
    }

    fn provenance(self) -> Provenance {
        let seed = i64::from(self.seed);
        if seed % 3 != 1 {
            return Provenance::default();
        }
        Provenance {
            source_id: format!("source-{}", seed % 4),
            confidence: f64::from(self.seed % 11) / 10.0,
            created_at: Timestamp::from_nanos(seed * 1_000_003),
            updated_at: Timestamp::from_nanos(-seed),
        }
    }

    /// From one of a few weeks on, or always; for a while, or for ever.
    fn validity(self) -> Validity {
        const WEEK_NANOS: i64 = 7 * 86_400_000_000_000;
        let seed = i64::from(self.seed);
        let from = WEEK_NANOS * (seed / 5 % 4 - 1) + seed;
        let instant = |there: bool, nanos| there.then(|| Timestamp::from_nanos(nanos));
        Validity {
            valid_from: instant(matches!(seed % 10, 1 | 2 | 6), from),
            valid_to: instant(matches!(seed % 10, 1 | 7), from + 2 * WEEK_NANOS),
        }
    }

    /// A facet with this text, derived from that of a cell.
    #[must_use]
    pub fn facet(self, raw_content: &str) -> Facet {
        let rotated = Timestamp::from_nanos(i64::from(self.seed % 3) * 1_000);
        Facet::of(&Cell::new(raw_content), self.text()).with_last_rotated(rotated)
    }

    /// The weight of an edge.
    #[must_use]
    pub fn weight(self) -> f64 {
        f64::from(self.seed % 9) / 4.0 - 1.0
    }

    /// An edge.
    #[must_use]
    pub fn edge(self) -> Edge {
        Edge::new(self.weight()).with_provenance(self.provenance())
    }

    /// A seam with this text as its reason.
    #[must_use]
    pub fn seam(self, a: Pos, b: Pos) -> Seam {
        let kind = match self.seed % 4 {
            0 | 1 => SeamType::Supersedes,
            2 => SeamType::Conflict,
            _ => SeamType::Other("overlap".to_owned()),
        };
        let mut seam = Seam::new(a.coord(), b.coord(), kind).with_reason(self.text());
        seam.provenance = self.provenance();
        seam.validity = self.validity();
        seam.confidence_delta = f64::from(self.seed % 5) / 2.0 - 1.0;
        seam.detected_at = Timestamp::from_nanos(i64::from(self.seed % 2) * 77);
        (seam.resolution_status, seam.resolution_note) = self.resolution();
        seam
    }

    /// What becomes of a seam, and what is said of it.
    #[must_use]
    pub fn resolution(self) -> (ResolutionStatus, Option<String>) {
        let status = ResolutionStatus::ALL[self.seed as usize / 2 % 4];
        (status, self.seed.is_multiple_of(3).then(|| format!("by {}", self.seed % 10)))
    }
}

/// The id of the seam that a plan gives this number.
#[must_use]
pub fn seam_id(number: u32) -> u128 {
    // Below and above all those that the clock leads to.
    let number = u128::from(number);
    if number % 2 == 0 { number } else { u128::MAX - number }
}

/// A coordinate, always in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    /// The q axis.
    pub q: i32,
    /// The r axis.
    pub r: i32,
}

impl Pos {
    /// Largest magnitude of an axis in a plan: sums of two, and long lines of cells, stay in
    /// range.
    pub const LIMIT: i32 = 1 << 16;

    /// The coordinate `index` places along q.
    #[must_use]
    pub fn along(self, index: u32) -> Self {
        Self { q: self.q + index.cast_signed(), r: self.r }
    }

    /// As the engine takes it.
    ///
    /// # Panics
    /// When the engine refuses a coordinate that is in range.
    #[must_use]
    pub fn coord(self) -> Coord {
        Coord::new(self.q, self.r).expect("coordinates of plans are in range")
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.q, self.r)
    }
}

/// The note of so many bytes.
#[must_use]
pub fn note_text(len: u32) -> String {
    "note on who and why; ".chars().cycle().take(len as usize).collect()
}
