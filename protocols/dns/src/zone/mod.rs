//! Zones: their text, their records in memory, and what they answer. For servers.
//!
//! [`Zone`] is loaded from a zone file, with the limits of [`ZoneConfig`], or from records. It is checked when it is built, does not
//! change, and can be shared between threads. Errors say where in the text something is wrong: [`ZoneError`].
//!
//! Signed zones are served as they are: signatures, NSEC and NSEC3 records
//! are passed on to clients that ask for them; nothing is signed here.

mod build;
mod config;
mod data;
mod denial;
pub(crate) mod difference;
pub(crate) mod edit;
mod error;
mod generate;
mod lex;
mod load;
mod lookup;
pub(crate) mod name;
mod node;
mod record;
mod records;
pub(crate) mod response_writer;
pub(crate) mod schema;
mod text;
#[allow(clippy::module_inception, reason = "the file bears the name of its type")]
mod zone;

#[cfg(test)]
mod tests;

pub use config::ZoneConfig;
pub use error::{Place, ZoneError, ZoneFault, ZoneWarning};
pub(crate) use zone::Cursor;
pub use zone::Zone;

use crate::codec::{Name, RecordType};

/// A record in one line, as [`Zone`] writes it: with its whole name, TTL, class, type and data; types without a text form as in RFC 3597.
///
/// # Errors
///
/// [`ZoneError`] if it cannot be in a zone: another class than IN, a type such as OPT, invalid data.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
/// use sinew_dns::{codec::{RData, Record}, zone::text_of};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let record = Record::from_rdata("a.example.".parse()?, 60, RData::A(Ipv4Addr::LOCALHOST.into()));
/// assert_eq!(text_of(&record)?, "a.example. 60 IN A 127.0.0.1");
/// # Ok(())
/// # }
/// ```
pub fn text_of(record: &crate::codec::Record) -> Result<String, ZoneError> {
    record::ZoneRecord::from_record(record).map(|record| record.to_string())
}

/// A name as a zone file has it: absolute, with everything escaped that is not printable ASCII.
///
/// # Examples
///
/// ```
/// use sinew_dns::{codec::Name, zone::text_of_name};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name = Name::from_labels([&b"a\x1b b"[..], b"example"])?;
/// assert_eq!(text_of_name(&name), "a\\027\\032b.example.");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn text_of_name(name: &Name) -> String {
    name::WireName::from_name(name).to_string()
}

/// A type as a zone file has it: its mnemonic, or `TYPE65280` (RFC 3597, section 5); also the types that are only asked for.
#[must_use]
pub fn text_of_type(record_type: RecordType) -> String {
    match u16::from(record_type) {
        schema::ANY => "ANY".to_owned(),
        schema::AXFR => "AXFR".to_owned(),
        schema::IXFR => "IXFR".to_owned(),
        number => schema::type_text(number).into(),
    }
}

/// The type with this text, in upper or lower case; the inverse of [`text_of_type`].
///
/// # Examples
///
/// ```
/// use sinew_dns::zone::{text_of_type, type_of_text};
///
/// for text in ["MX", "URI", "TYPE65280", "AXFR"] {
///     assert_eq!(type_of_text(&text.to_lowercase()).map(text_of_type).as_deref(), Some(text));
/// }
/// assert_eq!(type_of_text("MXX"), None);
/// ```
#[must_use]
pub fn type_of_text(text: &str) -> Option<RecordType> {
    let number = match text.to_ascii_uppercase().as_str() {
        "ANY" => schema::ANY,
        "AXFR" => schema::AXFR,
        "IXFR" => schema::IXFR,
        other => schema::type_number(other.as_bytes())?,
    };
    Some(number.into())
}
