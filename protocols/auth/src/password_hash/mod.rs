//! Hashes of passwords in files: [`PasswordHash`]. Pure. Kinds are told apart by what they begin with.

mod apr1;

use argon2::{Argon2, PasswordVerifier, password_hash::phc};
use sha_crypt::{PasswordHashRef, ShaCrypt};
use sha1::{Digest as _, Sha1};

use self::apr1::apr1;
use crate::{ScramHash, ScramKeys, codec::encoding::base64, secret::is_equal};

/// Highest accepted cost of bcrypt: 2^20 rounds take a minute.
const BCRYPT_COST_MAX: u32 = 20;

/// Most memory of argon2, in KiB; and in all passes over it, which take some seconds.
const ARGON2_MEMORY_MAX: u32 = 1 << 20;
const ARGON2_WORK_MAX: u64 = 4 << 20;

/// Most rounds of SHA-crypt: a second or so. Its default is 5,000.
const SHA_CRYPT_ROUNDS_MAX: u32 = 1_000_000;

/// A hash of a password.
#[derive(Clone, Debug)]
pub(crate) enum PasswordHash {
    Argon2(Box<phc::PasswordHash>),
    Bcrypt(String),
    Sha1(Vec<u8>),
    ShaCrypt(String),
    Apr1 { salt: String, digits: String },
    Scram(ScramKeys),
}

impl PasswordHash {
    /// Parses a hash; `None` if its kind is not supported, or it would take too long.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix("{SHA}") {
            let hash = base64(digits.as_bytes())?;
            return (hash.len() == 20).then_some(Self::Sha1(hash));
        }
        if text.starts_with("SCRAM-") {
            return text.parse().ok().map(Self::Scram);
        }
        let kind = text.strip_prefix('$')?.split_once('$')?.0;
        match kind {
            "apr1" => {
                let (salt, digits) = text.strip_prefix("$apr1$")?.split_once('$')?;
                let is_good = (1..=8).contains(&salt.len()) && digits.len() == 22;
                is_good.then(|| Self::Apr1 { salt: salt.to_owned(), digits: digits.to_owned() })
            }
            "2a" | "2b" | "2y" => {
                let parts: bcrypt::HashParts = text.parse().ok()?;
                (parts.get_cost() <= BCRYPT_COST_MAX).then(|| Self::Bcrypt(text.to_owned()))
            }
            "5" => is_sha_crypt(&text[3..], 43).then(|| Self::ShaCrypt(text.to_owned())),
            "6" => is_sha_crypt(&text[3..], 86).then(|| Self::ShaCrypt(text.to_owned())),
            "argon2d" | "argon2i" | "argon2id" => {
                let hash = phc::PasswordHash::new(text).ok()?;
                let cost = argon2::Params::try_from(&hash).ok()?;
                let is_good = hash.salt.is_some()
                    && hash.hash.is_some()
                    && cost.m_cost() <= ARGON2_MEMORY_MAX
                    && u64::from(cost.m_cost()) * u64::from(cost.t_cost()) <= ARGON2_WORK_MAX;
                is_good.then(|| Self::Argon2(Box::new(hash)))
            }
            _ => None,
        }
    }

    /// Whether this is the password. Slow on purpose for most kinds.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2(hash) => Argon2::default().verify_password(password, &**hash).is_ok(),
            // As in htpasswd, only the first 72 bytes of the password count.
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Sha1(hash) => is_equal(hash, &Sha1::digest(password)),
            Self::ShaCrypt(hash) => PasswordHashRef::new(hash)
                .is_ok_and(|hash| ShaCrypt::SHA512.verify_password(password, hash).is_ok()),
            Self::Apr1 { salt, digits } => {
                is_equal(digits.as_bytes(), apr1(password, salt.as_bytes()).as_bytes())
            }
            Self::Scram(keys) => keys.is_password(password),
        }
    }

    /// The keys of SCRAM with this hash, if it is of that kind.
    pub(crate) fn scram_keys(&self, hash: ScramHash) -> Option<&ScramKeys> {
        match self {
            Self::Scram(keys) if keys.hash == hash => Some(keys),
            _ => None,
        }
    }
}

/// Whether it is `[rounds=N$]salt$digits`.
fn is_sha_crypt(text: &str, digits_len: usize) -> bool {
    let mut parts = text.rsplit('$');
    let (Some(digits), Some(salt), rounds, None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/');
    let rounds = rounds.map_or(Some(5_000), |rounds| rounds.strip_prefix("rounds=")?.parse().ok());
    digits.len() == digits_len
        && (1..=16).contains(&salt.len())
        && digits.bytes().chain(salt.bytes()).all(is_digit)
        && rounds.is_some_and(|rounds| (1_000..=SHA_CRYPT_ROUNDS_MAX).contains(&rounds))
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
            // `openssl passwd -6` and `-5`, and crypt(3) of glibc.
            (
                "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.",
                "secret",
            ),
            ("$5$rounds=1000$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8", "secret"),
            // The first vectors of SHA-crypt's specification.
            ("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"),
            // RFC 9106's reference program, and PostgreSQL's verifier of the password of RFC 7677.
            (
                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                "password",
            ),
            (
                "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
                "pencil",
            ),
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
            "$5$rounds=999999999$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8",
            "$5$rounds=x$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8",
            "$5$$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8",
            "$6$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=4294967295,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            "$argon2x$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==",
            "rl.3StKT.4T8M",
        ] {
            assert!(PasswordHash::parse(bad).is_none(), "{bad}");
        }
    }
}
