//! Why a message was not decoded, not encoded, or is not the response to a query: [`MessageError`], [`EncodeError`], [`Mismatch`].

/// A message could not be decoded.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It is longer than the limit.
    #[error("the message has {len} bytes, more than {max}")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// It ends in the middle of something.
    #[error("the message ends in the middle of {what}, at byte {at}")]
    Truncated {
        /// What is incomplete.
        what: &'static str,
        /// Where that begins.
        at: usize,
    },
    /// Too many (or too few) records or questions are announced.
    #[error("the message announces {count} {section}; {min} to {max} are taken")]
    Count {
        /// What is counted.
        section: &'static str,
        /// The announced number.
        count: u16,
        /// The least number that is taken.
        min: u16,
        /// The greatest number that is taken.
        max: u16,
    },
    /// A label is neither plain nor a pointer.
    #[error("the label at byte {at} is of the unknown kind {kind:#04x}")]
    LabelKind {
        /// Where it is.
        at: usize,
        /// Its first byte.
        kind: u8,
    },
    /// A compression pointer does not lead backwards.
    #[error(
        "the compression pointer at byte {at} leads to byte {to}, which is not before the name"
    )]
    PointerForward {
        /// Where it is.
        at: usize,
        /// Where it leads.
        to: usize,
    },
    /// A name, or all names together, are made of too many compression pointers.
    #[error("the name at byte {at} follows more than {max} compression pointers")]
    TooManyPointers {
        /// Where the name is.
        at: usize,
        /// The limit.
        max: usize,
    },
    /// A name is longer than 255 bytes.
    #[error("the name at byte {at} is longer than 255 bytes")]
    NameTooLong {
        /// Where the name is.
        at: usize,
    },
    /// The data of a record do not end where the record says.
    #[error("the data of the record at byte {at} do not have the length that the record says")]
    DataLength {
        /// Where the record begins.
        at: usize,
    },
    /// The content of a record is invalid.
    #[error("the message cannot be decoded: {0}")]
    Content(Box<str>),
}

sinew_transports::reactor::error_debug!(MessageError);

/// A message could not be encoded.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// It does not fit into the limit.
    #[error("the message does not fit into {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// A name or the data of a record cannot be encoded.
    #[error("the message cannot be encoded: {0}")]
    Content(Box<str>),
}

sinew_transports::reactor::error_debug!(EncodeError);

/// A message is not the response to a query: it is to be ignored, since it may be forged.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// It has no complete header, or is not decodable as far as the question.
    #[error("the message is not a response: {0}")]
    Undecodable(#[from] MessageError),
    /// It is a query.
    #[error("the message is a query, not a response")]
    NotAResponse,
    /// The identifier is another.
    #[error("the response has another identifier")]
    Id,
    /// The operation is another.
    #[error("the response is to another operation")]
    OpCode,
    /// The question is another.
    #[error("the response is to another question")]
    Question,
    /// The cookie that was sent is not repeated (RFC 7873).
    #[error("the response repeats another cookie than the one that was sent")]
    Cookie,
}

sinew_transports::reactor::error_debug!(Mismatch);
