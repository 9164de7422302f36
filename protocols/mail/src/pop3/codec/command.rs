//! Commands: [`Command`], read from a line and written as one (RFC 1939, 2449, 2595, 5034, 6856).

use std::fmt;

use sinew_auth::Secret;
use sinew_protocols::basic::{Text, Word};

/// A command of a client. Messages are numbered from 1 within a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// CAPA: what the server can do.
    Capa,
    /// STLS: TLS begins.
    Stls,
    /// USER with a name.
    User(Text),
    /// PASS with a password, which may have spaces.
    Pass(Secret),
    /// APOP with a name and a digest in hexadecimal.
    Apop {
        /// The name.
        user: Text,
        /// The digest.
        digest: Word,
    },
    /// AUTH with a mechanism of SASL; alone, it asks for the mechanisms.
    Auth {
        /// The mechanism.
        mechanism: Option<Word>,
        /// The first response, in base64; `=` for an empty one.
        initial: Option<Word>,
    },
    /// UTF8 (RFC 6856).
    Utf8,
    /// STAT: how many messages, of how many bytes.
    Stat,
    /// LIST: the sizes of all messages, or of one.
    List(Option<u32>),
    /// UIDL: the unique ids of all messages, or of one.
    Uidl(Option<u32>),
    /// RETR: a message.
    Retr(u32),
    /// TOP: the header of a message, and so many lines of its body.
    Top {
        /// The message.
        number: u32,
        /// How many lines.
        lines: u64,
    },
    /// DELE: a message is to be deleted at the end.
    Dele(u32),
    /// RSET: no message is to be deleted.
    Rset,
    /// LAST: the highest message that was retrieved (RFC 1460).
    Last,
    /// NOOP.
    Noop,
    /// QUIT: the end, at which messages are deleted.
    Quit,
}

/// Why a line is not a command.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The first word is not known.
    #[error("unknown command")]
    Unknown,
    /// The line has a control character, or a name that is not UTF-8.
    #[error("a byte that is not text")]
    NotText,
    /// The command is written differently.
    #[error("syntax: {syntax}")]
    Syntax {
        /// How it is written.
        syntax: &'static str,
    },
}

sinew_transports::reactor::error_debug!(CommandError);

impl Command {
    /// Reads a command from a line, which is given without its CRLF.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        if line.iter().any(|byte| *byte < b' ' && *byte != b'\t' || *byte == 0x7f) {
            return Err(CommandError::NotText);
        }
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let verb = line[..end].to_ascii_uppercase();
        let argument = line.get(end + 1..);
        if verb == b"PASS" {
            // RFC 1939 7: spaces are a part of the password.
            return match argument {
                Some(password) if !password.is_empty() => Ok(Self::Pass(password.into())),
                _ => Err(CommandError::Syntax { syntax: "PASS password" }),
            };
        }
        let argument = str::from_utf8(argument.unwrap_or_default());
        let argument = argument.map_err(|_| CommandError::NotText)?;
        Self::parse_argument(&verb, argument.trim_end_matches([' ', '\t']))
    }

    fn parse_argument(verb: &[u8], argument: &str) -> Result<Self, CommandError> {
        let alone = |command, syntax| match argument {
            "" => Ok(command),
            _ => Err(CommandError::Syntax { syntax }),
        };
        let one = |syntax| number(argument).ok_or(CommandError::Syntax { syntax });
        let optional = |syntax| match argument {
            "" => Ok(None),
            argument => number(argument).map(Some).ok_or(CommandError::Syntax { syntax }),
        };
        match verb {
            b"CAPA" => alone(Self::Capa, "CAPA"),
            b"STLS" => alone(Self::Stls, "STLS"),
            b"USER" => match Text::try_from(argument) {
                Ok(name) if !name.is_empty() => Ok(Self::User(name)),
                _ => Err(CommandError::Syntax { syntax: "USER name" }),
            },
            b"APOP" => parse_apop(argument),
            b"AUTH" => parse_auth(argument),
            b"UTF8" => alone(Self::Utf8, "UTF8"),
            b"STAT" => alone(Self::Stat, "STAT"),
            b"LIST" => optional("LIST, or LIST message").map(Self::List),
            b"UIDL" => optional("UIDL, or UIDL message").map(Self::Uidl),
            b"RETR" => one("RETR message").map(Self::Retr),
            b"TOP" => parse_top(argument),
            b"DELE" => one("DELE message").map(Self::Dele),
            b"RSET" => alone(Self::Rset, "RSET"),
            b"LAST" => alone(Self::Last, "LAST"),
            b"NOOP" => alone(Self::Noop, "NOOP"),
            b"QUIT" => alone(Self::Quit, "QUIT"),
            _ => Err(CommandError::Unknown),
        }
    }

    /// The line, with its CRLF, as bytes: a password need not be UTF-8.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Pass(password) => {
                out.extend_from_slice(b"PASS ");
                out.extend_from_slice(password.bytes());
            }
            command => out.extend_from_slice(command.to_string().as_bytes()),
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// A number of decimal digits and nothing else.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The number of a message.
fn number(text: &str) -> Option<u32> {
    digits(text).filter(|number| *number > 0)
}

fn parse_apop(argument: &str) -> Result<Command, CommandError> {
    let wrong = CommandError::Syntax { syntax: "APOP name digest" };
    let (user, digest) = argument.rsplit_once(' ').ok_or(wrong)?;
    let is_digest = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let user = Text::try_from(user).ok().filter(|user| is_digest && !user.is_empty());
    let digest = Word::try_from(digest).map_err(|_| wrong)?;
    Ok(Command::Apop { user: user.ok_or(wrong)?, digest })
}

