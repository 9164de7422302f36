//! What a server can do: [`Capabilities`], from the lines of its response to CAPA (RFC 2449). Pure.

use std::time::Duration;

use sinew_protocols::basic::Word;

/// Most mechanisms of SASL that are kept.
const MECHANISMS_MAX: usize = 64;

/// The capabilities that a server has announced. Those of a server without CAPA are none.
///
/// # Examples
///
/// ```
/// use sinew_mail::pop3::codec::Capabilities;
///
/// let mut capabilities = Capabilities::default();
/// capabilities.add(b"SASL PLAIN SCRAM-SHA-256");
/// capabilities.add(b"UIDL");
/// assert!(capabilities.has_uidl() && !capabilities.has_stls());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    has_top: bool,
    has_user: bool,
    has_uidl: bool,
    has_stls: bool,
    has_pipelining: bool,
    has_resp_codes: bool,
    has_auth_resp_code: bool,
    has_utf8: bool,
    sasl: Vec<Word>,
    login_delay: Option<Duration>,
    expire: Option<Expire>,
}

/// How long a server keeps messages (RFC 2449 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expire {
    /// For ever.
    Never,
    /// So many days; with 0, messages go when they are retrieved.
    Days(u32),
}

impl Capabilities {
    /// Takes a line of the response. What is not known is ignored.
    pub fn add(&mut self, line: &[u8]) {
        let mut words =
            line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let Some(keyword) = words.next() else { return };
        match keyword.to_ascii_uppercase().as_slice() {
            b"TOP" => self.has_top = true,
            b"USER" => self.has_user = true,
            b"UIDL" => self.has_uidl = true,
            b"STLS" => self.has_stls = true,
            b"PIPELINING" => self.has_pipelining = true,
            b"RESP-CODES" => self.has_resp_codes = true,
            b"AUTH-RESP-CODE" => self.has_auth_resp_code = true,
            b"UTF8" => self.has_utf8 = true,
            b"SASL" => {
                let names = words.filter_map(|word| Word::try_from(word).ok());
                self.sasl = names.take(MECHANISMS_MAX).collect();
            }
            b"LOGIN-DELAY" => {
                let seconds = number(words.next());
                self.login_delay = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            }
            b"EXPIRE" => {
                let value = words.next();
                let is_never = value.is_some_and(|value| value.eq_ignore_ascii_case(b"NEVER"));
                self.expire =
                    if is_never { Some(Expire::Never) } else { number(value).map(Expire::Days) };
            }
            _ => {}
        }
    }

    /// TOP: the header of a message can be asked for.
    #[must_use]
    pub fn has_top(&self) -> bool {
        self.has_top
    }

    /// USER: one can log in by USER and PASS.
    #[must_use]
    pub fn has_user(&self) -> bool {
        self.has_user
    }

    /// UIDL: messages have ids that last.
    #[must_use]
    pub fn has_uidl(&self) -> bool {
        self.has_uidl
    }

    /// STLS.
    #[must_use]
    pub fn has_stls(&self) -> bool {
        self.has_stls
    }

    /// PIPELINING: commands may be sent without waiting for responses.
    #[must_use]
    pub fn has_pipelining(&self) -> bool {
        self.has_pipelining
    }

    /// RESP-CODES: what is in brackets at the front of a refusal is a response code.
    #[must_use]
    pub fn has_resp_codes(&self) -> bool {
        self.has_resp_codes
    }

    /// AUTH-RESP-CODE: a refused login says by its code whether the credentials are to blame (RFC 3206).
    #[must_use]
    pub fn has_auth_resp_code(&self) -> bool {
        self.has_auth_resp_code
    }

    /// UTF8 (RFC 6856).
    #[must_use]
    pub fn has_utf8(&self) -> bool {
        self.has_utf8
    }

    /// The mechanisms of AUTH, in the order of the server.
    #[must_use]
    pub fn sasl(&self) -> &[Word] {
        &self.sasl
    }

    /// LOGIN-DELAY: the least time between two logins.
    #[must_use]
    pub fn login_delay(&self) -> Option<Duration> {
        self.login_delay
    }

    /// EXPIRE: how long messages are kept.
    #[must_use]
    pub fn expire(&self) -> Option<Expire> {
        self.expire
    }
}

fn number(word: Option<&[u8]>) -> Option<u32> {
    let text = str::from_utf8(word?).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_whatever_their_case() {
        let mut found = Capabilities::default();
        for line in [
            "TOP",
            "user",
            "Uidl",
            "STLS",
            "PIPELINING",
            "RESP-CODES",
            "AUTH-RESP-CODE",
            "UTF8 USER",
            "SASL PLAIN  LOGIN ",
            "LOGIN-DELAY 900 USER",
            "EXPIRE 31 USER",
            "IMPLEMENTATION x",
            "",
            " ",
        ] {
            found.add(line.as_bytes());
        }
        assert!(found.has_top() && found.has_user() && found.has_uidl() && found.has_stls());
        assert!(found.has_pipelining() && found.has_resp_codes() && found.has_auth_resp_code());
        assert!(found.has_utf8());
        assert_eq!(found.sasl(), [Word::from_static("PLAIN"), Word::from_static("LOGIN")]);
        assert_eq!(found.login_delay(), Some(Duration::from_secs(900)));
        assert_eq!(found.expire(), Some(Expire::Days(31)));
        found.add(b"EXPIRE NEVER");
        assert_eq!(found.expire(), Some(Expire::Never));
        for line in ["LOGIN-DELAY x", "EXPIRE -1", "LOGIN-DELAY"] {
            found.add(line.as_bytes());
        }
        assert_eq!((found.login_delay(), found.expire()), (None, None));
    }
}
