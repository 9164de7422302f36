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
            // What cargo says of this package in the environment is not so of those that are built; some of them would be built anew.
            for (name, _) in env::vars_os() {
                let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"];
                if of_package.iter().any(|start| name.to_string_lossy().starts_with(start)) {
                    build.env_remove(name);
                }
            }
            // If it fails, a binary is missing or old, and cargo has said why.
            let _ = build.status();
        });
    }
    let path = own.with_file_name(name);
    ensure!(path.is_file(), "no {}; run: cargo build --release, in bench/", path.display());
    Ok(path)
}
