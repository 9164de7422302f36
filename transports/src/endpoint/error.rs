//! What is wrong with an endpoint's string, and where: [`EndpointError`].

use std::{error::Error, fmt, io, ops::Range};

/// A string is no endpoint. Its `Display` is a line that says what is wrong and at which column, and below it the string with
/// carets under the place.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointError {
    text: String,
    place: Range<usize>,
    problem: EndpointProblem,
}

/// What is wrong with an endpoint's string.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointProblem {
    /// There is nothing in the place of a kind.
    #[error("there is no kind of endpoint")]
    Empty,
    /// The string ends with a backslash.
    #[error("a backslash at the end escapes nothing")]
    LoneBackslash,
    /// No kind of endpoint is called that.
    #[error("unknown kind of endpoint {name:?}; there are {}", .known.join(", "))]
    UnknownKind {
        /// What stands in the kind's place.
        name: String,
        /// The kinds that there are.
        known: Vec<String>,
    },
    /// The kind cannot do without this parameter.
    #[error("{kind} needs a parameter: {name}")]
    Missing {
        /// The kind.
        kind: String,
        /// The parameter.
        name: &'static str,
    },
    /// A parameter is given a second time.
    #[error("{name} is given twice")]
    Twice {
        /// The parameter.
        name: String,
    },
    /// The kind has no such parameter.
    #[error("{kind} has no parameter {name:?}; it has {}", list(.known))]
    UnknownParameter {
        /// The kind.
        kind: String,
        /// What is given.
        name: String,
        /// The parameters that there are.
        known: Vec<&'static str>,
    },
    /// There are more values than parameters that they could be for.
    #[error("{kind} has no use for {value:?}")]
    Surplus {
        /// The kind.
        kind: String,
        /// The value.
        value: String,
    },
    /// A port is neither between 0 and 65535 nor the name of a service.
    #[error("{value:?} is no port: neither 0 to 65535 nor the name of a service")]
    BadPort {
        /// What stands in its place.
        value: String,
    },
    /// A value is not what its parameter takes.
    #[error("{name}: {value:?} {why}")]
    BadValue {
        /// The parameter.
        name: String,
        /// What is given.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read.
    #[error("{name}: could not read {path:?}: {why}")]
    Unreadable {
        /// The parameter.
        name: String,
        /// The file.
        path: String,
        /// The kind of error that reading it gave.
        kind: io::ErrorKind,
        /// The error in words.
        why: String,
    },
    /// A file holds something else than its parameter takes.
    #[error("{name}: {why}")]
    BadFile {
        /// The parameter.
        name: String,
        /// What is wrong with it; the file is named.
        why: String,
    },
    /// A certificate belongs to another key.
    #[error("the certificate in {certificate} does not match the key in {key}")]
    KeyMismatch {
        /// The file with the certificate.
        certificate: String,
        /// The file with the key.
        key: String,
    },
    /// This kind cannot be used, whatever its values are.
    #[error("{kind}: {why}")]
    Unusable {
        /// The kind.
        kind: String,
        /// Why not.
        why: String,
    },
    /// The kind is known, but the program was built without it.
    #[error("{kind} needs the feature {feature:?} of sinew, and this program is built without it")]
    NeedsFeature {
        /// The kind.
        kind: String,
        /// The feature.
        feature: &'static str,
    },
}

sinew_reactor::error_debug!(EndpointProblem);

fn list(known: &[&str]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

impl EndpointError {
    /// `place` is counted in characters.
    pub(super) fn new(text: &str, place: Range<usize>, problem: EndpointProblem) -> Self {
        Self { text: text.to_owned(), place, problem }
    }

    /// What is wrong.
    #[must_use]
    pub const fn problem(&self) -> &EndpointProblem {
        &self.problem
    }

    /// The column at which it is, in characters, counted from 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.place.start + 1
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, at column {}", self.problem, self.column())?;
        writeln!(f, "    {}", self.text)?;
        let carets = "^".repeat(self.place.len().max(1));
        write!(f, "    {:blanks$}{carets}", "", blanks = self.place.start)
    }
}

impl Error for EndpointError {}

sinew_reactor::error_debug!(EndpointError);
