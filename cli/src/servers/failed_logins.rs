//! How many failed logins an address and a user may have: [`FailedLogins`], the key `failed_logins` of every server with logins.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};
use sinew::{auth::FailureLimiter, reactor::Excerpt};

use crate::quantity::Interval;

/// `20/100/15m`: of an address, of a user, and within which time. `none` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailedLogins {
    address: usize,
    user: usize,
    window: Interval,
}

impl FailedLogins {
    /// The bound for the passwords of a server.
    pub(super) fn limiter(self) -> FailureLimiter {
        FailureLimiter::default().failures_max(self.address, self.user).window(self.window.0)
    }
}

/// What [`FailureLimiter::default`] has.
impl Default for FailedLogins {
    fn default() -> Self {
        Self { address: 20, user: 100, window: Interval::seconds(15 * 60) }
    }
}

/// Text that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{:?} is not ADDRESS/USER/TIME; write the failures of an address, those of a user (or none for no limit) and a duration, as in 20/100/15m",
    Excerpt::new(.0)
)]
pub(crate) struct FailedLoginsError(String);

impl FromStr for FailedLogins {
    type Err = FailedLoginsError;

    fn from_str(text: &str) -> Result<Self, FailedLoginsError> {
        let parse = || {
            let mut parts = text.split('/');
            let read = Self {
                address: failures(parts.next()?)?,
                user: failures(parts.next()?)?,
                window: parts.next()?.parse().ok()?,
            };
            (parts.next().is_none() && !read.window.0.is_zero()).then_some(read)
        };
        parse().ok_or_else(|| FailedLoginsError(text.to_owned()))
    }
}

/// A number from 1 on: with none, nobody could log in.
fn failures(text: &str) -> Option<usize> {
    match text {
        "none" => Some(usize::MAX),
        _ => text.parse().ok().filter(|failures| *failures > 0),
    }
}

impl fmt::Display for FailedLogins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failures in [self.address, self.user] {
            match failures {
                usize::MAX => f.write_str("none/")?,
                failures => write!(f, "{failures}/")?,
            }
        }
        write!(f, "{}", self.window)
    }
}

impl<'de> Deserialize<'de> for FailedLogins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["20/100/15m", "5/none/1h", "none/none/1s"] {
            let read: FailedLogins = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(FailedLogins::default(), "20/100/15m".parse().unwrap());
    }

    #[test]
    fn each_server_with_logins_has_the_key() {
        use crate::servers::{Irc, Mail, News, Xmpp};
        let line = "failed_logins = '5/none/1h'";
        let expected: FailedLogins = "5/none/1h".parse().unwrap();
        assert_eq!(toml::from_str::<Mail>(line).unwrap().failed_logins, expected);
        assert_eq!(toml::from_str::<Irc>(line).unwrap().failed_logins, expected);
        assert_eq!(toml::from_str::<Xmpp>(line).unwrap().failed_logins, expected);
        assert_eq!(toml::from_str::<News>(line).unwrap().failed_logins, expected);
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "20",
            "20/100",
            "20/100/15m/1",
            "0/100/15m",
            "20/0/15m",
            "20/-1/15m",
            "20/100/0",
            "a/b/c",
        ] {
            assert!(text.parse::<FailedLogins>().is_err(), "{text}");
        }
    }
}
