//! The mail store: a folder with `tmp`, `new` and `cur`, as in <https://cr.yp.to/proto/maildir.html>. A message is
//! written to `tmp` and then renamed, so readers never see partial messages.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::session::Mail;

pub(crate) struct Maildir {
    path: PathBuf,
    /// Number of deliveries by this process, for unique names.
    deliveries: AtomicU64,
}

impl Maildir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        for folder in ["tmp", "new", "cur"] {
            fs::create_dir_all(path.join(folder))?;
        }
        Ok(Self { path: path.to_owned(), deliveries: AtomicU64::new(0) })
    }

    /// Stores a message and returns its path.
    pub(crate) fn keep(&self, mail: &Mail) -> io::Result<PathBuf> {
        let name = self.name();
        let (tmp, new) = (self.path.join("tmp").join(&name), self.path.join("new").join(&name));
        let written = write(&tmp, mail).and_then(|()| fs::rename(&tmp, &new));
        if written.is_err() {
            // The disk may be full.
            let _ = fs::remove_file(&tmp);
        }
        written.map(|()| new)
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

fn write(path: &Path, mail: &Mail) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    // RFC 5321 4.4: the final server records the sender in Return-Path.
    write!(file, "Return-Path: <{}>\r\n", mail.from)?;
    for to in &mail.to {
        write!(file, "Delivered-To: {to}\r\n")?;
    }
    file.write_all(&mail.message)?;
    file.sync_all()
}
