//! The other binaries of this workspace, in the same directory as this one.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

use anyhow::{Result, ensure};

/// The path of the binary with that name. If cargo started this process, the binaries of `which` (an option of cargo:
/// `--bins`) are built in the same profile, so that one command is enough.
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
            // These variables describe this package, not the built ones; with them, some would be rebuilt.
            for (name, _) in env::vars_os() {
                let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"];
                if of_package.iter().any(|start| name.to_string_lossy().starts_with(start)) {
                    build.env_remove(name);
                }
            }
            // If it fails, a binary is missing or old, and cargo has printed the reason.
            let _ = build.status();
        });
    }
    let path = own.with_file_name(name);
    ensure!(path.is_file(), "no {}; run: cargo build --release, in bench/", path.display());
    Ok(path)
}
