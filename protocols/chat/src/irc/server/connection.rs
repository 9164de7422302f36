//! One connection of a server over a stream of bytes: [`IrcSession`], a thin protocol.

use std::fmt;

use sinew_protocols::basic::{FrameError, FrameHandler, FrameTransport, Framed};
use sinew_transports::{ConnectionLost, TimerId, Transport};

use super::{
    IrcServer,
    session::{Line, Session},
};
use crate::irc::codec::IrcLine;

/// A connection of an [`IrcServer`], as a [`Protocol`](sinew_transports::Protocol).
pub type IrcServerConnection = Framed<IrcLine, IrcSession>;

type Lines<'a> = FrameTransport<'a, IrcLine>;

/// Handles the lines of a client. Made by [`IrcServer`].
pub struct IrcSession(Session);

pub(super) fn new(server: IrcServer) -> IrcServerConnection {
    Framed::with_decoder(IrcLine::from_clients(), IrcSession(Session::new(server)))
}

impl FrameHandler<IrcLine> for IrcSession {
    fn connection_made(&mut self, transport: &mut Lines<'_>) {
        let transport: &Transport = transport;
        let (ip, is_secure) = (transport.peer().ip(), transport.is_tls());
        self.0.begin(transport, Box::new(transport.clone()), ip, is_secure);
    }

    fn frame_received(&mut self, transport: &mut Lines<'_>, line: &[u8]) {
        let line =
            if transport.decoder().is_too_long() { Line::TooLong } else { Line::Whole(line) };
        self.0.line(&**transport, line);
    }

    fn reading_resumed(&mut self, transport: &mut Lines<'_>) {
        self.0.reading_resumed(&**transport);
    }

    fn timer_fired(&mut self, transport: &mut Lines<'_>, timer: TimerId) {
        self.0.timer_fired(&**transport, timer);
    }

    fn unfinished(&mut self, _: &mut Lines<'_>, _: &[u8]) -> Result<(), FrameError> {
        // Half a command is none.
        Ok(())
    }

    fn read_closed(&mut self, transport: &mut Lines<'_>) {
        self.0.leave(&**transport, "Remote host closed the connection");
    }

    fn drain_requested(&mut self, transport: &mut Lines<'_>) {
        self.0.leave(&**transport, "The server is going down");
    }

    fn connection_lost(&mut self, transport: &mut Lines<'_>, reason: &ConnectionLost) {
        self.0.lost(&**transport, &reason.to_string());
    }
}

impl fmt::Debug for IrcSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrcSession").field("id", &self.0.id).finish_non_exhaustive()
    }
}
