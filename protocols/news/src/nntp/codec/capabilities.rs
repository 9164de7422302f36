//! What a server says it can: [`Capabilities`] (RFC 3977 3.3 and 5.2).

/// Most lines that are kept.
const LINES_MAX: usize = 200;

/// The list of CAPABILITIES. Labels are the same in any case.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::codec::Capabilities;
///
/// let capabilities: Capabilities = ["VERSION 2", "READER", "LIST ACTIVE NEWSGROUPS"].into_iter().collect();
/// assert!(capabilities.has("reader") && !capabilities.has("IHAVE"));
/// assert!(capabilities.has_argument("LIST", "newsgroups"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<String>,
}

impl Capabilities {
    /// Adds a line. Lines beyond 200 are ignored.
    pub(crate) fn push(&mut self, line: &str) {
        if self.lines.len() < LINES_MAX {
            self.lines.push(line.to_owned());
        }
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Whether there is a capability of this label.
    #[must_use]
    pub fn has(&self, label: &str) -> bool {
        self.lines().any(|line| first(line).eq_ignore_ascii_case(label))
    }

    /// The arguments of the capability of this label.
    pub fn arguments<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.lines().filter(move |line| first(line).eq_ignore_ascii_case(label));
        lines.flat_map(|line| line.split_ascii_whitespace().skip(1))
    }

    /// Whether the capability of this label has this argument.
    #[must_use]
    pub fn has_argument(&self, label: &str, argument: &str) -> bool {
        self.arguments(label).any(|found| found.eq_ignore_ascii_case(argument))
    }
}

fn first(line: &str) -> &str {
    line.split_ascii_whitespace().next().unwrap_or_default()
}

impl<'a> FromIterator<&'a str> for Capabilities {
    fn from_iter<I: IntoIterator<Item = &'a str>>(lines: I) -> Self {
        let mut capabilities = Self::default();
        lines.into_iter().for_each(|line| capabilities.push(line));
        capabilities
    }
}
