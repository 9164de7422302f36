//! What two ends have agreed on: [`Dialect`].

/// What the two ends have agreed on, as far as it changes how messages are written. Default: nothing, plain IMAP4rev1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Dialect {
    is_utf8: bool,
    literals: Literals,
}

/// Which literals a client need not ask for (RFC 7888).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Literals {
    /// None: the client waits for `+` before each literal.
    #[default]
    Synchronizing,
    /// Those of up to [4,096](Self::MINUS_MAX) bytes: LITERAL-, IMAP4rev2.
    Minus,
    /// All: LITERAL+.
    Plus,
}

impl Literals {
    /// The longest literal that need not be asked for with LITERAL-.
    pub const MINUS_MAX: u64 = 4_096;

    /// Whether a literal of this length may be sent without waiting.
    #[must_use]
    pub const fn allow(self, len: u64) -> bool {
        match self {
            Self::Synchronizing => false,
            Self::Minus => len <= Self::MINUS_MAX,
            Self::Plus => true,
        }
    }
}

impl Dialect {
    /// Names of mailboxes and quoted strings are UTF-8, and `&` means itself: after `ENABLE UTF8=ACCEPT` or `ENABLE IMAP4rev2`.
    pub const fn utf8(mut self, is_utf8: bool) -> Self {
        self.is_utf8 = is_utf8;
        self
    }

    /// The literals that are sent without waiting.
    pub const fn literals(mut self, literals: Literals) -> Self {
        self.literals = literals;
        self
    }

    /// Whether names and quoted strings are UTF-8.
    #[must_use]
    pub const fn is_utf8(self) -> bool {
        self.is_utf8
    }

    /// Which literals are sent without waiting.
    #[must_use]
    pub const fn literal_mode(self) -> Literals {
        self.literals
    }
}
