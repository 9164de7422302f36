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
