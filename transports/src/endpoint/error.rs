//! Parse errors of endpoint strings, with their position: [`EndpointError`].

use std::{error::Error, fmt, io, ops::Range};

use sinew_reactor::Excerpt;

use crate::names::services;

/// An endpoint string could not be parsed. `Display` gives the problem and its column on one line, then the string with carets below
/// the position. Long or unprintable text is [shortened and escaped](Excerpt).
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointError {
    text: String,
    place: Range<usize>,
    problem: EndpointProblem,
}

/// The problem with an endpoint string.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointProblem {
    /// The kind is empty.
    #[error("the kind of endpoint is missing")]
    Empty,
    /// The string ends with a backslash.
    #[error("a backslash at the end escapes nothing")]
    LoneBackslash,
    /// The kind is not known.
    #[error(
        "unknown kind of endpoint {:?}{}; there are {}",
        Excerpt::new(.name), perhaps(.alike), .known.join(", ")
    )]
    UnknownKind {
        /// The name given as a kind.
        name: String,
        /// The kind that was most likely meant.
        alike: Option<String>,
        /// The known kinds.
        known: Vec<String>,
    },
    /// A required parameter is missing.
    #[error("{} needs a parameter: {name}", Excerpt::new(.kind))]
    Missing {
        /// The kind.
        kind: String,
        /// The parameter.
        name: &'static str,
    },
    /// A parameter is given twice.
    #[error("{} is given twice", Excerpt::new(.name))]
    Duplicate {
        /// The parameter.
        name: String,
    },
    /// The kind has no such parameter.
    #[error(
        "{} has no parameter {:?}; it has {}",
        Excerpt::new(.kind), Excerpt::new(.name), list(.known)
    )]
    UnknownParameter {
        /// The kind.
        kind: String,
        /// The name given.
        name: String,
        /// The known parameters.
        known: Vec<&'static str>,
    },
    /// There are more values without a name than parameters.
    #[error("{} does not take {:?}", Excerpt::new(.kind), Excerpt::new(.value))]
    TooManyValues {
        /// The kind.
        kind: String,
        /// The value.
        value: String,
    },
    /// A port is neither between 0 and 65535 nor a service name; the text says which.
    #[error("{}", services::port_error(.value))]
    BadPort {
        /// The text given.
        value: String,
    },
    /// There is no kind, and the string is not a `host:port` either.
    #[error("{why}")]
    BadAddress {
        /// The problem.
        why: String,
    },
    /// The value is invalid for its parameter.
    #[error("{name}: {:?} {why}", Excerpt::new(.value))]
    BadValue {
        /// The parameter.
        name: String,
        /// The value given.
        value: String,
        /// The problem.
        why: String,
    },
    /// A file could not be read.
    #[error("{name}: could not read {:?}: {why}", Excerpt::new(.path))]
    Unreadable {
        /// The parameter.
        name: String,
        /// The file.
        path: String,
        /// The kind of I/O error.
        kind: io::ErrorKind,
        /// The I/O error's text.
        why: String,
    },
    /// The content of a file is invalid.
    #[error("{name}: {why}")]
    BadFile {
        /// The parameter.
        name: String,
        /// The problem, including the file's name.
        why: String,
    },
    /// The certificate is for another key.
    #[error(
        "the certificate in {} does not match the key in {}",
        Excerpt::new(.certificate), Excerpt::new(.key)
    )]
    KeyMismatch {
        /// The file with the certificate.
        certificate: String,
        /// The file with the key.
        key: String,
    },
    /// The kind cannot be used, whatever its parameters.
    #[error("{}: {why}", Excerpt::new(.kind))]
    Unusable {
        /// The kind.
        kind: String,
        /// The cause.
        why: String,
    },
    /// The kind needs a feature that this build lacks.
    #[error("{} needs the feature {feature:?} of sinew, and this program is built without it", Excerpt::new(.kind))]
    NeedsFeature {
        /// The kind.
        kind: String,
        /// The feature.
        feature: &'static str,
    },
}

sinew_reactor::error_debug!(EndpointProblem);

fn perhaps(alike: &Option<String>) -> String {
    alike.as_ref().map(|kind| format!(", perhaps {kind}")).unwrap_or_default()
}

fn list(known: &[&str]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

impl EndpointError {
    /// `place` is counted in characters.
    pub(super) fn new(text: &str, place: Range<usize>, problem: EndpointProblem) -> Self {
        Self { text: text.to_owned(), place, problem }
    }

    /// The problem.
    #[must_use]
    pub const fn problem(&self) -> &EndpointProblem {
        &self.problem
    }

    /// The column of the problem, in characters, counted from 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.place.start + 1
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, at column {}", self.problem, self.column())?;
        let Shown { text, place } = self.shown();
        writeln!(f, "    {text}")?;
        let carets = "^".repeat(place.len().max(1));
        write!(f, "    {:blanks$}{carets}", "", blanks = place.start)
    }
}

/// The excerpt that is shown, and the position in it.
struct Shown {
    text: String,
    place: Range<usize>,
}

/// Characters shown before and from the position, if the string is longer than both together.
const SHOWN_BEFORE: usize = 40;
const SHOWN_FROM: usize = 120;

impl EndpointError {
    /// The characters around the position, escaped, with `…` for those left out.
    fn shown(&self) -> Shown {
        let is_long = self.text.chars().nth(SHOWN_BEFORE + SHOWN_FROM).is_some();
        let begin = if is_long { self.place.start.saturating_sub(SHOWN_BEFORE) } else { 0 };
        let mut characters = self.text.chars().skip(begin);
        let mut shown = String::from(if begin > 0 { "…" } else { "" });
        let mut take = |count: usize| {
            for character in characters.by_ref().take(count) {
                let mut bytes = [0; 4];
                shown += &Excerpt::new(character.encode_utf8(&mut bytes)).to_string();
            }
            shown.chars().count()
        };
        let start = take(self.place.start - begin);
        let shown_of_place = self.place.len().min(SHOWN_FROM);
        let end = take(shown_of_place);
        take(SHOWN_FROM - shown_of_place);
        if characters.next().is_some() {
            shown.push('…');
        }
        Shown { text: shown, place: start..end }
    }
}

impl Error for EndpointError {}

sinew_reactor::error_debug!(EndpointError);
