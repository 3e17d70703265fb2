//! A simulated disk that keeps the durability contract and nothing more.
//!
//! A [`SimVfs`] is a whole small world: files with a cache view and a durable view, a clock,
//! random bytes, and processes that come and go. It loses power, fails and lies on command or by
//! chance, always the same way for the same seed and operations, and it can be copied at any
//! moment for the price of a few reference counts, so that thousands of crash states can be
//! tried from one.
//!
//! Directories are not modelled: every directory exists.
//!
//! ```
//! use hexxladb_vfs::sim::SimVfs;
//! use hexxladb_vfs::{FileExt, OpenMode, Vfs};
//! use std::path::Path;
//!
//! let vfs = SimVfs::new(42);
//! let file = vfs.open(Path::new("/db"), OpenMode::Create)?;
//! vfs.sync_dir(Path::new("/"))?;
//! file.write_all_at(0, b"synced")?;
//! file.sync_data()?;
//! file.write_all_at(0, b"hoped!")?;
//!
//! // Every state that a power cut may leave now:
//! let mut found = Vec::new();
//! for choice in vfs.pending().states(0, 0) {
//!     let after = vfs.fork();
//!     after.power_cut_with(&choice);
//!     found.push(after.read_file(Path::new("/db")).unwrap());
//! }
//! assert_eq!(found, [b"synced", b"hoped!"]);
//! # Ok::<(), hexxladb_vfs::Error>(())
//! ```

mod clock;
mod crash;
mod disk;
mod edit;
mod entry;
mod fault;
mod fault_text;
mod file;
mod image;
mod inode;
mod names;
mod random;
mod space;
mod state;
mod states;
mod stop;
mod swarm;
mod trace;
mod vfs;
mod world;

pub use crash::{CrashChoice, Kept, Pending, Survival, Unit};
pub use fault::{Damage, Effect, Fault, FaultKind, FaultPlan, Fired, Target};
pub use fault_text::ParseError;
pub use names::{FileId, NameChange};
pub use state::{Applied, CrashAt};
pub use states::CutProfile;
pub use stop::{is_injected, is_stopped};
pub use swarm::Swarm;
pub use vfs::SimVfs;
