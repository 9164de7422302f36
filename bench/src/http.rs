//! What servers of HTTP are asked for, and what they have to answer: shared by them and the load generator.

use std::fs;
use std::io;
use std::path::PathBuf;

/// The path of a short text.
pub const TEXT_PATH: &str = "/plain";

/// That text.
pub const TEXT: &str = "hello, world\n";

/// Its type.
pub const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// The path of a file, which is served from the folder of [`file`].
pub const FILE_PATH: &str = "/file.bin";

/// The length of the file.
pub const FILE_LEN: usize = 1 << 20;

/// The content of the file. Its period is a prime, so that a part that is missing or comes twice is noticed.
#[must_use]
pub fn file_content() -> Vec<u8> {
    (0..FILE_LEN).map(|at| (at % 251) as u8).collect()
}

/// The file, made if it is not there. It stays for the next server.
///
/// # Errors
/// If the folder for temporary files cannot be written to.
pub fn file() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join("sinew-bench-http");
    let path = folder.join(FILE_PATH.trim_start_matches('/'));
    if fs::metadata(&path).is_ok_and(|file| file.len() == FILE_LEN as u64) {
        return Ok(path);
    }
    fs::create_dir_all(&folder)?;
    // Another server may do the same at the same moment.
    let part = folder.join(format!("part-{}", std::process::id()));
    fs::write(&part, file_content())?;
    fs::rename(&part, &path)?;
    Ok(path)
}

/// A request for a path, as short as clients send it.
#[must_use]
pub fn request(path: &str, host: impl std::fmt::Display) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
}
