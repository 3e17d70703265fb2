//! Where the figures come from: the machine, the file system, and the versions of the engines as
//! they stood in `Cargo.lock` when this program was built.

use std::collections::BTreeMap;
use std::path::Path;

use crate::engines::Engine;

const LOCK_FILE: &str = include_str!("../../Cargo.lock");

/// A description of this machine, by what is described.
pub fn describe(dir: &Path) -> Vec<(&'static str, String)> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = value_of(&read("/proc/cpuinfo"), "model name", ':');
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory_kib = value_of(&read("/proc/meminfo"), "MemTotal", ':');
    let memory_kib = memory_kib.split(' ').next().and_then(|kib| kib.parse::<f64>().ok());
    let kernel = read("/proc/sys/kernel/osrelease");
    let system = value_of(&read("/etc/os-release"), "PRETTY_NAME", '=');
    vec![
        ("cpu", format!("{} ({cores} cores)", or_unknown(&cpu))),
        ("memory", memory_kib.map_or_else(unknown, |kib| format!("{:.0} GiB", kib / 1_048_576.0))),
        ("file system", file_system(dir)),
        ("kernel", format!("{} {}", std::env::consts::OS, or_unknown(&kernel))),
        ("system", or_unknown(system.trim_matches('"'))),
    ]
}

/// The versions of `engines`, by engine name.
pub fn versions(engines: &[Engine]) -> BTreeMap<&'static str, String> {
    let of = |engine: &Engine| {
        let packages = engine.packages().iter();
        let named = packages.filter_map(|name| Some(format!("{name} {}", locked_version(name)?)));
        (engine.name(), named.collect::<Vec<_>>().join(", "))
    };
    engines.iter().filter(|engine| !engine.packages().is_empty()).map(of).collect()
}

/// Whether `dir` is in memory, where a sync costs nothing and the figures mean nothing.
pub fn is_in_memory(dir: &Path) -> bool {
    ["tmpfs", "ramfs"].contains(&file_system(dir).split(' ').next().unwrap_or_default())
}

fn locked_version(package: &str) -> Option<&'static str> {
    let quoted = |line: &'static str| line.split('"').nth(1);
    let mut lines = LOCK_FILE.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("name = ") && quoted(line) == Some(package) {
            return lines.next().and_then(quoted);
        }
    }
    None
}

/// Type and options of the mount that holds `dir`: the longest mount point that is a prefix of it.
fn file_system(dir: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let holding = mounts.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let &[_, point, kind, options, ..] = fields.as_slice() else { return None };
        dir.starts_with(point).then(|| (point.len(), format!("{kind} ({options})")))
    });
    // Of two mounts at one point the later one counts.
    holding.max_by_key(|(length, _)| *length).map_or_else(unknown, |(_, text)| text)
}

fn value_of(text: &str, name: &str, separator: char) -> String {
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(separator));
    value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

fn or_unknown(text: &str) -> String {
    if text.trim().is_empty() { unknown() } else { text.trim().to_owned() }
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_with_packages_has_their_versions() {
        for (engine, versions) in versions(&Engine::ALL) {
            let packages = Engine::from_name(engine).unwrap().packages();
            assert_eq!(versions.split(", ").count(), packages.len(), "{engine}: {versions}");
        }
    }
}
