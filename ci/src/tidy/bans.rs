//! What the engine, and the simulated disk with it, may not name.
//!
//! Files, clocks, threads and random numbers enter through the VFS alone, and nothing depends on
//! the order of a hash map; otherwise a seed would not repeat a run. Clippy guards the same door
//! by type (`engine/clippy.toml`); this rule also sees what a macro or a feature hides from it.
//! Tests are excepted.

use super::modules::Reach;
use super::syntax;
use super::{Tree, Violation};

/// Where the bans hold.
const GUARDED: [&str; 2] = ["engine/src/", "vfs/src/sim/"];

/// Where nothing is printed.
const SILENT: [&str; 2] = ["engine/src/", "vfs/src/"];

/// A path is banned when it begins with one of these…
const BANNED_PATHS: [(&str, &str); 11] = [
    ("std::fs", "files enter through the VFS"),
    ("std::env", "what the process was told is the caller's"),
    ("std::process", "the library starts no process"),
    ("std::net", "the library opens no connection"),
    ("std::thread", "the library starts no thread"),
    ("std::time::SystemTime::now", "time enters through the VFS"),
    ("std::time::Instant", "time enters through the VFS"),
    ("SystemTime::now", "time enters through the VFS"),
    ("Instant::now", "time enters through the VFS"),
    ("thread::spawn", "the library starts no thread"),
    ("rand", "random numbers enter through the VFS"),
];

/// …or when one of these is among its parts.
const BANNED_NAMES: [(&str, &str); 3] = [
    ("HashMap", "use BTreeMap: order must be the same in every run"),
    ("HashSet", "use BTreeSet: order must be the same in every run"),
    ("RandomState", "hashing must be the same in every run"),
];

/// What one file may name all the same, each with its reason.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "vfs/src/sim/world.rs",
    "std::thread::panicking",
    "starts nothing, and without it a failing test would end the program",
)];

/// What may not be called where nothing is printed.
const PRINTERS: [&str; 4] = ["print!", "println!", "eprint!", "eprintln!"];

/// The one module of the engine that may name locks and atomics, so that a scheduler can stand in
/// for them.
const SYNC_MODULE: &str = "engine/src/sync";

/// What only that module may name.
const SYNC_NAMES: [&str; 7] = ["Mutex", "RwLock", "Condvar", "Once", "Barrier", "mpsc", "atomic"];

pub(crate) fn check(tree: &Tree, reach: &Reach) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in &tree.rust {
        let silent = is_in(&SILENT, &source.path);
        if !silent || reach.get(&source.path) == Some(&true) {
            continue;
        }
        for path in syntax::paths(&syntax::without_tests(&source.code)) {
            if let Some(why) = reason(&source.path, &path.parts) {
                let what = format!("{} is banned here: {why}", path.text());
                found.push(Violation::new(&source.path, source.line(path.at), what));
            }
        }
    }
    found
}

fn is_in(dirs: &[&str], file: &str) -> bool {
    dirs.iter().any(|dir| file.starts_with(dir))
}

/// Why `file` may not name this path, if it may not.
fn reason(file: &str, parts: &[String]) -> Option<&'static str> {
    let has = |name: &&str| parts.iter().any(|part| part == name);
    if PRINTERS.iter().any(has) {
        return Some("a library prints nothing");
    }
    let path = parts.join("::");
    let excepted = EXCEPTIONS.iter().any(|(place, named, _)| *place == file && *named == path);
    if excepted || !is_in(&GUARDED, file) {
        return None;
    }
    let begins = |banned: &str| path.strip_prefix(banned).is_some_and(ends_a_part);
    let banned = BANNED_PATHS.iter().find(|(banned, _)| begins(banned)).map(|(_, why)| *why);
    let name = BANNED_NAMES.iter().find(|(banned, _)| has(banned)).map(|(_, why)| *why);
    let is_lock = parts.starts_with(&["std".into(), "sync".into()]) && SYNC_NAMES.iter().any(has);
    let elsewhere = file.starts_with("engine/") && !file.starts_with(SYNC_MODULE);
    let lock = (is_lock && elsewhere).then_some("locks and atomics come from the module sync");
    banned.or(name).or(lock)
}

fn ends_a_part(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banned(path: &str, code: &str) -> Vec<String> {
        let tree = Tree::of(&[("engine/Cargo.toml", ""), (path, code)]);
        check(&tree, &Reach::new())
            .into_iter()
            .map(|v| v.what.split(' ').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_ban_bites() {
        assert_eq!(banned("engine/src/a.rs", "use std::{fs::File, io};"), ["std::fs::File"]);
        assert_eq!(banned("engine/src/a.rs", "let t = SystemTime::now();"), ["SystemTime::now"]);
        assert_eq!(
            banned("engine/src/a.rs", "std::time::Instant::now()"),
            ["std::time::Instant::now"]
        );
        assert_eq!(banned("engine/src/a.rs", "std::thread::spawn(f)"), ["std::thread::spawn"]);
        assert_eq!(banned("engine/src/a.rs", "rand::rng()"), ["rand::rng"]);
        assert_eq!(banned("engine/src/a.rs", "x: HashMap<u8, u8>"), ["HashMap"]);
        assert_eq!(
            banned("engine/src/a.rs", "use std::collections::{BTreeMap, HashSet};"),
            ["std::collections::HashSet"]
        );
        assert_eq!(banned("engine/src/a.rs", "eprintln!(\"x\")"), ["eprintln!"]);
        assert_eq!(banned("vfs/src/real.rs", "println!()"), ["println!"]);
        assert_eq!(banned("engine/src/a.rs", "use std::sync::{Arc, Mutex};"), ["std::sync::Mutex"]);
        assert_eq!(banned("vfs/src/sim/disk.rs", "std::env::var(x)"), ["std::env::var"]);
    }

    #[test]
    fn what_is_allowed_passes() {
        assert!(banned("engine/src/sync.rs", "pub use std::sync::Mutex;").is_empty());
        assert!(
            banned(
                "engine/src/a.rs",
                "use std::time::{Duration, SystemTime}; fn print() { random() }"
            )
            .is_empty()
        );
        assert!(banned("engine/src/a.rs", "// std::fs\nlet s = \"println!()\";").is_empty());
        assert!(banned("engine/src/a.rs", "#[cfg(test)] mod tests { use std::fs; }").is_empty());
        assert!(banned("vfs/src/real.rs", "use std::fs::File;").is_empty());
        let (file, path, _) = EXCEPTIONS[0];
        assert!(banned(file, path).is_empty() && !banned("vfs/src/sim/disk.rs", path).is_empty());
        let tests = Tree::of(&[("engine/src/model.rs", "use std::fs;")]);
        assert!(check(&tests, &Reach::from([("engine/src/model.rs".into(), true)])).is_empty());
    }
}
