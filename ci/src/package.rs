//! `cargo xtask package`: what would be published works outside of the workspace.
//!
//! `cargo package` makes the archives; they are unpacked into a directory of their own, and a
//! project beside them, which knows nothing of this tree, runs the quickstart from them. A file
//! that the manifest forgets to include is found here.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::sh;

/// The published packages, each with its directory in the workspace.
const PACKAGES: [(&str, &str); 2] = [("hexxladb-vfs", "vfs"), ("hexxladb", "engine")];

/// The example that the project outside runs, within `engine`.
const QUICKSTART: &str = "examples/quickstart.rs";

pub(crate) fn run() -> Result<()> {
    let place = Place::new()?;
    let mut package = sh::cargo("package --quiet --locked --no-verify --allow-dirty");
    for (name, _) in PACKAGES {
        package.args(["--package", name]);
    }
    sh::run(&mut package)?;
    let mut unpacked = Vec::new();
    for (name, dir) in PACKAGES {
        unpacked.push((name, unpack(name, dir, &place.0)?));
    }
    let project = place.0.join("project");
    write_project(&project, &unpacked)?;
    let mut run = sh::cargo("run --quiet");
    run.current_dir(&project).env("CARGO_TARGET_DIR", sh::target_dir());
    sh::run(&mut run)?;
    println!("package: the quickstart runs from {} archives", PACKAGES.len());
    Ok(())
}

/// A directory outside of the workspace, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("hexxladb-package-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|e| format!("cannot create {}: {e}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left behind lies in the system's temporary directory.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Unpacks a package's archive and returns where its manifest is.
fn unpack(name: &str, dir: &str, into: &Path) -> Result<PathBuf> {
    let version = version()?;
    let archive = sh::target_dir().join("package").join(format!("{name}-{version}.crate"));
    let mut tar = sh::program("tar");
    tar.arg("-xzf").arg(&archive).arg("-C").arg(into);
    sh::run(&mut tar)?;
    let unpacked = into.join(format!("{name}-{version}"));
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs"] {
        if !unpacked.join(file).exists() {
            return Err(format!("the archive of {name} (from {dir}) has no {file}"));
        }
    }
    Ok(unpacked)
}

/// The version of the workspace.
fn version() -> Result<String> {
    let text = read(&sh::root().join("Cargo.toml"))?;
    let table = text.split_once("[workspace.package]").map_or("", |(_, rest)| rest);
    let value = table.lines().find_map(|line| line.strip_prefix("version = \""));
    Ok(value.ok_or("Cargo.toml names no version")?.trim_end_matches('"').to_owned())
}

/// A project that depends on the unpacked packages and whose program is the quickstart.
fn write_project(project: &Path, unpacked: &[(&str, PathBuf)]) -> Result<()> {
    let path = |path: &Path| path.display().to_string().replace('\\', "/");
    let patch = |(name, dir): &(&str, PathBuf)| format!("{name} = {{ path = \"{}\" }}", path(dir));
    let patches: Vec<String> = unpacked.iter().map(patch).collect();
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nhexxladb = \"*\"\n\n\
         [patch.crates-io]\n{}\n\n[workspace]\n",
        patches.join("\n")
    );
    fs::create_dir_all(project.join("src"))
        .map_err(|e| format!("cannot create {}: {e}", project.display()))?;
    write(&project.join("Cargo.toml"), &manifest)?;
    // The versions that the workspace was tested with, so that nothing is built a second time.
    write(&project.join("Cargo.lock"), &read(&sh::root().join("Cargo.lock"))?)?;
    let (_, engine) = unpacked.last().ok_or("nothing was unpacked")?;
    write(&project.join("src/main.rs"), &read(&engine.join(QUICKSTART))?)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}
