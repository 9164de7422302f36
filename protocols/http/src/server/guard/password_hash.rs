//! Password hashes of htpasswd files: [`PasswordHash`], bcrypt, SHA-1 (`{SHA}`) and Apache's MD5 (`$apr1$`). Pure.

use md5::{Digest as _, Md5};
use sha1::Sha1;

use super::credentials::is_equal;
use crate::codec::base64_decode;

/// Highest accepted cost of bcrypt: 2^20 rounds take a minute.
const COST_MAX: u32 = 20;

const APR1: &str = "$apr1$";

/// A hash of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PasswordHash {
    Bcrypt(String),
    Sha1(Vec<u8>),
    Apr1 { salt: String, digits: String },
}

impl PasswordHash {
    /// Parses a hash; `None` if its kind is not supported.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix("{SHA}") {
            return base64_decode(digits).filter(|hash| hash.len() == 20).map(Self::Sha1);
        }
        if let Some(rest) = text.strip_prefix(APR1) {
            let (salt, digits) = rest.split_once('$')?;
            let is_good = (1..=8).contains(&salt.len()) && digits.len() == 22;
            return is_good
                .then(|| Self::Apr1 { salt: salt.to_owned(), digits: digits.to_owned() });
        }
        let is_bcrypt = ["$2a$", "$2b$", "$2y$"].iter().any(|kind| text.starts_with(kind));
        let parts: bcrypt::HashParts = text.parse().ok().filter(|_| is_bcrypt)?;
        (parts.get_cost() <= COST_MAX).then(|| Self::Bcrypt(text.to_owned()))
    }

    /// Whether this is the password. Slow on purpose with bcrypt.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        match self {
            // As in htpasswd, only the first 72 bytes of the password count.
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Sha1(hash) => is_equal(hash, &Sha1::digest(password)),
            Self::Apr1 { salt, digits } => {
                is_equal(digits.as_bytes(), apr1(password, salt.as_bytes()).as_bytes())
            }
        }
    }
}

/// Apache's variant of FreeBSD's MD5 crypt: 1,000 rounds, as in `apr_md5.c`.
fn apr1(password: &[u8], salt: &[u8]) -> String {
    let mut mixed = Md5::digest([password, salt, password].concat());
    let mut first = Md5::new();
    first.update([password, APR1.as_bytes(), salt].concat());
    for piece in password.chunks(16) {
        first.update(&mixed[..piece.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &[0][..] } else { &password[..1] });
        bits >>= 1;
    }
    mixed = first.finalize();
    for round in 0..1_000 {
        let is_odd = round % 2 == 1;
        let mut hash = Md5::new();
        hash.update(if is_odd { password } else { &mixed });
        if round % 3 != 0 {
            hash.update(salt);
        }
        if round % 7 != 0 {
            hash.update(password);
        }
        hash.update(if is_odd { &mixed[..] } else { password });
        mixed = hash.finalize();
    }
    let mut digits = String::with_capacity(22);
    for [a, b, c] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        let bits = u32::from(mixed[a]) << 16 | u32::from(mixed[b]) << 8 | u32::from(mixed[c]);
        push_digits(&mut digits, bits, 4);
    }
    push_digits(&mut digits, u32::from(mixed[11]), 2);
    digits
}

/// Encodes six bits a digit, the lowest first.
fn push_digits(out: &mut String, mut bits: u32, count: usize) {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for _ in 0..count {
        out.push(char::from(ALPHABET[(bits & 63) as usize]));
        bits >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_that_others_have_made() {
        let long = "x".repeat(40);
        let cases = [
            ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "password"),
            ("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", ""),
            // `openssl passwd -apr1 -salt …`
            ("$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "myPassword"),
            ("$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie.", ""),
            // The vectors of crypt_blowfish.
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
            ("$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"),
            ("$apr1$abcdefgh$7h4098paklNpzdB9KwCdh/", &long),
        ];
        for (text, password) in cases {
            let hash = PasswordHash::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert!(hash.verify(password.as_bytes()), "{text}");
            for wrong in [format!("{password}x"), format!(" {password}")] {
                assert!(!hash.verify(wrong.as_bytes()), "{text} {wrong}");
            }
        }
    }

    #[test]
    fn what_is_no_hash() {
        for bad in [
            "",
            "secret",
            "{SHA}",
            "{SHA}YQ==",
            "$apr1$",
            "$apr1$abcdefghi$OPEN",
            "$apr1$a$b",
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2y$21$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2y$05$CCCC",
            "$6$salt$hash",
            "rl.3StKT.4T8M",
        ] {
            assert_eq!(PasswordHash::parse(bad), None, "{bad}");
        }
    }
}
