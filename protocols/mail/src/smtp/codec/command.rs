//! Commands: [`Command`], read from a line and written as one (RFC 5321 4.1).

use std::fmt;

use sinew_protocols::basic::{Text, Word};

use super::{Address, Recipient, Reply, Sender};

/// A command of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// HELO with the name of the client.
    Helo(Word),
    /// EHLO with the name of the client.
    Ehlo(Word),
    /// LHLO of LMTP with the name of the client.
    Lhlo(Word),
    /// MAIL: the sender of a new message.
    Mail(Sender),
    /// RCPT: a recipient.
    Rcpt(Recipient),
    /// DATA: the message follows, up to a line with a dot.
    Data,
    /// BDAT: so many bytes of the message follow (RFC 3030).
    Bdat {
        /// How many.
        len: u64,
        /// They are the last.
        is_last: bool,
    },
    /// RSET: the message is given up.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// HELP.
    Help,
    /// VRFY: is this a mailbox?
    Vrfy(Text),
    /// EXPN: who is on this list?
    Expn(Text),
    /// STARTTLS (RFC 3207).
    StartTls,
    /// AUTH (RFC 4954).
    Auth {
        /// The mechanism of SASL.
        mechanism: Word,
        /// The first response, in base64; `=` for an empty one.
        initial: Option<Word>,
    },
}

/// Why a line is not a command.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The first word is not known.
    #[error("unknown command")]
    Unknown,
    /// The line has a control character, or is not UTF-8.
    #[error("a byte that is not text")]
    NotText,
    /// The command is written differently.
    #[error("syntax: {syntax}")]
    Syntax {
        /// How it is written.
        syntax: &'static str,
    },
    /// The address of MAIL is none.
    #[error("the sender is no mail address: {why}")]
    Sender {
        /// What is wrong.
        why: &'static str,
    },
    /// The address of RCPT is none.
    #[error("the recipient is no mail address: {why}")]
    Recipient {
        /// What is wrong.
        why: &'static str,
    },
    /// A parameter has no valid value, or is there twice.
    #[error("invalid parameter {name}")]
    Parameter {
        /// Its name.
        name: &'static str,
    },
    /// A parameter is not known.
    #[error("unknown parameter")]
    UnknownParameter,
}

sinew_transports::reactor::error_debug!(CommandError);

impl Command {
    /// Reads a command from a line, which is given without its CRLF.
    ///
    /// # Errors
    ///
    /// [`CommandError`], for which there is a [reply](CommandError::reply).
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let line = str::from_utf8(line).map_err(|_| CommandError::NotText)?;
        if line.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
            return Err(CommandError::NotText);
        }
        // RFC 5321 4.1.1: spaces at the end are tolerated.
        let line = line.trim_end_matches([' ', '\t']);
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.to_ascii_uppercase();
        let word = |syntax| Word::try_from(rest).map_err(|_| CommandError::Syntax { syntax });
        let text = |syntax| match Text::try_from(rest) {
            Ok(text) if !rest.is_empty() => Ok(text),
            _ => Err(CommandError::Syntax { syntax }),
        };
        let alone = |command, syntax| match rest {
            "" => Ok(command),
            _ => Err(CommandError::Syntax { syntax }),
        };
        match verb.as_str() {
            "HELO" => word("HELO name").map(Self::Helo),
            "EHLO" => word("EHLO name").map(Self::Ehlo),
            "LHLO" => word("LHLO name").map(Self::Lhlo),
            "MAIL" => parse_mail(rest),
            "RCPT" => parse_rcpt(rest),
            "DATA" => alone(Self::Data, "DATA"),
            "BDAT" => parse_bdat(rest),
            "RSET" => alone(Self::Rset, "RSET"),
            "QUIT" => alone(Self::Quit, "QUIT"),
            "STARTTLS" => alone(Self::StartTls, "STARTTLS"),
            "AUTH" => parse_auth(rest),
            "NOOP" => Ok(Self::Noop),
            "HELP" => Ok(Self::Help),
            "VRFY" => text("VRFY text").map(Self::Vrfy),
            "EXPN" => text("EXPN text").map(Self::Expn),
            _ => Err(CommandError::Unknown),
        }
    }
}

fn parse_mail(rest: &str) -> Result<Command, CommandError> {
    const SYNTAX: &str = "MAIL FROM:<address> parameters";
    let (path, parameters) = path(rest, "FROM:", SYNTAX)?;
    let address = match path {
        "" => None,
        path => {
            let address = path.parse::<Address>().map_err(|error| error.why);
            let address = address.and_then(|address| match address.domain() {
                "" => Err("the domain is missing"),
                _ => Ok(address),
            });
            Some(address.map_err(|why| CommandError::Sender { why })?)
        }
    };
    let mut sender = Sender::new(address);
    each_parameter(parameters, |name, value| sender.set(name, value))?;
    Ok(Command::Mail(sender))
}

