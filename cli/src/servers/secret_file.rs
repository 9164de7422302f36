//! Files with a secret in their first line: [`secret`].

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use sinew::{application::StartError, reactor::Excerpt};

/// Longest file.
const SECRET_MAX: u64 = 4_096;

/// The first line of a file. Blocks.
///
/// # Errors
///
/// The file cannot be read, or by others than its owner too; it is too long, or begins with an empty line.
pub(super) fn secret(file: &Path) -> Result<String, StartError> {
    let failed = |why: &str| StartError::other(format!("{}: {why}", Excerpt::path(file)));
    let text = read(file).map_err(|error| failed(&error.to_string()))?;
    if text.len() as u64 > SECRET_MAX {
        return Err(failed(&format!("longer than {SECRET_MAX} bytes")));
    }
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(failed("there is no secret in it")),
    }
}

fn read(file: &Path) -> io::Result<String> {
    let (mut text, file) = (String::new(), fs::File::open(file)?);
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        let why = "others than its owner may use it, and it has a secret; chmod 600 changes that";
        return Err(io::Error::other(why));
    }
    file.take(SECRET_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}
