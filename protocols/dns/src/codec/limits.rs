//! What a message may hold: [`MessageLimits`]. Values only; `guard.rs` applies them.

/// Longest name on the wire, with its length bytes and the root (RFC 1035, section 2.3.4).
pub(super) const NAME_LEN_MAX: usize = 255;

/// Longest label (RFC 1035, section 2.3.4).
pub(super) const LABEL_LEN_MAX: usize = 63;

/// Limits of a message, checked on its bytes before anything of it is decoded.
///
/// # Examples
///
/// ```
/// use sinew_dns::codec::{MessageError, MessageLimits, decode};
///
/// let limits = MessageLimits::query().len_max(512);
/// assert!(matches!(decode(&[0; 513], &limits), Err(MessageError::TooLong { .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct MessageLimits {
    pub(super) len_max: usize,
    pub(super) questions: (u16, u16),
    pub(super) answers_max: u16,
    pub(super) authorities_max: u16,
    pub(super) additionals_max: u16,
    pub(super) pointers_max: usize,
    pub(super) pointers_of_message_max: usize,
}

impl MessageLimits {
    /// What a client takes: 65,535 bytes, at most one question, and as many records as fit.
    pub fn response() -> Self {
        Self {
            len_max: usize::from(u16::MAX),
            questions: (0, 1),
            answers_max: u16::MAX,
            authorities_max: u16::MAX,
            additionals_max: u16::MAX,
            pointers_max: 128,
            pointers_of_message_max: 32_768,
        }
    }

    /// What a server takes as a query: 4,096 bytes, one question, no answers, one authority record (an IXFR has one) and two additional
    /// ones (OPT and TSIG).
    pub fn query() -> Self {
        Self {
            len_max: 4096,
            questions: (1, 1),
            answers_max: 0,
            authorities_max: 1,
            additionals_max: 2,
            ..Self::response()
        }
    }

    /// What a server takes as a notification (RFC 1996): as a [query](Self::query), with one answer, the new SOA record.
    pub fn notify() -> Self {
        Self { answers_max: 1, ..Self::query() }
    }

    /// What a server takes as an update (RFC 2136): 65,535 bytes, one zone, 1,000 prerequisites and as many changes.
    pub fn update() -> Self {
        Self {
            len_max: usize::from(u16::MAX),
            answers_max: 1000,
            authorities_max: 1000,
            additionals_max: 16,
            ..Self::query()
        }
    }

    /// Longest message. Default 4,096 bytes for queries and notifications, else 65,535.
    pub fn len_max(mut self, bytes: usize) -> Self {
        self.len_max = bytes;
        self
    }

    /// Maximum number of records of the answer section (of an update: the prerequisites).
    pub fn answers_max(mut self, records: u16) -> Self {
        self.answers_max = records;
        self
    }

    /// Maximum number of records of the authority section (of an update: the changes).
    pub fn authorities_max(mut self, records: u16) -> Self {
        self.authorities_max = records;
        self
    }

    /// Maximum number of records of the additional section.
    pub fn additionals_max(mut self, records: u16) -> Self {
        self.additionals_max = records;
        self
    }

    /// Maximum number of compression pointers that lead through one name. Default 128.
    pub fn pointers_max(mut self, pointers: usize) -> Self {
        self.pointers_max = pointers;
        self
    }

    /// Maximum number of compression pointers that are followed in a message. Default 32,768.
    pub fn pointers_of_message_max(mut self, pointers: usize) -> Self {
        self.pointers_of_message_max = pointers;
        self
    }
}
