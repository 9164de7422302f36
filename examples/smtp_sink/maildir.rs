//! The mail store: a folder with `tmp`, `new` and `cur`, as in <https://cr.yp.to/proto/maildir.html>. A message is
//! written to `tmp` and then renamed, so readers never see partial messages. All of it may block.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

pub(crate) struct Maildir {
    path: PathBuf,
    /// Number of deliveries by this process, for unique names.
    deliveries: AtomicU64,
}

/// A message that is not complete. It is removed when it is dropped, unless it was kept.
pub(crate) struct Draft {
    file: File,
    tmp: PathBuf,
    new: PathBuf,
}

impl Maildir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        for folder in ["tmp", "new", "cur"] {
            fs::create_dir_all(path.join(folder))?;
        }
        Ok(Self { path: path.to_owned(), deliveries: AtomicU64::new(0) })
    }

    /// Begins a message.
    pub(crate) fn draft(&self) -> io::Result<Draft> {
        let name = self.name();
        let (tmp, new) = (self.path.join("tmp").join(&name), self.path.join("new").join(&name));
        Ok(Draft { file: File::create_new(&tmp)?, tmp, new })
    }

    fn name(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = self.deliveries.fetch_add(1, Ordering::Relaxed) + 1;
        format!(
            "{}.M{:06}P{}Q{number}.localhost",
            now.as_secs(),
            now.subsec_micros(),
            process::id()
        )
    }
}

impl Draft {
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)
    }

    /// Stores the message safely, and returns its path.
    pub(crate) fn keep(&self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        fs::rename(&self.tmp, &self.new)?;
        // The name is on the disk, too, once the folder is.
        #[cfg(unix)]
        if let Some(folder) = self.new.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(self.new.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // One that was kept has another name.
        let _ = fs::remove_file(&self.tmp);
    }
}
