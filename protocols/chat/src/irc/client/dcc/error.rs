//! Why there is no file and no conversation: [`DccError`].

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use sinew_transports::{ConnectError, ListenError, reactor::Failure};

use crate::irc::client::SendError;

/// What can fail by DCC.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DccError {
    /// The configuration has no [`DccConfig`](super::DccConfig).
    #[error("DCC is off")]
    Off,
    /// The other could not be told.
    #[error(transparent)]
    Send(#[from] SendError),
    /// An address is not public, and not allowed.
    #[error("{ip} is not a public address, and not allowed for DCC")]
    NotAllowed {
        /// The address.
        ip: IpAddr,
    },
    /// A port is below 1,024, and that is not allowed.
    #[error("the port of {at} is below 1024, which is not allowed for DCC")]
    LowPort {
        /// The address.
        at: SocketAddr,
    },
    /// An address is not that of who made the offer.
    #[error("the address {ip} of a DCC offer is not that of who made it, {host}")]
    OtherHost {
        /// The address.
        ip: IpAddr,
        /// The host that the server shows.
        host: IpAddr,
    },
    /// The address of this client is not known.
    #[error("the address of this client is not known, and DCC needs it")]
    NoAddress,
    /// The offer is of the other kind: a conversation and no file, or the reverse.
    #[error("the DCC offer is of another kind")]
    OtherKind,
    /// A file has no name that is safe.
    #[error("a file for DCC has no safe name")]
    NoName,
    /// An offer does not say how long the file is.
    #[error("a DCC offer does not say how long its file is")]
    NoSize,
    /// A file is longer than the limit.
    #[error("a file of {size} bytes, of which at most {max} are received by DCC")]
    TooLarge {
        /// Its length.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// Too many transfers are offered or running.
    #[error("{max} transfers by DCC are offered or running already")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The file is there already, or it is being received.
    #[error("{} is there already", path.display())]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("could not {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Its path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// What is to be sent is not a file.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
    },
    /// There is no connection to who made the offer.
    #[error("could not connect by DCC")]
    Connect(#[from] ConnectError),
    /// No port could be opened.
    #[error("could not open a port for DCC")]
    Listen(#[from] ListenError),
    /// The other has not answered in time, or was not there in time.
    #[error("nobody took the DCC offer within {after:?}")]
    NotTaken {
        /// The time that was allowed.
        after: Duration,
    },
    /// The other does not send the rest of the file.
    #[error("the rest of the file is not sent: no answer to RESUME within {after:?}")]
    NotResumed {
        /// The time that was allowed.
        after: Duration,
    },
    /// The transfer does not go on.
    #[error("the DCC transfer did not go on for {after:?}")]
    Silent {
        /// For how long.
        after: Duration,
    },
    /// The transfer goes on, but too slowly.
    #[error("only {bytes} bytes of the DCC transfer in {within:?}, of at least {least}")]
    TooSlow {
        /// How far it got in this span of time.
        bytes: u64,
        /// How far it had to get.
        least: u64,
        /// The span of time.
        within: Duration,
    },
    /// The connection has ended before the file was whole, or before the other has said that it has all of it.
    #[error("the DCC connection ended after {done} of {size} bytes")]
    Ended {
        /// How many bytes were received, or were acknowledged by the other, with those before the connection.
        done: u64,
        /// The length of the file.
        size: u64,
    },
    /// The connection was lost.
    #[error("the DCC connection was lost")]
    Lost(#[source] io::Error),
    /// More was sent than was announced.
    #[error("more than the {size} bytes were sent that the DCC offer had announced")]
    TooMuch {
        /// The length that was announced.
        size: u64,
    },
    /// The wait was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(DccError);
