//! The name of a file for an account, without an ending: [`file_stem`]. Pure.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The name itself, if it has only lower-case ASCII letters, digits, `-` and `_`, at most 64 of them, and is not that of a device of
/// Windows; otherwise a hash of it.
pub(in super::super) fn file_stem(account: &str) -> String {
    let is_plain = account.len() <= 64
        && account.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
        })
        && !is_device(account);
    match is_plain {
        true => account.to_owned(),
        false => format!("={}", HEXLOWER.encode(&Sha256::digest(account.as_bytes()))),
    }
}

/// Whether Windows has a device of that name, whatever stands behind a dot.
fn is_device(name: &str) -> bool {
    let number = |word| name.strip_prefix(word).is_some_and(|number| number.len() == 1);
    matches!(name, "con" | "prn" | "aux" | "nul") || number("com") || number("lpt")
}
