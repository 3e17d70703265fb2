//! The end of a process, the end of power, and what the disk then holds.

use std::path::Path;
use std::sync::Arc;

use super::Disk;
use crate::locks::LockTable;
use crate::sim::crash::{CrashChoice, Kept, Survival};
use crate::sim::image::Image;
use crate::sim::inode::Survivor;
use crate::sim::names::FileId;

impl Disk {
    /// Drops all handles and locks, as the end of a process does.
    pub(in crate::sim) fn close_all(&mut self) {
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            slot.locks = LockTable::default();
            let was_open = std::mem::take(&mut slot.opens) > 0;
            if was_open && !slot.named {
                let sectors = slot.inode.space.taken_sectors();
                self.give_space(sectors);
            }
        }
        self.forget_unreachable();
    }

    /// Whether anything between cache and disk is of this order or before.
    pub(in crate::sim) fn has_pending_up_to(&self, order: u64) -> bool {
        self.names.pending().iter().any(|pending| pending.order <= order)
            || self.slots.iter().any(|slot| slot.inode.has_pending_up_to(order))
    }

    /// Leaves the durable state and what the choice names; the cache view becomes the same.
    pub(in crate::sim) fn power_cut(&mut self, choice: &CrashChoice) {
        self.close_all();
        let taken = self.taken_sectors();
        let mut kept = choice.0.clone();
        kept.sort_unstable();
        let sector = self.sector_bytes;
        for (index, slot) in (0..).zip(&mut self.slots) {
            if !slot.inode.at_rest() {
                let (survivors, len) = of_file(&kept, FileId(index));
                Arc::make_mut(&mut slot.inode).power_cut(&survivors, len, sector);
            }
        }
        self.names.power_cut(|name| {
            kept.iter().any(|kept| matches!(kept, Kept::Name { index } if *index == name))
        });
        self.name_slots();
        self.forget_unreachable();
        let now_taken = self.taken_sectors();
        self.take_space(now_taken.saturating_sub(taken));
        self.give_space(taken.saturating_sub(now_taken));
    }

    fn name_slots(&mut self) {
        for slot in &mut self.slots {
            slot.named = false;
        }
        for (path, file) in self.names.durable() {
            let slot = &mut self.slots[file.0 as usize];
            (slot.named, slot.path) = (true, Arc::clone(path));
        }
    }

    fn taken_sectors(&self) -> u64 {
        self.slots
            .iter()
            .filter(|slot| slot.named)
            .map(|slot| slot.inode.space.taken_sectors())
            .sum()
    }

    /// Hash of what the disk holds, or of what reads see.
    pub(in crate::sim) fn hash(&self, durable: bool) -> u128 {
        let mut buf = Vec::with_capacity(2048);
        if durable {
            self.names
                .durable()
                .for_each(|(path, file)| hash_file(&mut buf, path, self.durable(file)));
        } else {
            self.names
                .cached()
                .for_each(|(path, file)| hash_file(&mut buf, path, self.cached(file)));
        }
        xxhash_rust::xxh3::xxh3_128(&buf)
    }
}

/// What the choice, sorted, says of one file: its sectors in ascending order, its length.
fn of_file(kept: &[Kept], wanted: FileId) -> (Vec<(u64, Survivor)>, Option<u64>) {
    let (mut survivors, mut len) = (Vec::new(), None);
    for kept in kept {
        match *kept {
            Kept::Sector { file, sector, survival } if file == wanted => {
                let survivor = match survival {
                    Survival::Version(version) => Survivor::Version(version),
                    Survival::Garbage(seed) => Survivor::Garbage(seed),
                };
                survivors.push((sector, survivor));
            }
            Kept::Length { file, bytes } if file == wanted => len = Some(bytes),
            _ => {}
        }
    }
    (survivors, len)
}

/// Each part goes with its size, so that no two disks give the same text.
fn hash_file(buf: &mut Vec<u8>, path: &Path, image: &Image) {
    let name = path.as_os_str().as_encoded_bytes();
    buf.extend_from_slice(&(name.len() as u64).to_le_bytes());
    buf.extend_from_slice(name);
    let start = buf.len();
    buf.extend_from_slice(&[0; 8]);
    image.hash_into(buf);
    let count = (buf.len() - start) as u64;
    buf[start..start + 8].copy_from_slice(&count.to_le_bytes());
}
