//! The order of cells, computed the slow and obvious way.

use crate::op::Pos;

/// The place of a coordinate in Morton order: the bits of zigzag q, r and s, interleaved from
/// the highest down, q first.
#[must_use]
pub fn morton(pos: Pos) -> u64 {
    let axes = [pos.q, pos.r, -pos.q - pos.r].map(zigzag);
    let mut place = 0;
    for bit in (0..19).rev() {
        for axis in axes {
            place = place << 1 | (axis >> bit & 1);
        }
    }
    place
}

/// 0, −1, 1, −2, 2 … as 0, 1, 2, 3, 4 …
fn zigzag(value: i32) -> u64 {
    let doubled = u64::from(value.unsigned_abs()) * 2;
    if value < 0 { doubled - 1 } else { doubled }
}
