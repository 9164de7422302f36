//! A file that is not whole yet: `NAME.part`, and beside it, in `NAME.part.of`, which state of the server's file it is a part of.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

pub(crate) struct Partial {
    path: PathBuf,
    /// The file that holds the validator.
    of: PathBuf,
    file: File,
    len: u64,
    hash: Sha256,
    validator: Option<String>,
}

impl Partial {
    /// What an earlier try has left, if it is known of which file; else an empty one.
    pub(crate) fn open(to: &Path, resumes: bool) -> io::Result<Self> {
        let beside = |ending: &str| {
            let mut name = to.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            to.with_file_name(name)
        };
        let (path, of) = (beside(".part"), beside(".part.of"));
        let validator = fs::read_to_string(&of).ok().filter(|_| resumes);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = options.open(&path)?;
        let (mut len, mut hash) = (0, Sha256::new());
        if validator.is_none() {
            file.set_len(0)?;
        } else {
            let mut piece = vec![0; 64 * 1024];
            loop {
                let read = file.read(&mut piece)?;
                if read == 0 {
                    break;
                }
                hash.update(&piece[..read]);
                len += read as u64;
            }
        }
        Ok(Self { path, of, file, len, hash, validator })
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// By what the server is asked for the rest, if it can be.
    pub(crate) fn resumes_by(&self) -> Option<String> {
        self.validator.clone().filter(|_| self.len > 0)
    }

    /// Begins anew, with what the server calls the state of its file now.
    pub(crate) fn restart(&mut self, validator: Option<String>) -> io::Result<()> {
        self.file.set_len(0)?;
        (self.len, self.hash) = (0, Sha256::new());
        match &validator {
            Some(validator) => fs::write(&self.of, validator)?,
            None => drop(fs::remove_file(&self.of)),
        }
        self.validator = validator;
        Ok(())
    }

    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.hash.update(piece);
        self.len += piece.len() as u64;
        Ok(())
    }

    /// Leaves it for a later try.
    pub(crate) fn keep(self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// The SHA-256 of all of it.
    pub(crate) fn digest(&self) -> String {
        self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn complete(self, to: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, to)?;
        let _ = fs::remove_file(&self.of);
        Ok(())
    }

    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.of);
    }
}

impl Drop for Partial {
    /// Of nothing, nothing is left.
    fn drop(&mut self) {
        if self.len == 0 {
            let _ = fs::remove_file(&self.path);
            let _ = fs::remove_file(&self.of);
        }
    }
}
