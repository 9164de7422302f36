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
mod error;
mod generate;
mod lex;
mod lookup;
pub(crate) mod name;
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
pub(crate) use lookup::Verdict;
pub(crate) use zone::Cursor;
pub use zone::Zone;
