//! How passwords were sent: "roasted", which hides them from nobody, and as an MD5 of a key of the server. Pure.

use md5::{Digest, Md5};

/// What OSCAR combines a password with, byte by byte.
const OSCAR_KEY: [u8; 16] = [
    0xf3, 0x26, 0x81, 0xc4, 0x39, 0x86, 0xdb, 0x92, 0x71, 0xa3, 0xb9, 0xe6, 0x53, 0x7a, 0x95, 0x7c,
];

const TOC_KEY: &[u8] = b"Tic/Toc";

/// A part of the digest of a login.
const AIM: &[u8] = b"AOL Instant Messenger (SM)";

/// Roasts a password as OSCAR does, or restores it: the same operation.
pub(super) fn roast(password: &[u8]) -> Vec<u8> {
    password.iter().zip(OSCAR_KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
}

/// Roasts a password as TOC does: `0x`, and two digits for each byte.
pub(super) fn roast_toc(password: &[u8]) -> String {
    let roasted = password.iter().zip(TOC_KEY.iter().cycle()).map(|(byte, key)| byte ^ key);
    let roasted: Vec<u8> = roasted.collect();
    format!("0x{}", data_encoding::HEXLOWER.encode(&roasted))
}

/// The password that [`roast_toc`] has made this of.
pub(super) fn restore_toc(roasted: &[u8]) -> Option<Vec<u8>> {
    let digits = roasted.strip_prefix(b"0x")?.to_ascii_lowercase();
    let bytes = data_encoding::HEXLOWER.decode(&digits).ok()?;
    Some(bytes.iter().zip(TOC_KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect())
}

/// What a client shows that knows the password: with or without a digest of the password inside, as newer and older clients do.
pub(super) fn digest(key: &[u8], password: &[u8], password_is_digested: bool) -> [u8; 16] {
    let mut md5 = Md5::new();
    md5.update(key);
    match password_is_digested {
        true => md5.update(Md5::digest(password)),
        false => md5.update(password),
    }
    md5.update(AIM);
    md5.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roasted_passwords_are_restored() {
        // The example of the description of TOC.
        assert_eq!(roast_toc(b"password"), "0x2408105c23001130");
        assert_eq!(restore_toc(b"0x2408105C23001130").unwrap(), b"password");
        for bad in [&b"2408"[..], b"0x240", b"0xzz", b""] {
            assert_eq!(restore_toc(bad), None);
        }
        assert_eq!(
            roast(&roast(b"a password of more than 16 bytes")),
            b"a password of more than 16 bytes"
        );
    }
}
