//! Why a message was not sent: [`SmtpError`], at which [`Stage`].

use std::{fmt, io, time::Duration};

use sinew_auth::SaslError;
use sinew_protocols::basic::FrameError;
use sinew_transports::{ConnectError, reactor::Failure};

use super::Delivery;
use crate::smtp::codec::{Reply, ReplyError};

/// A message was not sent, or it is not known what became of it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SmtpError {
    /// There is no connection.
    #[error("could not connect to the mail server")]
    Connect(#[from] ConnectError),
    /// The connection was lost. If the stage is [`Stage::Message`], the server may have accepted the message.
    #[error("the connection was lost while {stage} was to be replied to")]
    Lost {
        /// What was sent last.
        stage: Stage,
        /// The reason.
        source: io::Error,
    },
    /// A reply took too long. If the stage is [`Stage::Message`], the server may have accepted the message.
    #[error("no reply to {stage} within {after:?}")]
    TimedOut {
        /// What was sent last.
        stage: Stage,
        /// The time that was allowed.
        after: Duration,
    },
    /// The server does not want to talk.
    #[error("the mail server has replied to {stage}: {reply}")]
    Refused {
        /// What it has replied to.
        stage: Stage,
        /// Its reply.
        reply: Reply,
    },
    /// What the server has sent is no reply.
    #[error("no reply of SMTP to {stage}")]
    NotAReply {
        /// What was sent last.
        stage: Stage,
        /// What is wrong.
        source: ReplyError,
    },
    /// A line of a reply is too long.
    #[error("no reply of SMTP to {stage}")]
    Framing {
        /// What was sent last.
        stage: Stage,
        /// What is wrong.
        source: FrameError,
    },
    /// TLS is required, and the server does not offer STARTTLS.
    #[error("the mail server does not offer STARTTLS, which is required")]
    TlsNotOffered,
    /// The certificate cannot be verified: neither the endpoint nor [`ClientConfig::server_name`](super::ClientConfig::server_name) says
    /// whose it must be.
    #[error(
        "STARTTLS: the name of the mail server is not known; set `server_name` of `ClientConfig`"
    )]
    NoServerName,
    /// TLS has failed, or plaintext was received behind the reply to STARTTLS.
    #[error("STARTTLS: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// The login has failed here: no mechanism of the server is acceptable, or the server has not proved what it must.
    #[error("could not log in to the mail server")]
    Login(#[from] SaslError),
    /// The message is longer than the server accepts.
    #[error("the message has {len} bytes, and the mail server accepts {max}")]
    TooLarge {
        /// Its length.
        len: u64,
        /// The limit of the server.
        max: u64,
    },
    /// The message needs an extension that the server does not offer: `8BITMIME` for bytes from 128 on in its body, `SMTPUTF8` for
    /// addresses or a header in other scripts than ASCII.
    #[error("the message needs {extension}, which the mail server does not offer")]
    Needs {
        /// The extension.
        extension: &'static str,
    },
    /// The message could not be read to its end, or is not what its source said. The server has no whole message.
    #[error("the message could not be read")]
    Message(#[source] io::Error),
    /// An earlier message of this client has failed, or was given up: a new connection is needed.
    #[error("the connection is of no more use after a message that was not sent to its end")]
    Unusable,
    /// The envelope has no recipient.
    #[error("there is no recipient")]
    NoRecipient,
    /// The message was not accepted for all recipients: [`Delivery::complete`].
    #[error("the message was not accepted {0}")]
    NotDelivered(Delivery),
    /// The domain takes no mail (RFC 7505).
    #[error("the domain {domain} takes no mail")]
    NullMx {
        /// The domain.
        domain: String,
    },
    /// The mail exchangers of the domain are not known.
    #[error("could not look up the mail exchangers of {domain}")]
    Lookup {
        /// The domain.
        domain: String,
        /// Whether it may work later.
        is_temporary: bool,
        /// The reason.
        source: Box<dyn std::error::Error>,
    },
    /// The work was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(SmtpError);

/// A step of a client, which a server replies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The connection: the reply is the greeting.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA.
    Data,
    /// The message: the reply says who is responsible for it.
    Message,
    /// RSET.
    Reset,
    /// QUIT.
    Quit,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Greeting => "the connection",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Recipient => "RCPT",
            Self::Data => "DATA",
            Self::Message => "the message",
            Self::Reset => "RSET",
            Self::Quit => "QUIT",
        })
    }
}

impl SmtpError {
    /// Whether the same may succeed later. Not if the message, its addresses or the configuration would have to be changed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused { reply, .. } => !reply.is_permanent(),
            Self::NotDelivered(delivery) => {
                delivery.refused().any(|refused| !refused.reply.is_permanent())
            }
            Self::Lookup { is_temporary, .. } => *is_temporary,
            Self::Login(_)
            | Self::TooLarge { .. }
            | Self::Needs { .. }
            | Self::NoRecipient
            | Self::NullMx { .. }
            | Self::NoServerName
            | Self::TlsNotOffered => false,
            Self::Connect(_)
            | Self::Lost { .. }
            | Self::TimedOut { .. }
            | Self::NotAReply { .. }
            | Self::Framing { .. }
            | Self::Tls { .. }
            | Self::Message(_)
            | Self::Unusable
            | Self::GivenUp(_) => true,
        }
    }

    /// Whether TLS was offered and agreed to, and its handshake has failed.
    pub(crate) fn is_of_handshake(&self) -> bool {
        matches!(self, Self::Tls { .. } | Self::TimedOut { stage: Stage::StartTls, .. })
    }

    /// Whether the server may have accepted the message: it was sent whole, and there was no reply.
    #[must_use]
    pub fn may_be_delivered(&self) -> bool {
        match self {
            Self::Lost { stage, .. }
            | Self::TimedOut { stage, .. }
            | Self::NotAReply { stage, .. }
            | Self::Framing { stage, .. } => *stage == Stage::Message,
            Self::GivenUp(_) => true,
            _ => false,
        }
    }
}
