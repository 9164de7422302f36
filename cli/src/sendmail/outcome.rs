//! What has become of a message for each recipient: [`Outcome`], and the exit codes.

use std::{fmt, rc::Rc};

use sinew::{
    mail::smtp::{
        client::{Delivery, SmtpError, Stage},
        codec::{Address, Reply},
    },
    reactor::with_causes,
    transports::ConnectError,
};

use crate::exit::Code;

/// For one recipient.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) address: Address,
    fate: Fate,
}

#[derive(Debug)]
enum Fate {
    Delivered(Reply),
    Refused(Stage, Reply),
    /// For several recipients alike.
    Failed(Rc<SmtpError>),
}

impl Outcome {
    /// Those of a delivery.
    pub(super) fn of(delivery: &Delivery) -> impl Iterator<Item = Self> {
        delivery.replies().iter().map(|about| {
            let reply = about.reply().clone();
            let fate = match about.is_delivered() {
                true => Fate::Delivered(reply),
                false => Fate::Refused(about.stage(), reply),
            };
            Self { address: about.address().clone(), fate }
        })
    }

    /// The message was not sent to these, for one reason.
    pub(super) fn failed<'a>(
        recipients: impl IntoIterator<Item = &'a Address>,
        error: SmtpError,
    ) -> impl Iterator<Item = Self> {
        let error = Rc::new(error);
        recipients.into_iter().map(move |address| Self {
            address: address.clone(),
            fate: Fate::Failed(Rc::clone(&error)),
        })
    }

    pub(super) fn is_delivered(&self) -> bool {
        matches!(self.fate, Fate::Delivered(_))
    }

    /// The exit code, if this were the only recipient; `None` for success.
    fn code(&self) -> Option<Code> {
        match &self.fate {
            Fate::Delivered(_) => None,
            Fate::Refused(_, reply) if !reply.is_permanent() => Some(Code::Temporary),
            Fate::Refused(Stage::Recipient | Stage::Message, reply) if is_no_mailbox(reply) => {
                Some(Code::NoUser)
            }
            Fate::Refused(..) => Some(Code::Unavailable),
            Fate::Failed(error) => Some(code_of(error)),
        }
    }
}

/// The code for all: of the first recipient that will never have the message, else of the first that does not have it yet.
pub(super) fn code_of_all(outcomes: &[Outcome]) -> Option<Code> {
    let mut codes = outcomes.iter().filter_map(Outcome::code);
    let first = codes.next()?;
    let is_final = |code: &Code| *code != Code::Temporary;
    Some(if is_final(&first) { first } else { codes.find(is_final).unwrap_or(first) })
}

/// Whether a reply says that there is no such mailbox (RFC 3463 3.2), or may say so without an enhanced code.
fn is_no_mailbox(reply: &Reply) -> bool {
    match reply.enhanced() {
        Some(code) => code.subject == 1 && matches!(code.detail, 0..=3 | 6),
        None => matches!(reply.code(), 550 | 551 | 553),
    }
}

fn code_of(error: &SmtpError) -> Code {
    match error {
        SmtpError::Refused { reply, .. } if !reply.is_permanent() => Code::Temporary,
        SmtpError::Refused { stage: Stage::Auth, .. } | SmtpError::Login(_) => Code::Permission,
        SmtpError::Connect(ConnectError::Resolve { .. }) | SmtpError::NullMx { .. } => Code::NoHost,
        SmtpError::Connect(ConnectError::Tls { .. })
        | SmtpError::Tls { .. }
        | SmtpError::TlsNotOffered => Code::Protocol,
        SmtpError::NoServerName => Code::Usage,
        SmtpError::Lookup { is_temporary: false, .. } => Code::NoHost,
        error if error.is_temporary() => Code::Temporary,
        _ => Code::Unavailable,
    }
}

impl fmt::Display for Outcome {
    /// On one line: what servers have said is escaped by the library.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        match &self.fate {
            Fate::Delivered(reply) => write!(f, "{address}: delivered: {reply}"),
            Fate::Refused(stage, reply) => write!(f, "{address}: refused, {stage}: {reply}"),
            Fate::Failed(error) => {
                write!(f, "{address}: {}", with_causes(&**error))?;
                if error.may_be_delivered() {
                    f.write_str("; the message may have been delivered")?;
                }
                Ok(())
            }
        }
    }
}
