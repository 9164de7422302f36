//! The SMTP state machine, without a socket: [`Session`] consumes bytes and returns answers. smtp-proto parses
//! commands; the boundaries of commands and messages are determined here, strictly, since servers that disagree about
//! them allow SMTP smuggling.

use std::{borrow::Cow, fmt, mem};

use sinew::protocols::basic::{
    Decoded, Decoder, DotStuffed, FrameError, Frames, Line, Parse, Parsed, Unstuffed,
};
use smtp_proto::{Error, MailFrom, Request};

/// RFC 5321 4.5.3.1.8: at least a hundred.
const RECIPIENTS_MAX: usize = 100;

/// A client with this many errors does not speak SMTP.
const MISTAKES_MAX: usize = 10;

/// RFC 5321 4.5.3.1.4 allows 512, and extensions add to it.
const COMMAND_MAX: usize = 2048;

/// A message with its envelope.
#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: Vec<u8>,
}

/// The result of consuming some bytes.
pub(crate) enum Heard {
    /// More input is needed.
    Nothing,
    Say(Cow<'static, str>),
    Mail(Mail),
    /// The last answer; close after it.
    Bye(Cow<'static, str>),
}

/// Parses commands. smtp-proto expects the line end in its input.
#[derive(Default)]
struct Commands {
    line: Vec<u8>,
}

impl Parse for Commands {
    type Frame<'a> = Request<String>;
    type Error = Mistake;

    fn parse(&mut self, line: &[u8]) -> Result<Request<String>, Mistake> {
        self.line.clear();
        self.line.extend_from_slice(line);
        self.line.extend_from_slice(b"\r\n");
        Request::parse(&mut self.line.iter()).map(Request::into_owned).map_err(Mistake)
    }
}

/// An error in a command.
#[derive(Debug)]
struct Mistake(Error);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Mistake {}

/// What the session expects next.
enum Next {
    Command,
    /// The rest of an overlong command.
    RestOfLine(Line),
    Message(DotStuffed),
}

pub(crate) struct Session {
    size_max: usize,
    next: Next,
    commands: Frames<Parsed<Line, Commands>>,
    greeted: bool,
    has_sender: bool,
    mail: Mail,
    is_too_large: bool,
    mistakes: usize,
}

impl Session {
    pub(crate) fn new(size_max: usize) -> Self {
        let lines = Line::strict_crlf().len_max(COMMAND_MAX);
        Self {
            size_max,
            next: Next::Command,
            commands: Frames::new(Parsed::new(lines, Commands::default())),
            greeted: false,
            has_sender: false,
            mail: Mail::default(),
            is_too_large: false,
            mistakes: 0,
        }
    }

    pub(crate) fn greeting(&self) -> &'static str {
        "220 localhost ESMTP, all mail ends here\r\n"
    }

    /// Consumes a command, or part of a message, from the front of `input`: at least one byte, if there is one.
    pub(crate) fn hear(&mut self, input: &mut &[u8]) -> Heard {
        let heard = match &mut self.next {
            Next::Command => match self.commands.next_typed(input) {
                Ok(None) => Ok(Heard::Nothing),
                Ok(Some(Ok(request))) => Ok(self.request(request)),
                Ok(Some(Err(mistake))) => Ok(self.mistake(&mistake.0)),
                Err(FrameError::LineTooLong { .. }) => {
                    self.next = Next::RestOfLine(Line::strict_crlf().len_max(usize::MAX));
                    Ok(self.mistake(&Error::ResponseTooLong))
                }
                Err(fault) => Err(fault),
            },
            Next::RestOfLine(line) => line.decode(input).map(|decoded| {
                let len = match decoded {
                    Decoded::Incomplete => input.len(),
                    Decoded::Frame { consumed, .. } => {
                        self.next = Next::Command;
                        consumed
                    }
                };
                *input = &input[len..];
                Heard::Nothing
            }),
            Next::Message(text) => text.decode(input).map(|found| self.message(found)),
        };
        heard.unwrap_or_else(|fault| {
            // The start of the next command is unknown, so the session ends.
            Heard::Bye(format!("521 5.5.2 {fault}\r\n").into())
        })
    }

    fn message(&mut self, found: Unstuffed<'_>) -> Heard {
        match found {
            Unstuffed::Incomplete => return Heard::Nothing,
            Unstuffed::Text(text) => {
                // Read the message to its end anyway: SMTP cannot interrupt a client.
                self.is_too_large |= self.mail.message.len() + text.len() > self.size_max;
                match self.is_too_large {
                    true => self.mail.message = Vec::new(),
                    false => self.mail.message.extend_from_slice(text),
                }
                return Heard::Nothing;
            }
            Unstuffed::End => {}
        }
        self.next = Next::Command;
        let (mail, is_too_large) = (mem::take(&mut self.mail), self.is_too_large);
        self.reset();
        if is_too_large {
            return say("552 5.3.4 The message is too large");
        }
        Heard::Mail(mail)
    }

    fn reset(&mut self) {
        self.mail = Mail::default();
        self.has_sender = false;
        self.is_too_large = false;
    }

    fn request(&mut self, request: Request<String>) -> Heard {
        match request {
            Request::Ehlo { .. } => {
                self.greeted = true;
                self.reset();
                let size = self.size_max;
                let answer = format!(
                    "250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE {size}\r\n"
                );
                Heard::Say(answer.into())
            }
            Request::Helo { .. } => {
                self.greeted = true;
                self.reset();
                say("250 localhost")
            }
            Request::Mail { from } => self.sender(from),
            Request::Rcpt { to } => self.recipient(to.address),
            Request::Data if self.mail.to.is_empty() => say("503 5.5.1 Say RCPT first"),
            Request::Data => {
                self.next = Next::Message(DotStuffed::strict());
                say("354 Go on, and end with a dot on a line of its own")
            }
            Request::Rset => {
                self.reset();
                say("250 2.0.0 Ok")
            }
            Request::Noop { .. } => say("250 2.0.0 Ok"),
            Request::Vrfy { .. } => say("252 2.1.5 Nobody is known, and everybody gets mail"),
            Request::Help { .. } => say("214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT"),
            Request::Quit => Heard::Bye("221 2.0.0 Bye\r\n".into()),
            _ => say("502 5.5.1 That is not known here"),
        }
    }

    fn sender(&mut self, from: MailFrom<String>) -> Heard {
        if !self.greeted {
            return say("503 5.5.1 Say EHLO or HELO first");
        }
        if self.has_sender {
            return say("503 5.5.1 There is a sender already");
        }
        // RFC 1870 6.1: the size that the client declared.
        if from.size > self.size_max {
            return say("552 5.3.4 The message is too large");
        }
        self.has_sender = true;
        self.mail.from = from.address;
        say("250 2.1.0 Ok")
    }

    fn recipient(&mut self, to: String) -> Heard {
        if !self.has_sender {
            return say("503 5.5.1 Say MAIL first");
        }
        if self.mail.to.len() >= RECIPIENTS_MAX {
            return say("452 4.5.3 Too many recipients");
        }
        self.mail.to.push(to);
        say("250 2.1.5 Ok")
    }

    fn mistake(&mut self, error: &Error) -> Heard {
        self.mistakes += 1;
        if self.mistakes > MISTAKES_MAX {
            return Heard::Bye("421 4.7.0 Too many mistakes\r\n".into());
        }
        match error {
            Error::UnknownCommand => say("500 5.5.1 That is no command"),
            Error::InvalidSenderAddress => say("501 5.1.7 That is no address of a sender"),
            Error::InvalidRecipientAddress => say("501 5.1.3 That is no address of a recipient"),
            Error::SyntaxError { syntax } => {
                Heard::Say(format!("501 5.5.4 It is written {syntax}\r\n").into())
            }
            Error::InvalidParameter { param } => {
                Heard::Say(format!("501 5.5.4 Invalid {param}\r\n").into())
            }
            Error::UnsupportedParameter { .. } => say("555 5.5.4 A parameter is not known here"),
            Error::ResponseTooLong => say("500 5.5.6 The line is too long"),
            _ => say("500 5.5.2 That cannot be read"),
        }
    }
}

fn say(line: &'static str) -> Heard {
    Heard::Say(format!("{line}\r\n").into())
}