fn parse_rcpt(rest: &str) -> Result<Command, CommandError> {
    let (path, parameters) = path(rest, "TO:", "RCPT TO:<address> parameters")?;
    let address = path.parse::<Address>();
    let address = address.map_err(|error| CommandError::Recipient { why: error.why })?;
    let mut recipient = Recipient::new(address);
    each_parameter(parameters, |name, value| recipient.set(name, value))?;
    Ok(Command::Rcpt(recipient))
}

/// What is in the angle brackets, without a source route, and what follows them.
fn path<'a>(
    rest: &'a str,
    keyword: &str,
    syntax: &'static str,
) -> Result<(&'a str, &'a str), CommandError> {
    let wrong = CommandError::Syntax { syntax };
    let (start, rest) = rest.split_at_checked(keyword.len()).ok_or(wrong)?;
    // Clients are known that put a space there.
    let rest = rest.trim_start_matches(' ').strip_prefix('<');
    let rest = rest.filter(|_| start.eq_ignore_ascii_case(keyword)).ok_or(wrong)?;
    let (path, parameters) = rest.split_at(path_len(rest).ok_or(wrong)?);
    let parameters = &parameters[1..];
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return Err(wrong);
    }
    // RFC 5321 4.1.1.3 and appendix C: a source route is accepted, and ignored.
    let path = match path.strip_prefix('@') {
        Some(route) => route.split_once(':').ok_or(wrong)?.1,
        None => path,
    };
    Ok((path, parameters))
}

/// Bytes up to the closing angle bracket, which may not be in quotes.
fn path_len(rest: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    rest.bytes().position(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'>' if !is_quoted => return true,
            _ => {}
        }
        false
    })
}

fn each_parameter(
    parameters: &str,
    mut set: impl FnMut(&str, Option<&str>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    for parameter in parameters.split(' ').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some((name, value)) => set(name, Some(value))?,
            None => set(parameter, None)?,
        }
    }
    Ok(())
}

fn parse_bdat(rest: &str) -> Result<Command, CommandError> {
    let wrong = CommandError::Syntax { syntax: "BDAT length, or BDAT length LAST" };
    let (len, last) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_number = !len.is_empty() && len.bytes().all(|byte| byte.is_ascii_digit());
    let len = len.parse().ok().filter(|_| is_number).ok_or(wrong)?;
    match last {
        "" => Ok(Command::Bdat { len, is_last: false }),
        last if last.eq_ignore_ascii_case("LAST") => Ok(Command::Bdat { len, is_last: true }),
        _ => Err(wrong),
    }
}

fn parse_auth(rest: &str) -> Result<Command, CommandError> {
    let wrong = CommandError::Syntax { syntax: "AUTH mechanism, or AUTH mechanism response" };
    let mut words = rest.split(' ').map(Word::try_from);
    let mechanism = words.next().and_then(Result::ok).ok_or(wrong)?;
    let initial = words.next().transpose().map_err(|_| wrong)?;
    if words.next().is_some() {
        return Err(wrong);
    }
    Ok(Command::Auth { mechanism, initial })
}

impl CommandError {
    /// What a server replies.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::Unknown => Reply::fixed(500, "5.5.1 Unknown command"),
            Self::NotText => Reply::fixed(500, "5.5.2 The line has a byte that is not text"),
            Self::Syntax { syntax } => Reply::of_checked(501, format!("5.5.4 Syntax: {syntax}")),
            Self::Sender { why } => Reply::of_checked(501, format!("5.1.7 No mail address: {why}")),
            Self::Recipient { why } => {
                Reply::of_checked(501, format!("5.1.3 No mail address: {why}"))
            }
            Self::Parameter { name } => {
                Reply::of_checked(501, format!("5.5.4 Invalid parameter {name}"))
            }
            Self::UnknownParameter => Reply::fixed(555, "5.5.4 Unknown parameter"),
        }
    }
}

impl fmt::Display for Command {
    /// The line, without its CRLF. It is always exactly one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Helo(name) => write!(f, "HELO {name}"),
            Self::Ehlo(name) => write!(f, "EHLO {name}"),
            Self::Lhlo(name) => write!(f, "LHLO {name}"),
            Self::Mail(sender) => write!(f, "MAIL FROM:{sender}"),
            Self::Rcpt(recipient) => write!(f, "RCPT TO:{recipient}"),
            Self::Data => f.write_str("DATA"),
            Self::Bdat { len, is_last: false } => write!(f, "BDAT {len}"),
            Self::Bdat { len, is_last: true } => write!(f, "BDAT {len} LAST"),
            Self::Rset => f.write_str("RSET"),
            Self::Noop => f.write_str("NOOP"),
            Self::Quit => f.write_str("QUIT"),
            Self::Help => f.write_str("HELP"),
            Self::Vrfy(text) => write!(f, "VRFY {text}"),
            Self::Expn(text) => write!(f, "EXPN {text}"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Auth { mechanism, initial: None } => write!(f, "AUTH {mechanism}"),
            Self::Auth { mechanism, initial: Some(initial) } => {
                write!(f, "AUTH {mechanism} {initial}")
            }
        }
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
