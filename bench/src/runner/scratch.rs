//! A file for a tool to write to, removed when no longer needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A path of our own in the directory for temporary files; nothing is created yet.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sinew-bench-{}-{number}", std::process::id());
        Self { path: std::env::temp_dir().join(name) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The tool may not have written it: no matter.
        let _ = fs::remove_file(&self.path);
    }
}
