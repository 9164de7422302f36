//! The names in a file of users: [`names`]. Their hashes are for `sinew::auth::PasswordFile`.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

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
}
