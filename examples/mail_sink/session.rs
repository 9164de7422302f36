//! What SMTP means, without a socket: [`Session`] takes bytes and says what to answer. The grammar is smtp-proto's.

use std::{borrow::Cow, mem, slice::Iter};

use smtp_proto::{
    Error, MailFrom, Request,
    request::receiver::{DataReceiver, DummyLineReceiver, RequestReceiver},
};

/// RFC 5321 4.5.3.1.8: no fewer than a hundred.
const RECIPIENTS_MAX: usize = 100;

/// Who makes so many mistakes does not speak SMTP.
const MISTAKES_MAX: usize = 10;

/// A message with its envelope.
#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: Vec<u8>,
}

/// What came of some bytes.
pub(crate) enum Heard {
    /// More are needed.
    Nothing,
    Say(Cow<'static, str>),
    Mail(Mail),
    /// The last answer.
    Bye(Cow<'static, str>),
}

pub(crate) struct Session {
    size_max: usize,
    receiver: RequestReceiver,
    /// The message is under way.
    data: Option<DataReceiver>,
    /// The rest of a line that was too long.
    skipping: bool,
    greeted: bool,
    has_sender: bool,
    mail: Mail,
    is_too_large: bool,
    mistakes: usize,
}

impl Session {
    pub(crate) fn new(size_max: usize) -> Self {
        Self {
            size_max,
            receiver: RequestReceiver::default(),
            data: None,
            skipping: false,
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

    /// Takes a command, or a part of a message, off the front of `bytes`.
    pub(crate) fn hear(&mut self, bytes: &mut Iter<'_, u8>) -> Heard {
        if self.skipping {
            self.skipping = !DummyLineReceiver::default().ingest(bytes);
            return Heard::Nothing;
        }
        if let Some(data) = &mut self.data {
            let is_all = data.ingest(bytes, &mut self.mail.message);
            return self.message(is_all);
        }
        // The request borrows from the receiver, and the answer changes the session.
        let mut receiver = mem::take(&mut self.receiver);
        let heard = match receiver.ingest(bytes) {
            Ok(request) => self.request(request),
            Err(Error::NeedsMoreData { .. }) => Heard::Nothing,
            Err(error) => self.mistake(&error, bytes),
        };
        self.receiver = receiver;
        heard
    }

    fn message(&mut self, is_all: bool) -> Heard {
        // Read to its end all the same: there is no way to interrupt a client.
        self.is_too_large |= self.mail.message.len() > self.size_max;
        if self.is_too_large {
            self.mail.message.clear();
        }
        if !is_all {
            return Heard::Nothing;
        }
        self.data = None;
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

    fn request(&mut self, request: Request<Cow<'_, str>>) -> Heard {
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
            Request::Rcpt { to } => self.recipient(to.address.into_owned()),
            Request::Data if self.mail.to.is_empty() => say("503 5.5.1 Say RCPT first"),
            Request::Data => {
                self.data = Some(DataReceiver::new());
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

    fn sender(&mut self, from: MailFrom<Cow<'_, str>>) -> Heard {
        if !self.greeted {
            return say("503 5.5.1 Say EHLO or HELO first");
        }
        if self.has_sender {
            return say("503 5.5.1 There is a sender already");
        }
        // RFC 1870 6.1: as the client has announced it.
        if from.size > self.size_max {
            return say("552 5.3.4 The message is too large");
        }
        self.has_sender = true;
        self.mail.from = from.address.into_owned();
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

    fn mistake(&mut self, error: &Error, bytes: &mut Iter<'_, u8>) -> Heard {
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
            _ => {
                // RFC 5321 4.5.3.1.4: what is left of it is part of the same mistake.
                self.skipping = !DummyLineReceiver::default().ingest(bytes);
                say("500 5.5.6 The line is too long")
            }
        }
    }
}

fn say(line: &'static str) -> Heard {
    Heard::Say(format!("{line}\r\n").into())
}
