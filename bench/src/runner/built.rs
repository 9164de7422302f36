//! The other binaries of this workspace, which stand beside this one.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

use anyhow::{Result, ensure};

/// Where the binary of that name is. If cargo started us, `which` (as cargo has it: `--bins`) are built as we are, so
/// that one command does it all.
pub(crate) fn beside_this_one(name: &str, which: &[&str]) -> Result<PathBuf> {
    static BUILD: Once = Once::new();
    let own = env::current_exe()?;
    let release = own.parent().is_some_and(|folder| folder.ends_with("release"));
    if let Some(cargo) = env::var_os("CARGO") {
        BUILD.call_once(|| {
            let mut build = Command::new(cargo);
            build.arg("build").args(which).arg("--manifest-path");
            build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
            build.args(release.then_some("--release"));
            // If it fails, a binary is missing or old, and cargo has said why.
            let _ = build.status();
        });
    }
    let path = own.with_file_name(name);
    ensure!(path.is_file(), "no {}; run: cargo build --release, in bench/", path.display());
    Ok(path)
}
