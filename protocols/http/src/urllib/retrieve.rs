//! Copies what a URL names into a file: [`Opener::retrieve`], [`Retrieved`].

use std::{
    cell::RefCell,
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{Opener, Request, Response, UrlOpenError, local_urls::local_path};
use crate::{client::Url, codec::Fields};

/// The size of the blocks that are copied, in bytes.
pub const BLOCK_SIZE: usize = 8 * 1024;

thread_local! {
    /// The temporary files of this thread.
    static TEMPORARY: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// A file, and what was said of it.
#[derive(Debug)]
pub struct Retrieved {
    path: PathBuf,
    fields: Fields,
}

impl Retrieved {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The fields of the response.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl Opener {
    /// Copies what a URL names into a file, as [`urlretrieve`](super::urlretrieve) does.
    ///
    /// # Errors
    ///
    /// [`UrlOpenError`].
    pub fn retrieve(
        &self,
        request: impl Into<Request>,
        to: Option<&Path>,
        mut report: impl FnMut(u64, usize, Option<u64>),
    ) -> Result<Retrieved, UrlOpenError> {
        let request = request.into();
        let url = Url::parse(&request.url).ok();
        let mut response = self.open(request)?;
        let fields = response.fields().clone();
        if let (None, Some(url)) = (to, url.filter(|url| url.scheme() == "file")) {
            return Ok(Retrieved { path: local_path(&url)?, fields });
        }
        let (path, mut file) = match to {
            Some(path) => (path.to_owned(), create(path)?),
            None => self.temporary_file(response.url())?,
        };
        let expected = response.length();
        let got = copy(&mut response, &path, &mut file, &mut report)?;
        let retrieved = Retrieved { path, fields };
        match expected {
            Some(expected) if got < expected => {
                let retrieved = Box::new(retrieved);
                Err(UrlOpenError::TooShort { retrieved, expected, got })
            }
            _ => Ok(retrieved),
        }
    }

    /// A new file of this thread, with the ending of the URL's, so that its kind can be seen.
    fn temporary_file(&self, url: &str) -> Result<(PathBuf, File), UrlOpenError> {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let ending = Path::new(path).extension().and_then(|ending| ending.to_str());
        let ending = ending.filter(|ending| {
            ending.len() <= 16 && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        let ending = ending.map(|ending| format!(".{ending}")).unwrap_or_default();
        loop {
            let name = format!("sinew-{:016x}{ending}", self.reactor.random());
            let path = env::temp_dir().join(name);
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(&path) {
                Ok(file) => {
                    TEMPORARY.with_borrow_mut(|files| files.push(path.clone()));
                    return Ok((path, file));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(UrlOpenError::File { path, source }),
            }
        }
    }
}

fn create(path: &Path) -> Result<File, UrlOpenError> {
    File::create(path).map_err(|source| UrlOpenError::File { path: path.to_owned(), source })
}

/// Copies block by block; how many bytes there were. A body that is cut off ends the copy, but is no error of reading.
fn copy(
    response: &mut Response,
    path: &Path,
    file: &mut File,
    report: &mut impl FnMut(u64, usize, Option<u64>),
) -> Result<u64, UrlOpenError> {
    let total = response.length();
    let mut block = vec![0; BLOCK_SIZE];
    let (mut blocks, mut got) = (0, 0);
    report(0, BLOCK_SIZE, total);
    loop {
        let (len, is_last) = fill(response, &mut block).map_err(UrlOpenError::Read)?;
        let written = file.write_all(&block[..len]);
        written.map_err(|source| UrlOpenError::File { path: path.to_owned(), source })?;
        got += len as u64;
        if len > 0 {
            blocks += 1;
            report(blocks, BLOCK_SIZE, total);
        }
        if is_last {
            return Ok(got);
        }
    }
}

/// Fills a block, unless it is the last. How much is in it, and whether it is.
fn fill(response: &mut Response, block: &mut [u8]) -> io::Result<(usize, bool)> {
    let mut len = 0;
    while len < block.len() {
        match response.read(&mut block[len..]) {
            Ok(0) => return Ok((len, true)),
            Ok(more) => len += more,
            Err(error)
                if error.kind() == io::ErrorKind::UnexpectedEof && response.length().is_some() =>
            {
                return Ok((len, true));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((len, false))
}

/// Removes the temporary files of this thread.
pub(super) fn remove_temporary_files() {
    for path in TEMPORARY.take() {
        if let Err(error) = fs::remove_file(&path) {
            tracing::debug!(%error, path = %path.display(), "a temporary file was not removed");
        }
    }
}
