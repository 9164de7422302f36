//! What is wrong with an endpoint's string, and where: [`EndpointError`].

use std::{error::Error, fmt, io, ops::Range};

use sinew_reactor::Excerpt;

use crate::names::services;

/// A string is no endpoint. Its `Display` is a line that says what is wrong and at which column, and below it the string with
/// carets under the place. What is long or cannot be printed is shown [shortened and escaped](Excerpt).
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
    #[error(
        "unknown kind of endpoint {:?}{}; there are {}",
        Excerpt::new(.name), perhaps(.alike), .known.join(", ")
    )]
    UnknownKind {
        /// What stands in the kind's place.
        name: String,
        /// The kind that was mistyped, most likely.
        alike: Option<String>,
        /// The kinds that there are.
        known: Vec<String>,
    },
    /// The kind cannot do without this parameter.
    #[error("{} needs a parameter: {name}", Excerpt::new(.kind))]
    Missing {
        /// The kind.
        kind: String,
        /// The parameter.
        name: &'static str,
    },
    /// A parameter is given a second time.
    #[error("{} is given twice", Excerpt::new(.name))]
    Twice {
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
        /// What is given.
        name: String,
        /// The parameters that there are.
        known: Vec<&'static str>,
    },
    /// There are more values than parameters that they could be for.
    #[error("{} has no use for {:?}", Excerpt::new(.kind), Excerpt::new(.value))]
    Surplus {
        /// The kind.
        kind: String,
        /// The value.
        value: String,
    },
    /// A port is neither between 0 and 65535 nor the name of a service. Which of it is said.
    #[error("{}", services::why_no_port(.value))]
    BadPort {
        /// What stands in its place.
        value: String,
    },
    /// There is no kind, and what stands there is no `host:port` either.
    #[error("{why}")]
    BadAddress {
        /// What is wrong with it.
        why: String,
    },
    /// A value is not what its parameter takes.
    #[error("{name}: {:?} {why}", Excerpt::new(.value))]
    BadValue {
        /// The parameter.
        name: String,
        /// What is given.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read.
    #[error("{name}: could not read {:?}: {why}", Excerpt::new(.path))]
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
    /// This kind cannot be used, whatever its values are.
    #[error("{}: {why}", Excerpt::new(.kind))]
    Unusable {
        /// The kind.
        kind: String,
        /// Why not.
        why: String,
    },
    /// The kind is known, but the program was built without it.
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
        let Shown { text, place } = self.shown();
        writeln!(f, "    {text}")?;
        let carets = "^".repeat(place.len().max(1));
        write!(f, "    {:blanks$}{carets}", "", blanks = place.start)
    }
}

/// What is shown of a string, and where the place is in that.
struct Shown {
    text: String,
    place: Range<usize>,
}

/// Characters of a string that are shown before its place, and from there on, if it has more than both together.
const SHOWN_BEFORE: usize = 40;
const SHOWN_FROM: usize = 120;

impl EndpointError {
    /// The characters around the place, escaped, and `…` for those that are left out.
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
