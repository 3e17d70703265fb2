//! The simulated disk against a model of the contract as simple as can be: for each sector the
//! contents that a power cut may leave.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use hexxladb_vfs::sim::{CutProfile, SimVfs};
use hexxladb_vfs::{File, FileExt};

use super::{A, durable_file, in_cache, on_disk};

const SECTOR: usize = 512;
const SECTORS: usize = 8;

/// What may be on the disk. Bytes past the end count as zeros.
struct Model {
    cache: Vec<u8>,
    /// For each sector, what it may hold.
    sectors: Vec<BTreeSet<Vec<u8>>>,
    lengths: (usize, usize),
}

impl Model {
    fn new() -> Self {
        let zeros = BTreeSet::from([vec![0; SECTOR]]);
        Self { cache: Vec::new(), sectors: vec![zeros; SECTORS], lengths: (0, 0) }
    }

    fn cached_sector(&self, sector: usize) -> Vec<u8> {
        let mut bytes = vec![0; SECTOR];
        let start = (sector * SECTOR).min(self.cache.len());
        let end = (start + SECTOR).min(self.cache.len());
        bytes[..end - start].copy_from_slice(&self.cache[start..end]);
        bytes
    }

    fn changed(&mut self, from: usize, to: usize) {
        for sector in from / SECTOR..to.div_ceil(SECTOR) {
            let bytes = self.cached_sector(sector);
            self.sectors[sector].insert(bytes);
        }
        let len = self.cache.len();
        self.lengths = (self.lengths.0.min(len), self.lengths.1.max(len));
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.cache.len() < end {
            self.cache.resize(end, 0);
        }
        self.cache[offset..end].copy_from_slice(bytes);
        self.changed(offset, end);
    }

    fn set_len(&mut self, len: usize) {
        let old = self.cache.len();
        self.cache.resize(len, 0);
        self.changed(len.min(old), old.max(self.lengths.1));
    }

    fn sync_all(&mut self) {
        for sector in 0..SECTORS {
            self.sectors[sector] = BTreeSet::from([self.cached_sector(sector)]);
        }
        self.lengths = (self.cache.len(), self.cache.len());
    }

    fn check(&self, bytes: &[u8]) {
        let (low, high) = self.lengths;
        assert!((low..=high).contains(&bytes.len()), "{} of {low}..={high}", bytes.len());
        for (sector, found) in bytes.chunks(SECTOR).enumerate() {
            let allowed = self.sectors[sector].iter().any(|a| a[..found.len()] == *found);
            assert!(allowed, "sector {sector} of {} bytes", bytes.len());
        }
    }
}

fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    random.next_u64() as usize % bound
}

fn step(file: &dyn File, model: &mut Model, random: &mut ChaCha8Rng, byte: u8) {
    let end = SECTOR * SECTORS;
    match below(random, 10) {
        0..7 => {
            let offset = below(random, end - 1);
            let bytes = vec![byte; 1 + below(random, (end - offset).min(2_000))];
            file.write_all_at(offset as u64, &bytes).unwrap();
            model.write(offset, &bytes);
        }
        7 | 8 => {
            let len = below(random, end);
            file.set_len(len as u64).unwrap();
            model.set_len(len);
        }
        _ => {
            file.sync_all().unwrap();
            model.sync_all();
        }
    }
}

#[test]
fn no_cut_leaves_what_the_contract_forbids() {
    for seed in 0..150 {
        let vfs = SimVfs::new(seed);
        let file = durable_file(&vfs, A, b"");
        let mut model = Model::new();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for turn in 1..40 {
            step(&*file, &mut model, &mut random, turn);
            assert_eq!(in_cache(&*file), model.cache);
            for choice in vfs.pending().few_states().take(60) {
                let fork = vfs.fork();
                fork.power_cut_with(&choice);
                model.check(&on_disk(&fork, A).unwrap());
            }
        }
        vfs.power_cut(CutProfile::Plain);
        model.check(&on_disk(&vfs, A).unwrap());
    }
}

/// And it leaves everything that the contract allows: each content of each sector is found.
#[test]
fn every_content_that_the_contract_allows_is_left_by_some_cut() {
    for seed in 0..60 {
        let vfs = SimVfs::new(seed);
        let file = durable_file(&vfs, A, &[99; SECTOR * SECTORS]);
        let mut model = Model::new();
        model.write(0, &[99; SECTOR * SECTORS]);
        model.sync_all();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for turn in 1..8 {
            let offset = below(&mut random, SECTOR * (SECTORS - 4));
            let bytes = vec![turn; 1 + below(&mut random, 4 * SECTOR)];
            file.write_all_at(offset as u64, &bytes).unwrap();
            model.write(offset, &bytes);
        }
        let mut found = vec![BTreeSet::new(); SECTORS];
        for choice in vfs.pending().few_states() {
            let fork = vfs.fork();
            fork.power_cut_with(&choice);
            for (sector, bytes) in on_disk(&fork, A).unwrap().chunks(SECTOR).enumerate() {
                found[sector].insert(bytes.to_vec());
            }
        }
        assert_eq!(found, model.sectors);
    }
}

/// `sync_data` in the mix: bytes written before it, and the length to read them, always survive
/// until they are overwritten.
#[test]
fn synced_bytes_survive_every_cut() {
    for seed in 0..150 {
        let vfs = SimVfs::new(seed);
        let file = durable_file(&vfs, A, b"");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for turn in 1..30_u8 {
            if below(&mut random, 3) == 0 {
                file.set_len(below(&mut random, 3_000) as u64).unwrap();
            }
            let offset = below(&mut random, 3_000);
            let bytes = vec![turn; 1 + below(&mut random, 900)];
            file.write_all_at(offset as u64, &bytes).unwrap();
            file.sync_data().unwrap();
            for choice in vfs.pending().few_states().take(40) {
                let fork = vfs.fork();
                fork.power_cut_with(&choice);
                let left = on_disk(&fork, A).unwrap();
                assert_eq!(left.get(offset..offset + bytes.len()), Some(&bytes[..]), "{choice}");
            }
        }
    }
}
