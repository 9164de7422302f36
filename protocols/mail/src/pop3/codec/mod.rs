//! What is said in POP3, without I/O: [`Command`]s, [`Status`] lines with their [`ResponseCode`]s, [`Capabilities`], lines of listings,
//! [`UniqueId`]s, and [`TopLines`], which finds the end of what TOP sends.
//!
//! Nothing that a user passes in can end a line: every value is checked when it is made. Texts are framed by
//! [`DotStuffed`](sinew_protocols::basic::DotStuffed) and [`DotStuffing`](sinew_protocols::basic::DotStuffing).

mod apop;
mod capabilities;
mod command;
mod listing;
mod status;
mod top_lines;
mod unique_id;

pub use apop::Timestamp;
pub use capabilities::{Capabilities, Expire};
pub use command::{Command, CommandError};
pub(crate) use listing::parse_stat;
pub use listing::{Listed, ListingError};
pub use status::{ResponseCode, Status, StatusError};
pub use top_lines::TopLines;
pub use unique_id::{UniqueId, UniqueIdError};
