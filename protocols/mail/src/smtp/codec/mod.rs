//! What is said in SMTP, without I/O: [`Command`]s with their parameters, [`Reply`]s, [`Address`]es, [`Capabilities`].
//!
//! Nothing that a user passes in can end a line: every value is checked when it is made. The text of a message is framed by
//! [`DotStuffed`](sinew_protocols::basic::DotStuffed) and [`DotStuffing`](sinew_protocols::basic::DotStuffing).

mod address;
mod capabilities;
mod command;
mod command_line;
mod completion;
pub(crate) mod date;
mod hops;
mod line_ends;
mod message_facts;
mod parameters;
mod reply;
pub(crate) mod xtext;

pub(crate) use address::host_of_literal;
pub use address::{Address, AddressError};
pub use capabilities::Capabilities;
pub use command::{Command, CommandError};
pub use command_line::CommandLine;
pub use completion::Completion;
pub use hops::HopCounter;
pub use line_ends::LineEnds;
pub use message_facts::MessageFacts;
pub use parameters::{Body, Notify, Recipient, Return, Sender};
pub use reply::{EnhancedCode, Reply, ReplyDecoder, ReplyError};
