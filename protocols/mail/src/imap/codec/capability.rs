//! What a server can do: [`Capabilities`].

use std::fmt;

use super::{
    Atom, Literals,
    reader::{Parsed, Reader},
    writer::Writer,
};

/// The capabilities that a server has announced.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::Capabilities;
///
/// let capabilities: Capabilities = "IMAP4rev1 IDLE AUTH=PLAIN APPENDLIMIT=1000".parse()?;
/// assert!(capabilities.has("idle"));
/// assert_eq!(capabilities.mechanisms().collect::<Vec<_>>(), ["PLAIN"]);
/// assert_eq!(capabilities.value("APPENDLIMIT"), Some("1000"));
/// # Ok::<(), sinew_mail::imap::codec::ValueError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<Atom>);

impl Capabilities {
    /// These.
    #[must_use]
    pub fn new(capabilities: impl IntoIterator<Item = Atom>) -> Self {
        Self(capabilities.into_iter().collect())
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[Atom] {
        &self.0
    }

    /// Whether this one is there, in upper or lower case.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|capability| capability.is(name))
    }

    /// What follows `name=`, once.
    #[must_use]
    pub fn value<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// What follows `name=`, for each time it is there.
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |capability| {
            let (front, value) = capability.as_str()?.split_once('=')?;
            front.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The mechanisms of SASL: `AUTH=PLAIN`.
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.values("AUTH")
    }

    /// Whether UIDs may be expunged, and copies and appended messages are told by UID: UIDPLUS, or IMAP4rev2.
    #[must_use]
    pub fn has_uidplus(&self) -> bool {
        self.has_or_rev2("UIDPLUS")
    }

    /// Whether this one is there, or is a part of IMAP4rev2, which is there.
    #[must_use]
    pub fn has_or_rev2(&self, name: &str) -> bool {
        self.has(name) || self.has("IMAP4rev2")
    }

    /// The literals that the server takes without being asked.
    #[must_use]
    pub fn literals(&self) -> Literals {
        match () {
            () if self.has("LITERAL+") => Literals::Plus,
            () if self.has_or_rev2("LITERAL-") => Literals::Minus,
            () => Literals::Synchronizing,
        }
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let mut capabilities = Vec::new();
        while reader.eat(b' ') {
            // Some have a space before the line end.
            if let Ok(capability) = reader.atom("a capability") {
                capabilities.push(Atom::of_checked(capability));
            }
        }
        Ok(Self(capabilities))
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        for capability in &self.0 {
            writer.space();
            writer.raw(capability);
        }
    }
}

impl std::str::FromStr for Capabilities {
    type Err = super::ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(' ')
            .filter(|word| !word.is_empty())
            .map(Atom::try_from)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, capability) in self.0.iter().enumerate() {
            let space = if at > 0 { " " } else { "" };
            write!(f, "{space}{capability}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capabilities({self})")
    }
}
