//! What the session writes to: [`Lines`].

use sinew_protocols::basic::FrameTransport;

use crate::smtp::codec::CommandLine;

/// The transport of a connection, whose input is lines of commands.
pub(super) type Lines<'a> = FrameTransport<'a, CommandLine>;