fn parse_auth(argument: &str) -> Result<Command, CommandError> {
    if argument.is_empty() {
        return Ok(Command::Auth { mechanism: None, initial: None });
    }
    let wrong = CommandError::Syntax { syntax: "AUTH mechanism, or AUTH mechanism response" };
    let mut words = argument.split(' ').map(Word::try_from);
    let mechanism = words.next().transpose().map_err(|_| wrong)?;
    let initial = words.next().transpose().map_err(|_| wrong)?;
    match words.next() {
        None => Ok(Command::Auth { mechanism, initial }),
        Some(_) => Err(wrong),
    }
}

fn parse_top(argument: &str) -> Result<Command, CommandError> {
    let wrong = CommandError::Syntax { syntax: "TOP message lines" };
    let (message, lines) = argument.split_once(' ').ok_or(wrong)?;
    match (number(message), digits(lines).filter(|_| !lines.is_empty())) {
        (Some(number), Some(lines)) => Ok(Command::Top { number, lines }),
        _ => Err(wrong),
    }
}

impl fmt::Display for Command {
    /// The line, without its CRLF and without the password of PASS. It is always exactly one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capa => f.write_str("CAPA"),
            Self::Stls => f.write_str("STLS"),
            Self::User(name) => write!(f, "USER {name}"),
            Self::Pass(_) => f.write_str("PASS …"),
            Self::Apop { user, digest } => write!(f, "APOP {user} {digest}"),
            Self::Auth { mechanism: None, .. } => f.write_str("AUTH"),
            Self::Auth { mechanism: Some(mechanism), initial: None } => {
                write!(f, "AUTH {mechanism}")
            }
            Self::Auth { mechanism: Some(mechanism), initial: Some(initial) } => {
                write!(f, "AUTH {mechanism} {initial}")
            }
            Self::Utf8 => f.write_str("UTF8"),
            Self::Stat => f.write_str("STAT"),
            Self::List(None) => f.write_str("LIST"),
            Self::List(Some(number)) => write!(f, "LIST {number}"),
            Self::Uidl(None) => f.write_str("UIDL"),
            Self::Uidl(Some(number)) => write!(f, "UIDL {number}"),
            Self::Retr(number) => write!(f, "RETR {number}"),
            Self::Top { number, lines } => write!(f, "TOP {number} {lines}"),
            Self::Dele(number) => write!(f, "DELE {number}"),
            Self::Rset => f.write_str("RSET"),
            Self::Last => f.write_str("LAST"),
            Self::Noop => f.write_str("NOOP"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a line is read as, written again; or why it is none.
    fn read(line: &[u8]) -> Result<Vec<u8>, CommandError> {
        let command = Command::parse(line)?;
        let mut out = Vec::new();
        command.encode(&mut out);
        Ok(out)
    }

    #[test]
    fn what_is_read_is_written_the_same() {
        let digest = "c4c9334bac560ecc979e58001b3e22fb";
        let apop = format!("APOP two words {digest}");
        for line in [
            "CAPA",
            "STLS",
            "USER ann",
            "USER two words",
            "USER \u{e4}nn",
            "PASS x",
            "PASS  a b ",
            &apop,
            "AUTH",
            "AUTH PLAIN",
            "AUTH PLAIN =",
            "UTF8",
            "STAT",
            "LIST",
            "LIST 1",
            "UIDL",
            "UIDL 4294967295",
            "RETR 1",
            "TOP 1 0",
            "TOP 7 18446744073709551615",
            "DELE 2",
            "RSET",
            "LAST",
            "NOOP",
            "QUIT",
        ] {
            assert_eq!(read(line.as_bytes()), Ok(format!("{line}\r\n").into_bytes()), "{line}");
        }
        for (line, written) in [
            ("quit ", "QUIT\r\n"),
            ("list ", "LIST\r\n"),
            ("Retr 007", "RETR 7\r\n"),
            ("top 1 2 ", "TOP 1 2\r\n"),
        ] {
            assert_eq!(read(line.as_bytes()), Ok(written.into()), "{line}");
        }
        assert_eq!(read(b"PASS \xff\xfe"), Ok(b"PASS \xff\xfe\r\n".to_vec()));
    }

    #[test]
    fn what_is_no_command() {
        use CommandError::{NotText, Unknown};
        for (line, expected) in [
            (&b""[..], Unknown),
            (b" ", Unknown),
            (b"HELO a", Unknown),
            (b"QUIT\0", NotText),
            (b"USER a\rb", NotText),
            (b"USER a\x7f", NotText),
            (b"PASS a\0", NotText),
            (b"USER \xff", NotText),
        ] {
            assert_eq!(read(line), Err(expected), "{}", line.escape_ascii());
        }
        for line in [
            "QUIT now",
            "STAT 1",
            "USER",
            "USER  ",
            "PASS",
            "PASS ",
            "RETR",
            "RETR 0",
            "RETR -1",
            "RETR +1",
            "RETR 4294967296",
            "RETR 1 2",
            "LIST 0",
            "LIST x",
            "UIDL 1 2",
            "TOP",
            "TOP 1",
            "TOP 1 ",
            "TOP 1 x",
            "TOP 0 1",
            "TOP 1 18446744073709551616",
            "DELE",
            "APOP",
            "APOP ann",
            "APOP ann xyz",
            "AUTH PLAIN a b",
            "AUTH PLAIN  a",
        ] {
            assert!(matches!(read(line.as_bytes()), Err(CommandError::Syntax { .. })), "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_line_is_one_line(line in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(written) = read(&line) {
                let text = &written[..written.len() - 2];
                prop_assert!(!text.iter().any(|byte| b"\r\n\0".contains(byte)));
                prop_assert_eq!(read(text), Ok(written.clone()));
            }
        }
    }
}
