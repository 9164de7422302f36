//! A zone in a file: [`save`] replaces it as a whole, [`load`] reads it with the time when a server has confirmed it last. Blocking: called
//! in the pool. Knows no server.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::{
    codec::Name,
    zone::{Zone, ZoneConfig, ZoneError},
};

/// A zone could not be stored or read.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("could not {what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file holds no zone.
    #[error("{} is no stored zone: {source}", path.display())]
    Zone {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ZoneError,
    },
}

sinew_transports::reactor::error_debug!(StoreError);

/// How the first line begins. The time is the time of the file's last confirmation.
const CONFIRMED: &str = "; confirmed ";

/// The file of a zone: its labels in lower case, with everything but letters, digits, hyphen and underscore as `%XX`.
pub(super) fn file_of(folder: &Path, origin: &Name) -> PathBuf {
    let mut file = String::new();
    for label in origin {
        for byte in label.to_ascii_lowercase() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => file.push(char::from(byte)),
                _ => file += &format!("%{byte:02X}"),
            }
        }
        file.push('.');
    }
    // Of the root.
    if file.is_empty() {
        file.push_str("%2E");
    }
    folder.join(file + "zone")
}

/// Reads a zone, and when it was confirmed, in seconds since 1970. `None` if there is no file.
pub(super) fn load(path: &Path, origin: &Name) -> Result<Option<(Zone, u64)>, StoreError> {
    let failed = |source| StoreError::File { what: "read", path: path.to_owned(), source };
    let mut text = String::new();
    match File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let line = text.lines().next().and_then(|line| line.strip_prefix(CONFIRMED));
    // Without the time, it may have expired.
    let confirmed = line.and_then(|time| time.trim().parse().ok()).unwrap_or(0);
    let config = ZoneConfig::default();
    match Zone::parse_with(text, origin, &config) {
        Ok(zone) => Ok(Some((zone, confirmed))),
        Err(source) => Err(StoreError::Zone { path: path.to_owned(), source }),
    }
}

/// Writes a zone beside its file, and renames that when it is on the disk.
pub(super) fn save(path: &Path, zone: &Zone, confirmed: u64) -> Result<(), StoreError> {
    let failed = |what| move |source| StoreError::File { what, path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
    let beside = path.with_extension("new");
    let write = || {
        let mut file = File::create(&beside)?;
        write!(file, "{CONFIRMED}{confirmed}\n{zone}")?;
        file.sync_all()
    };
    write().map_err(failed("write"))?;
    fs::rename(&beside, path).map_err(failed("replace"))?;
    // The rename itself is on the disk after this. Some systems do not sync folders.
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("replace"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_odd_names() {
        let cases: [(&[&[u8]], &str); 5] = [
            (&[b"Example", b"ORG"], "example.org.zone"),
            (&[], "%2Ezone"),
            (&[b"a/b", b"c"], "a%2Fb.c.zone"),
            (&[b"..", b"a"], "%2E%2E.a.zone"),
            (&[b"%2E"], "%252e.zone"),
        ];
        for (labels, file) in cases {
            let mut name = Name::from_labels(labels.iter().copied()).expect("a name");
            name.set_fqdn(true);
            let path = file_of(Path::new("/x"), &name);
            assert_eq!(path.parent(), Some(Path::new("/x")), "{name}");
            let text = path.file_name().and_then(|it| it.to_str());
            assert_eq!(text, Some(file));
        }
    }

    #[test]
    fn a_zone_survives() {
        let folder = std::env::temp_dir().join(format!("sinew-dns-store-{}", std::process::id()));
        let origin: Name = "example.".parse().expect("a name");
        let path = file_of(&folder, &origin);
        assert!(matches!(load(&path, &origin), Ok(None)));
        let zone =
            Zone::parse("@ 60 SOA ns root 7 1 1 1 1\na 60 TXT \"x;y\"\n", &origin).expect("a zone");
        save(&path, &zone, 1234).expect("saved");
        save(&path, &zone, 1235).expect("saved over the first");
        let (again, confirmed) = load(&path, &origin).expect("read").expect("there");
        assert_eq!((again.to_string(), confirmed), (zone.to_string(), 1235));
        fs::write(&path, "; confirmed 1\nnot a zone").expect("written");
        assert!(matches!(load(&path, &origin), Err(StoreError::Zone { .. })));
        let _ = fs::remove_dir_all(&folder);
    }
}
