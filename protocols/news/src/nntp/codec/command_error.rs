//! Why a line is not a command: [`CommandError`].

/// Why a line is not a [`Command`](super::Command).
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
    /// There is such a command, but not in this form.
    #[error("unknown variant of the command")]
    Variant,
}

sinew_transports::reactor::error_debug!(CommandError);

impl CommandError {
    /// The code of the response: 500 or 501.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Unknown => 500,
            Self::NotText | Self::Syntax { .. } | Self::Variant => 501,
        }
    }
}
