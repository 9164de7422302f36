//! Receiving descriptors without a reactor: [`receive_descriptors`].

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use crate::stream::rights;

/// Receives bytes from a Unix socket, and the descriptors that came with them, by one recvmsg(2): for a program that has no reactor yet.
/// Returns the number of bytes, 0 at the end. Descriptors are closed on exec. Unix only.
///
/// # Errors
///
/// Those of the call; and if descriptors were lost, because there is no room for them in this process.
pub fn receive_descriptors(
    socket: &UnixStream,
    buffer: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let received = rights::receive(socket, buffer)?;
    Ok((received.bytes, received.descriptors))
}
