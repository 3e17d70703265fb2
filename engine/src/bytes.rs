//! Values as readers get them: a part of a page that is in memory anyway, or bytes of their own.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::pager::Node;

/// Bytes of a value. Cheap to clone; keeps the page that it lies in in memory while it lives.
#[derive(Clone)]
pub struct Bytes(Inner);

#[derive(Clone)]
enum Inner {
    Page { leaf: Arc<Node>, start: u32, end: u32 },
    Own(Arc<[u8]>),
    Short { len: u8, bytes: [u8; SHORT_BYTES] },
}

/// Bytes that need no allocation of their own.
const SHORT_BYTES: usize = 30;

impl Bytes {
    /// No bytes.
    pub(crate) const EMPTY: Self = Self(Inner::Short { len: 0, bytes: [0; SHORT_BYTES] });

    /// A part of a leaf.
    pub(crate) fn in_leaf(leaf: Arc<Node>, range: std::ops::Range<usize>) -> Self {
        Self(Inner::Page { leaf, start: range.start as u32, end: range.end as u32 })
    }
}

/// How short bytes begin that are to be made often.
pub(crate) struct ShortStart {
    len: u8,
    bytes: [u8; SHORT_BYTES],
}

impl ShortStart {
    /// `None` where it is too long to be of use.
    pub(crate) fn new(start: &[u8]) -> Option<Self> {
        let mut bytes = [0; SHORT_BYTES];
        bytes.get_mut(..start.len())?.copy_from_slice(start);
        Some(Self { len: start.len() as u8, bytes })
    }

    /// Makes `out` the start and `end` as one, in place; `false` where that is too long.
    #[inline]
    pub(crate) fn follow(&self, end: &[u8], out: &mut Bytes) -> bool {
        let at = usize::from(self.len);
        if at + end.len() > SHORT_BYTES {
            return false;
        }
        out.0 = Inner::Short { len: self.len + end.len() as u8, bytes: self.bytes };
        if let Inner::Short { bytes, .. } = &mut out.0 {
            bytes[at..at + end.len()].copy_from_slice(end);
        }
        true
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Inner::Page { leaf, start, end } => &leaf.keys.bytes()[*start as usize..*end as usize],
            Inner::Own(bytes) => bytes,
            Inner::Short { len, bytes } => &bytes[..usize::from(*len)],
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Inner::Own(bytes.into()))
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        if bytes.len() > SHORT_BYTES {
            return Self(Inner::Own(bytes.into()));
        }
        let mut short = [0; SHORT_BYTES];
        short[..bytes.len()].copy_from_slice(bytes);
        Self(Inner::Short { len: bytes.len() as u8, bytes: short })
    }
}

impl AsRef<[u8]> for Bytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Bytes
where
    T: NotBytes,
{
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

/// What values can be compared with.
pub trait NotBytes {}
impl NotBytes for [u8] {}
impl NotBytes for &[u8] {}
impl NotBytes for Vec<u8> {}
impl<const N: usize> NotBytes for [u8; N] {}
impl<const N: usize> NotBytes for &[u8; N] {}
