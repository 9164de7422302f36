//! Programs of news, out of packages; the rest is that of all crates.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output},
};

#[path = "../../../../tests/support/programs.rs"]
mod programs;

pub(crate) use programs::{python, run};
use programs::{skipped, target};

/// A program out of the packages that `.ci/peers` unpacks, or of the system.
pub(crate) fn packaged(folder: &str, name: &str) -> Option<Command> {
    let own = target().join("peers/news");
    let found = [own.join(folder), Path::new("/").join(folder)].map(|folder| folder.join(name));
    let Some(found) = found.into_iter().find(|path| path.is_file()) else { return skipped(name) };
    let mut command = Command::new(found);
    command.env("LD_LIBRARY_PATH", own.join("usr/lib/news"));
    Some(command)
}

/// Where INN's programs are.
pub(crate) fn inn_folder() -> PathBuf {
    let own = target().join("peers/news/usr/lib/news");
    if own.is_dir() { own } else { "/usr/lib/news".into() }
}

/// The name of a program that is on the path.
pub(crate) fn installed(name: &'static str) -> Option<&'static str> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&paths).any(|folder| folder.join(name).is_file());
    if is_there { Some(name) } else { skipped(name) }
}

pub(crate) fn assert_success(output: &Output) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", said(&output.stdout), said(&output.stderr));
}

/// A program that runs until the end of the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder that is removed at the end, which programs of other users may write to.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sinew-news-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
