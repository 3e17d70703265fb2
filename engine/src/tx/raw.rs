//! Writing the raw keyspace.

use super::write::WriteTx;
use crate::error::Result;
use crate::keys;

impl WriteTx {
    /// Puts a value in the raw keyspace. Keys are at most 1 KiB escaped (a zero byte takes two),
    /// 900 bytes with 4 KiB pages.
    ///
    /// # Errors
    /// [`Error::KeyTooLarge`](crate::Error::KeyTooLarge) or
    /// [`Error::ValueTooLarge`](crate::Error::ValueTooLarge) refuse the put and leave the
    /// transaction usable; an I/O error does not.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        let logical = keys::raw_key(key.as_ref(), self.core.limits.max_raw_key_bytes)?;
        self.put_plain(logical, value.as_ref())
    }

    /// Deletes a key of the raw keyspace; says whether it was there.
    ///
    /// # Errors
    /// An I/O error leaves the transaction unfit to commit.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<bool> {
        let logical = keys::raw_key(key.as_ref(), self.core.limits.max_raw_key_bytes)?;
        self.delete_plain(logical)
    }
}
