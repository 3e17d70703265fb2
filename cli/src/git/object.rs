//! Git's names: object ids of either hash, file modes, and the id that bytes would have.

use std::fmt;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// An object id: 20 bytes of SHA-1 or 32 of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ObjectId {
    bytes: [u8; 32],
    len: u8,
}

impl ObjectId {
    /// From 40 or 64 hexadecimal digits.
    pub(crate) fn from_hex(digits: &[u8]) -> Option<Self> {
        if !matches!(digits.len(), 40 | 64) {
            return None;
        }
        let mut id = Self { bytes: [0; 32], len: (digits.len() / 2) as u8 };
        for (byte, pair) in id.bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = (high * 16 + low) as u8;
        }
        Some(id)
    }

    fn from_digest(digest: &[u8]) -> Self {
        let mut id = Self { bytes: [0; 32], len: digest.len() as u8 };
        id.bytes[..digest.len()].copy_from_slice(digest);
        id
    }

    /// Which hash made it.
    pub(crate) fn format(&self) -> ObjectFormat {
        if self.len == 20 { ObjectFormat::Sha1 } else { ObjectFormat::Sha256 }
    }

    /// Its first digits, for people.
    pub(crate) fn short(&self) -> String {
        self.to_string()[..10].to_owned()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes[..usize::from(self.len)].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash that a repository names its objects by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectFormat {
    Sha1,
    Sha256,
}

impl ObjectFormat {
    /// Git's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// The id of an object with these contents.
    fn id_of(self, kind: &str, contents: &[u8]) -> ObjectId {
        let header = format!("{kind} {}\0", contents.len());
        match self {
            Self::Sha1 => ObjectId::from_digest(
                &Sha1::new().chain_update(header).chain_update(contents).finalize(),
            ),
            Self::Sha256 => ObjectId::from_digest(
                &Sha256::new().chain_update(header).chain_update(contents).finalize(),
            ),
        }
    }

    /// The id of a file with these contents.
    pub(crate) fn blob_id(self, contents: &[u8]) -> ObjectId {
        self.id_of("blob", contents)
    }

    /// The tree without entries, which git knows in every repository.
    pub(crate) fn empty_tree(self) -> ObjectId {
        self.id_of("tree", b"")
    }
}

/// The mode of a tree entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode(u32);

impl Mode {
    /// From its octal digits.
    pub(crate) fn from_octal(digits: &[u8]) -> Option<Self> {
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok().map(Self)
    }

    /// A file or a symbolic link: something with contents. Not absent, not a submodule.
    pub(crate) fn is_file(self) -> bool {
        matches!(self.0 & 0o170_000, 0o100_000 | 0o120_000)
    }

    /// A symbolic link, whose contents are its target.
    pub(crate) fn is_symlink(self) -> bool {
        self.0 & 0o170_000 == 0o120_000
    }

    /// A commit of another repository.
    pub(crate) fn is_submodule(self) -> bool {
        self.0 & 0o170_000 == 0o160_000
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_ids_that_git_knows() {
        let id = |format: ObjectFormat, bytes: &[u8]| format.blob_id(bytes).to_string();
        assert_eq!(id(ObjectFormat::Sha1, b"x\n"), "587be6b4c3f93f93c489c0111bba5596147a26cb");
        assert_eq!(
            ObjectFormat::Sha1.empty_tree().to_string(),
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        );
        assert_eq!(
            ObjectFormat::Sha256.empty_tree().to_string(),
            "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
        );
    }

    #[test]
    fn ids_survive_their_text() {
        for text in ["587be6b4c3f93f93c489c0111bba5596147a26cb", &"0a".repeat(32)] {
            let id = ObjectId::from_hex(text.as_bytes());
            assert_eq!(id.map(|id| id.to_string()).as_deref(), Some(text));
        }
        for text in ["", "587b", "x87be6b4c3f93f93c489c0111bba5596147a26cb", &"+1".repeat(20)] {
            assert_eq!(ObjectId::from_hex(text.as_bytes()), None);
        }
    }

    #[test]
    fn modes() {
        let mode = |digits: &str| Mode::from_octal(digits.as_bytes()).unwrap();
        assert!(
            mode("100644").is_file() && mode("120000").is_file() && mode("120000").is_symlink()
        );
        assert!(!mode("160000").is_file() && mode("160000").is_submodule());
        assert!(!mode("000000").is_file() && !mode("040000").is_file());
        assert_eq!(mode("100755").to_string(), "100755");
        assert_eq!(Mode::from_octal(b"9"), None);
    }
}
