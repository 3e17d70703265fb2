//! Escaped text: the form of every variable-length part of a key.
//!
//! A zero byte becomes `00 FF`, everything else stands for itself, and `00 01` ends the text. So
//! the order of escaped texts is the order of the texts, and none is a prefix of another: at the
//! first difference either both have a byte of the text, or one has its end, and `00 01` is below
//! `00 FF` and below every other byte. The end is `00 01` rather than `00 00` so that a run of
//! zeros, which damage likes to leave, is never a valid text.

use std::borrow::Cow;

use super::KeyBuf;
use super::decode_error::DecodeError;

/// What ends an escaped text.
pub(crate) const TERMINATOR: [u8; 2] = [0x00, 0x01];
/// What follows a zero that belongs to the text.
const ESCAPED_ZERO: u8 = 0xFF;

/// Length of `text` once escaped, without the terminator.
#[expect(clippy::naive_bytecount, reason = "keys are short; no dependency for their zeros")]
pub(crate) fn escaped_len(text: &[u8]) -> usize {
    text.len() + text.iter().filter(|&&byte| byte == 0).count()
}

/// Appends `text`, escaped, without the terminator, where [`escaped_len`] is known.
#[inline]
pub(super) fn push_escaped(key: &mut KeyBuf, text: &[u8], escaped_len: usize) {
    if escaped_len == text.len() {
        key.extend_from_slice(text);
        return;
    }
    for &byte in text {
        key.push(byte);
        if byte == 0 {
            key.push(ESCAPED_ZERO);
        }
    }
}

/// Appends `text`, escaped, with its terminator.
pub(super) fn push_text(key: &mut KeyBuf, text: &[u8]) {
    push_escaped(key, text, escaped_len(text));
    key.extend_from_slice(&TERMINATOR);
}

/// Length of the escaped text at the front of `bytes` with its terminator, if it ends there.
pub(super) fn text_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0)? + 2;
        if bytes.get(at - 1) == Some(&TERMINATOR[1]) {
            return Some(at);
        }
    }
}

/// Reads an escaped text that takes all of `bytes`. Borrows unless the text holds zeros.
pub(super) fn whole_text(bytes: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    match bytes.strip_suffix(&TERMINATOR) {
        // Nearly every text; the search for a zero is much faster than a walk over the bytes.
        Some(text) if !has_zero(text) => Ok(Cow::Borrowed(text)),
        _ => match split_text(bytes)? {
            (text, []) => Ok(text),
            _ => Err(DecodeError::damaged("bytes follow the end of a text in a key")),
        },
    }
}

/// Whether a short text holds a zero; eight bytes at a time.
#[inline]
pub(super) fn has_zero(text: &[u8]) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let zero_in = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        word.wrapping_sub(ONES) & !word & TOPS != 0
    };
    match text.last_chunk() {
        Some(last) => zero_in(last) || text.as_chunks().0.iter().any(zero_in),
        None => text.contains(&0),
    }
}

/// Splits an escaped text off the front of `bytes`: the text, and what follows its terminator.
/// Borrows unless the text holds zeros.
pub(super) fn split_text(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), DecodeError> {
    let mut text = Cow::Borrowed(&bytes[..0]);
    let mut rest = bytes;
    loop {
        let Some(zero) = rest.iter().position(|&byte| byte == 0) else {
            return Err(DecodeError::damaged("text in a key has no end"));
        };
        let (part, after) = rest.split_at(zero);
        if text.is_empty() {
            text = Cow::Borrowed(part);
        } else {
            text.to_mut().extend_from_slice(part);
        }
        match after.get(1) {
            Some(&ESCAPED_ZERO) => text.to_mut().push(0),
            Some(&next) if next == TERMINATOR[1] => return Ok((text, &after[2..])),
            _ => {
                return Err(DecodeError::damaged(
                    "a zero in a key is followed by neither FF nor 01",
                ));
            }
        }
        rest = &after[2..];
    }
}
