//! The file with the keys of TSIG: a line ALGORITHM:NAME:SECRET for each, the form that `dig -y` and `nsupdate -y` take.

use std::{fmt, fs, os::unix::fs::PermissionsExt, path::Path};

use sinew::{
    application::StartError,
    dns::codec::{
        Name,
        tsig::{TsigAlgorithm, TsigKey},
    },
    reactor::Excerpt,
};

/// The longest file.
const FILE_MAX: u64 = 1 << 20;

const ALGORITHMS: [TsigAlgorithm; 4] = [
    TsigAlgorithm::HmacSha1,
    TsigAlgorithm::HmacSha256,
    TsigAlgorithm::HmacSha384,
    TsigAlgorithm::HmacSha512,
];

/// Reads the keys. Empty lines and those that begin with # are skipped.
pub(super) fn read(path: &Path) -> Result<Vec<TsigKey>, String> {
    let failed =
        |why: &dyn fmt::Display| format!("cannot use the keys of {}: {why}", Excerpt::path(path));
    let metadata = fs::metadata(path).map_err(|error| failed(&error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(failed(
            &"others than its owner may use it, and it has secrets; chmod 600 changes that",
        ));
    }
    if metadata.len() > FILE_MAX {
        return Err(failed(&format_args!("the file has more than {FILE_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            key(line).map_err(|why| failed(&format_args!("line {}: {why}", number + 1)))
        })
        .collect()
}

/// The secret is in no message.
fn key(line: &str) -> Result<TsigKey, String> {
    let mut fields = line.trim().splitn(3, ':');
    let (Some(algorithm), Some(name), Some(secret)) = (fields.next(), fields.next(), fields.next())
    else {
        return Err("ALGORITHM:NAME:SECRET is expected".to_owned());
    };
    let known = ALGORITHMS.into_iter().find(|known| known.name().eq_ignore_ascii_case(algorithm));
    let algorithm = known.ok_or_else(|| {
        let names = ALGORITHMS.map(TsigAlgorithm::name).join(", ");
        format!("unknown algorithm; there are {names}")
    })?;
    TsigKey::from_base64(name, algorithm, secret).map_err(|error| error.to_string())
}

/// The key of this name.
pub(super) fn named<'a>(keys: &'a [TsigKey], name: &str) -> Result<&'a TsigKey, StartError> {
    let mut wanted = Name::from_ascii(name).unwrap_or_default();
    wanted.set_fqdn(true);
    let found = keys.iter().find(|key| *key.name() == wanted);
    found.ok_or_else(|| StartError::other(format!("there is no key {:?}", Excerpt::new(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let read = key("HMAC-SHA256:Key.example:c2VjcmV0").unwrap();
        assert!(named(std::slice::from_ref(&read), "key.example.").is_ok());
        assert!(named(&[read], "other").is_err());
        for line in
            ["", "hmac-sha256", "hmac-md5:a:c2VjcmV0", "hmac-sha256:a", "hmac-sha256:a:not-base64"]
        {
            let why = key(line).unwrap_err();
            assert!(!why.contains("not-base64"), "{why}");
        }
    }
}
