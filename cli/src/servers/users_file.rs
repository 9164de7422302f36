//! The names in a file of users: [`names`], and who may read their hashes: [`exposed`]. The hashes are for `sinew::auth::PasswordFile`.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use sinew::reactor::Excerpt;

use crate::run::Context;

/// The longest file, as `PasswordFile` takes it.
const FILE_MAX: u64 = 4 << 20;

/// Reads the names of a file with lines `NAME:HASH`, which blocks. Whether the hashes are any is for those who check passwords.
pub(super) fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!("the file has more than {FILE_MAX} bytes")));
    }
    Ok(parse(&text))
}

/// Warns of a file that others may read, or write, as [`exposed`] says.
pub(super) fn warn(context: &Context, path: &Path) {
    if let Some(text) = exposed(path) {
        context.warn(text);
    }
}

/// A warning if everyone on this machine may read the file of users, and so has hashes to try passwords on, or may write it, and so let
/// anyone in. A group may do both. It is no error, as it is for files with plain secrets: `htpasswd`, and a shell with the usual umask, make
/// such files. Blocks. A file that cannot be looked at is for who reads it.
pub(super) fn exposed(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mode = metadata.permissions().mode();
    let what = match (mode & 0o004 != 0, mode & 0o002 != 0) {
        (_, true) => "everyone on this machine may change it, and let anyone in",
        (true, false) => "everyone on this machine may read the hashes of its passwords",
        (false, false) => return None,
    };
    let path = Excerpt::path(path);
    Some(format!(
        "the file of users {path} has mode {:03o}: {what}; chmod 640 changes that, or chmod 600",
        mode & 0o777
    ))
}

fn parse(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.split_once(':')).map(|(name, _)| name);
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_colon_are_users() {
        let text = "# comment:x\nAnn:x\n\nbob@Example.org:y\nno colon\n";
        assert_eq!(parse(text), ["Ann", "bob@Example.org"]);
    }

    #[test]
    fn files_for_all_are_exposed() {
        let path = std::env::temp_dir().join(format!("sinew-exposed-{}", std::process::id()));
        fs::write(&path, "").unwrap();
        for (mode, expected) in [
            (0o600, None),
            (0o400, None),
            (0o640, None),
            (0o660, None),
            (0o601, None),
            (0o604, Some("may read")),
            (0o644, Some("may read")),
            (0o664, Some("may read")),
            (0o602, Some("may change")),
            (0o666, Some("may change")),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let found = exposed(&path);
            let is_expected = match (expected, &found) {
                (None, found) => found.is_none(),
                (Some(what), found) => found.as_ref().is_some_and(|text| {
                    text.contains(what) && text.contains(&format!(" has mode {mode:o}: "))
                }),
            };
            assert!(is_expected, "{mode:o}: {found:?}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(exposed(&path), None);
        assert_eq!(exposed(Path::new("/dev/null")), None);
    }
}
