//! Why bytes are no stream of XMPP: [`XmlError`].

use super::StreamCondition;

/// What was received is not XML, or is XML that XMPP does not have, or exceeds a limit. The stream is over.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// It is not XML.
    #[error("the XML is not well-formed: {what}")]
    NotWellFormed {
        /// What is wrong.
        what: &'static str,
    },
    /// XML that must not be in a stream (RFC 6120 11.1).
    #[error("the XML has {what}, which streams must not have")]
    Restricted {
        /// What it has.
        what: &'static str,
    },
    /// It is not UTF-8.
    #[error("the XML is not UTF-8")]
    NotUtf8,
    /// The declaration names another encoding than UTF-8.
    #[error("the XML declaration names another encoding than UTF-8")]
    UnsupportedEncoding,
    /// A prefix that was not declared.
    #[error("the XML uses a namespace prefix that it does not declare")]
    UndeclaredPrefix,
    /// A stanza or the header is too long.
    #[error("a stanza has more than {max} bytes")]
    StanzaTooLong {
        /// The limit.
        max: usize,
    },
    /// Elements are too deep in each other.
    #[error("elements are more than {max} deep in each other")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// A stanza has too many elements.
    #[error("a stanza has more than {max} elements")]
    TooManyElements {
        /// The limit.
        max: usize,
    },
    /// An element has too many attributes.
    #[error("an element has more than {max} attributes")]
    TooManyAttributes {
        /// The limit.
        max: usize,
    },
    /// A name or the value of an attribute is too long.
    #[error("a name or the value of an attribute has more than {max} bytes")]
    ValueTooLong {
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(XmlError);

impl XmlError {
    pub(super) const fn malformed(what: &'static str) -> Self {
        Self::NotWellFormed { what }
    }

    /// The condition to tell the peer (RFC 6120 4.9.3).
    #[must_use]
    pub const fn condition(&self) -> StreamCondition {
        match self {
            Self::NotWellFormed { .. } | Self::NotUtf8 => StreamCondition::NotWellFormed,
            Self::Restricted { .. } => StreamCondition::RestrictedXml,
            Self::UnsupportedEncoding => StreamCondition::UnsupportedEncoding,
            Self::UndeclaredPrefix => StreamCondition::BadNamespacePrefix,
            Self::StanzaTooLong { .. }
            | Self::TooDeep { .. }
            | Self::TooManyElements { .. }
            | Self::TooManyAttributes { .. }
            | Self::ValueTooLong { .. } => StreamCondition::PolicyViolation,
        }
    }
}
