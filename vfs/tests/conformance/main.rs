//! One suite for all backends: every method, every error it can give, on the real file system,
//! in memory and on the simulated disk.

mod bytes;
mod durable;
mod locks;
mod names;
mod processes;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hexxladb_vfs::sim::SimVfs;
use hexxladb_vfs::{File, MemoryVfs, OpenMode, RealVfs, Vfs};

/// A backend with an empty directory to work in.
struct Place {
    backend: &'static str,
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    _keep: Option<tempfile::TempDir>,
}

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn open(&self, name: &str, mode: OpenMode) -> Arc<dyn File> {
        self.vfs.open(&self.path(name), mode).unwrap()
    }

    fn create(&self, name: &str) -> Arc<dyn File> {
        self.open(name, OpenMode::CreateNew)
    }

    /// A file of these bytes.
    fn file_of(&self, name: &str, bytes: &[u8]) -> Arc<dyn File> {
        use hexxladb_vfs::FileExt;
        let file = self.create(name);
        file.write_all_at(0, bytes).unwrap();
        file
    }
}

/// The whole contents as a read finds them.
fn contents(file: &dyn File) -> Vec<u8> {
    use hexxladb_vfs::FileExt;
    let mut bytes = vec![0xEE; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn real() -> Place {
    let temp = tempfile::tempdir().unwrap();
    let (vfs, dir) = (Arc::new(RealVfs::new()), temp.path().to_path_buf());
    Place { backend: "real", vfs, dir, _keep: Some(temp) }
}

/// Runs a check on every backend, each time in a fresh place.
fn on_each(check: impl Fn(&Place)) {
    let dir = Path::new("/dir").to_path_buf();
    let memory: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
    let small: Arc<dyn Vfs> = Arc::new(SimVfs::new(1));
    let large: Arc<dyn Vfs> = Arc::new(SimVfs::with_sector_bytes(1, 4096));
    let places = [
        real(),
        Place { backend: "memory", vfs: memory, dir: dir.clone(), _keep: None },
        Place { backend: "simulated", vfs: small, dir: dir.clone(), _keep: None },
        Place { backend: "simulated, 4 KiB", vfs: large, dir, _keep: None },
    ];
    for place in &places {
        println!("on the backend: {}", place.backend);
        check(place);
    }
}
