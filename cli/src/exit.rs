//! How the command ends: one table of exit codes, as in sysexits(3), and [`Failure`], a message with one of them.

use std::{error::Error, fmt, io};

/// The exit codes of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// The command line is wrong (`EX_USAGE`).
    Usage = 64,
    /// What came in is wrong: for clients (`EX_DATAERR`).
    #[allow(dead_code, reason = "the table is whole; some commands have no use for it")]
    Data = 65,
    /// A file that is read does not exist or cannot be read (`EX_NOINPUT`).
    NoInput = 66,
    /// A user or a group does not exist (`EX_NOUSER`).
    NoUser = 67,
    /// A host could not be found or reached (`EX_NOHOST`).
    #[allow(dead_code, reason = "the table is whole; some commands have no use for it")]
    NoHost = 68,
    /// It cannot run now: an address is in use, or it runs already (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// A fault of this program (`EX_SOFTWARE`).
    Software = 70,
    /// The system failed: it has no memory, processes or descriptors (`EX_OSERR`).
    System = 71,
    /// A file cannot be created or written: a pid file, a log (`EX_CANTCREAT`).
    CannotCreate = 73,
    /// Reading or writing failed (`EX_IOERR`).
    #[allow(dead_code, reason = "the table is whole; some commands have no use for it")]
    Io = 74,
    /// It has failed for now, and may succeed later (`EX_TEMPFAIL`).
    Temporary = 75,
    /// A peer did not answer, or answered wrongly (`EX_PROTOCOL`).
    Protocol = 76,
    /// A permission is missing (`EX_NOPERM`).
    Permission = 77,
    /// The configuration is wrong (`EX_CONFIG`).
    Config = 78,
}

/// Why the command ends without success: one line for the user, perhaps with more below it, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    text: String,
}

impl Failure {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// A failed system call or file: `code`, unless the cause is a missing permission.
    pub(crate) fn io(code: Code, what: impl fmt::Display, error: &io::Error) -> Self {
        let code =
            if error.kind() == io::ErrorKind::PermissionDenied { Code::Permission } else { code };
        Self::new(code, format!("{what}: {error}"))
    }

    /// The same code without a text: it was reported already.
    pub(crate) fn silent(self) -> Self {
        Self { text: String::new(), ..self }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn code(&self) -> u8 {
        self.code as u8
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Failure {}
