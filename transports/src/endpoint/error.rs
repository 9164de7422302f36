//! What is wrong with an endpoint's string, and where: [`EndpointError`].

use std::{error::Error, fmt, ops::Range};

/// A string is no endpoint. Its `Display` is a line that says what is wrong and at which column, and below it the string with
/// carets under the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError {
    text: String,
    place: Range<usize>,
    problem: EndpointProblem,
}

/// What is wrong with an endpoint's string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    #[error("{kind} has no parameter {name:?}; it has {}", .known.join(", "))]
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
