//! The commands: parsing a line.

use sinew::protocols::basic::{ArgumentError, Line, Parse, Parsed, Text, Word};

pub(crate) enum Command<'a> {
    Auth { secret: &'a [u8] },
    Get { key: &'a [u8] },
    Set { key: Word, value: Text },
    List,
    Quit,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("AUTH secret, GET key, SET key value, LIST or QUIT")]
    Unknown,
    #[error(transparent)]
    Argument(#[from] ArgumentError),
}

/// The parser of command lines.
pub(crate) struct Commands;

pub(crate) type CommandLines = Parsed<Line, Commands>;

impl Parse for Commands {
    type Frame<'a> = Command<'a>;
    type Error = CommandError;

    fn parse<'a>(&mut self, line: &'a [u8]) -> Result<Command<'a>, CommandError> {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        Ok(match (&verb[..], words.next(), words.next()) {
            (b"AUTH", Some(secret), None) => Command::Auth { secret },
            (b"GET", Some(key), None) => Command::Get { key },
            (b"SET", Some(key), Some(value)) => {
                Command::Set { key: key.try_into()?, value: value.try_into()? }
            }
            (b"LIST", None, _) => Command::List,
            (b"QUIT", None, _) => Command::Quit,
            _ => return Err(CommandError::Unknown),
        })
    }
}
