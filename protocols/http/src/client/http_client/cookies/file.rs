//! Cookies in a file, in the format of Netscape's `cookies.txt`, which curl and Python's `MozillaCookieJar` read and write.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sinew_transports::reactor::{Excerpt, error_debug};

use super::{Cookie, CookieJar};

/// The first line, by which other programs know the format.
const MAGIC: &str = "# Netscape HTTP Cookie File";

/// Marks a cookie that is not for scripts.
const HTTP_ONLY: &str = "#HttpOnly_";

/// Largest file that is read: 16 MiB.
const FILE_MAX: u64 = 16 << 20;

/// Why cookies were not read or written.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CookieFileError {
    /// The file cannot be read.
    #[error("could not read the cookies of {}: {source}", Excerpt::path(.path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("could not write the cookies to {}: {source}", Excerpt::path(.path))]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A line is not a cookie.
    #[error("line {line} is not a cookie: it does not have seven fields separated by tabs")]
    Line {
        /// The number of the line, from 1.
        line: usize,
    },
}

error_debug!(CookieFileError);

impl CookieJar {
    /// Adds the cookies of a file. Reads it at once, so call it when the program starts. Cookies that have expired are ignored when they
    /// would be sent.
    ///
    /// # Errors
    ///
    /// [`CookieFileError`]; no cookie is added then.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<(), CookieFileError> {
        let path = path.as_ref();
        let read = || {
            let len = fs::metadata(path)?.len();
            if len > FILE_MAX {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 MiB"));
            }
            fs::read_to_string(path)
        };
        let text =
            read().map_err(|source| CookieFileError::Read { path: path.to_owned(), source })?;
        self.read_text(&text)
    }

    /// Writes the cookies to a file, those without a date of expiry only with `with_session`. The file takes the place of another one as a
    /// whole, and only its owner may read it (on Unix).
    ///
    /// # Errors
    ///
    /// [`CookieFileError`]; another file that was there is unchanged.
    pub fn save(&self, path: impl AsRef<Path>, with_session: bool) -> Result<(), CookieFileError> {
        let path = path.as_ref();
        let write = || {
            let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let mut new = name.to_owned();
            new.push(format!(".{}.new", std::process::id()));
            let new = path.with_file_name(new);
            let written = write_private(&new, self.to_text(with_session).as_bytes())
                .and_then(|()| fs::rename(&new, path));
            if written.is_err() {
                let _ = fs::remove_file(&new);
            }
            written
        };
        write().map_err(|source| CookieFileError::Write { path: path.to_owned(), source })
    }

    /// Adds the cookies of a text in that format.
    ///
    /// # Errors
    ///
    /// [`CookieFileError::Line`]; no cookie is added then.
    pub fn read_text(&self, text: &str) -> Result<(), CookieFileError> {
        let mut cookies = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let (line, is_http_only) = match line.strip_prefix(HTTP_ONLY) {
                Some(rest) => (rest, true),
                None => (line, false),
            };
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            cookies.push(parse(line, is_http_only).ok_or(CookieFileError::Line { line: at + 1 })?);
        }
        cookies.into_iter().for_each(|cookie| self.put_back(cookie));
        Ok(())
    }

    /// The cookies as a text in that format.
    #[must_use]
    pub fn to_text(&self, with_session: bool) -> String {
        let mut text = format!("{MAGIC}\n\n");
        for cookie in self.all() {
            let expires = match cookie.expires {
                Some(expires) => {
                    let since = expires.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                    // Zero stands for no date.
                    since.as_secs().max(1)
                }
                None if with_session => 0,
                None => continue,
            };
            let flag = |flag: bool| if flag { "TRUE" } else { "FALSE" };
            let mark = if cookie.is_http_only { HTTP_ONLY } else { "" };
            let dot = if cookie.is_host_only { "" } else { "." };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{mark}{dot}{}\t{}\t{}\t{}\t{expires}\t{}\t{}",
                cookie.domain,
                flag(!cookie.is_host_only),
                cookie.path,
                flag(cookie.is_secure),
                cookie.name,
                cookie.value
            );
        }
        text
    }
}

fn parse(line: &str, is_http_only: bool) -> Option<Cookie> {
    let fields: Vec<_> = line.split('\t').collect();
    let [domain, with_hosts_below, path, is_secure, expires, name, value] = fields[..] else {
        return None;
    };
    let flag = |text: &str| match text {
        "TRUE" => Some(true),
        "FALSE" => Some(false),
        _ => None,
    };
    let seconds: u64 = expires.parse().ok()?;
    let expires = match seconds {
        0 => None,
        seconds => Some(SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?),
    };
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    let is_good = !domain.is_empty() && !name.is_empty() && path.starts_with('/');
    // They go into a field: what could break out of it is refused.
    let is_clean =
        ![name, value].iter().any(|text| text.contains(|c: char| c.is_control() || c == ';'));
    if !is_good || !is_clean || name.contains('=') {
        return None;
    }
    Some(Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain,
        is_host_only: !flag(with_hosts_below)?,
        path: path.to_owned(),
        is_secure: flag(is_secure)?,
        is_http_only,
        expires,
        number: 0,
    })
}

/// Writes a new file that only its owner may read.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    // Removes a file that a crash has left. A symbolic link at this path is removed, not followed.
    let _ = fs::remove_file(path);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    io::Write::write_all(&mut file, content)?;
    file.sync_all()
}
