//! Why a zone cannot be loaded: [`ZoneError`] with the place in the text, and [`ZoneFault`], the cause.

use std::{fmt, io, path::PathBuf, sync::Arc};

use sinew_transports::reactor::Excerpt;

/// Untrusted text for an error: bounded, and without control characters.
pub(super) fn excerpt(text: &[u8]) -> Box<str> {
    Excerpt::new(text).to_string().into()
}

/// A place in the text of a zone. Lines and columns count from 1; columns count bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Place {
    /// The file, if the text is from a file.
    pub file: Option<Arc<PathBuf>>,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}:{}:{}", file.display(), self.line, self.column),
            None => write!(f, "line {}, column {}", self.line, self.column),
        }
    }
}

/// A zone could not be loaded.
#[derive(thiserror::Error)]
#[error("{}{fault}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
#[non_exhaustive]
pub struct ZoneError {
    /// Where in the text; `None` for what is missing, and for records that are from no text.
    pub place: Option<Place>,
    /// What is wrong.
    #[source]
    pub fault: ZoneFault,
}

sinew_transports::reactor::error_debug!(ZoneError);

impl ZoneError {
    pub(super) fn new(place: impl Into<Option<Place>>, fault: impl Into<ZoneFault>) -> Self {
        Self { place: place.into(), fault: fault.into() }
    }
}

/// What is wrong with a zone or its text.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ZoneFault {
    /// A file could not be read.
    #[error("the file {} could not be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A limit of [`ZoneConfig`](super::ZoneConfig) is exceeded.
    #[error("more than {max} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// A quote or a parenthesis is not closed, or is closed without being open.
    #[error("{0}")]
    Unbalanced(&'static str),
    /// `$INCLUDE` without a folder that files may be included from, or of a file that is not in it.
    #[error("$INCLUDE of {file} is refused: {why}")]
    Include {
        /// The file, as written.
        file: Box<str>,
        /// Why.
        why: &'static str,
    },
    /// An unknown or malformed directive (`$…`).
    #[error("the directive {directive} is invalid: {why}")]
    Directive {
        /// The directive.
        directive: Box<str>,
        /// Why.
        why: &'static str,
    },
    /// A name is invalid.
    #[error("{text} is no name: {why}")]
    Name {
        /// As written.
        text: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// A record has no owner: the first record begins with a blank.
    #[error("the record has no name, and there is none before it")]
    NoOwner,
    /// A record has no TTL, and neither is there one before it, nor `$TTL`, nor a SOA record.
    #[error("the record has no TTL: write one, or $TTL before it")]
    NoTtl,
    /// Another class than IN.
    #[error("the class {0} is not served, only IN")]
    Class(Box<str>),
    /// A word stands where a type is expected.
    #[error("{0} is no type of records")]
    Type(Box<str>),
    /// A type that cannot be in a zone, such as OPT, TSIG or ANY.
    #[error("records of type {0} cannot be in a zone")]
    MetaType(Box<str>),
    /// The data of a record are invalid.
    #[error("invalid data of a record of type {record_type}: {why}")]
    Data {
        /// The type.
        record_type: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// A record is not in the zone.
    #[error("{name} is not in the zone {zone}")]
    OutOfZone {
        /// The name of the record.
        name: Box<str>,
        /// The zone.
        zone: Box<str>,
    },
    /// The zone has no SOA record, or has one that is not at its apex, or several.
    #[error("a zone has exactly one SOA record, at its apex {zone}; {why}")]
    Soa {
        /// The zone.
        zone: Box<str>,
        /// What it has instead.
        why: &'static str,
    },
    /// A CNAME record, and other records at the same name.
    #[error("{name} has a CNAME record and other records (RFC 1034, section 3.6.2)")]
    CnameAndOthers {
        /// The name.
        name: Box<str>,
    },
    /// Several CNAME or DNAME records at one name.
    #[error("{name} has several {record_type} records")]
    Several {
        /// The name.
        name: Box<str>,
        /// The type.
        record_type: &'static str,
    },
    /// There are records below a DNAME record (RFC 6672, section 2.4).
    #[error("{name} is below {dname}, which has a DNAME record (RFC 6672, section 2.4)")]
    BelowDname {
        /// The name.
        name: Box<str>,
        /// The name with the DNAME record.
        dname: Box<str>,
    },
    /// NSEC3 with more iterations than 150, which costs each query too much (RFC 9276).
    #[error("NSEC3 has {iterations} iterations, more than {max}")]
    Iterations {
        /// Iterations.
        iterations: u16,
        /// The limit.
        max: u16,
    },
}

sinew_transports::reactor::error_debug!(ZoneFault);

/// What is odd about a zone that can be served all the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ZoneWarning {
    /// The apex has no NS records.
    NoNameServers,
    /// A delegation names a server inside the zone that has no address there: it cannot be reached.
    NoGlue {
        /// The name of the delegation or the apex.
        name: Box<str>,
        /// The name of the server.
        server: Box<str>,
    },
    /// The records of a set have different TTLs (RFC 2181, section 5.2). The least is used.
    TtlsDiffer {
        /// The name.
        name: Box<str>,
        /// The type.
        record_type: Box<str>,
    },
}

impl fmt::Display for ZoneWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNameServers => f.write_str("the apex has no NS records"),
            Self::NoGlue { name, server } => {
                write!(f, "{name} is served by {server}, which is in the zone and has no address")
            }
            Self::TtlsDiffer { name, record_type } => {
                write!(f, "the records of type {record_type} at {name} have different TTLs")
            }
        }
    }
}
