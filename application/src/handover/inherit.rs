//! The start of a new process: receives the sockets of the old one, blocking, before there is a reactor.

use std::{
    collections::{HashMap, VecDeque},
    env,
    fmt::Display,
    io::{self, Write},
    os::{
        fd::{OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use sinew_reactor::{close_inherited_on_exec, inherited};
use sinew_transports::{DescriptorKind, HandedPort, adopt::receive_descriptors};

use super::{
    HandoverError, VARIABLE,
    message::{Decoder, Kind, Message, SOCKETS_MAX},
};

/// How long each part of the offer may take. The old process sends it when it starts this one.
const OFFER_MAX: Duration = Duration::from_secs(10);

/// The number of the descriptor in the new process.
pub(super) const DESCRIPTOR: RawFd = 3;

/// A socket of the old process.
#[derive(Debug)]
pub(super) enum Inherited {
    Port(HandedPort),
    Udp(OwnedFd),
}

/// What the old process offers.
pub(super) struct Offer {
    pub(super) channel: UnixStream,
    pub(super) sockets: HashMap<String, Vec<Inherited>>,
    /// With what has come after the offer.
    pub(super) decoder: Decoder,
}

/// The value of the variable for a process that `pid` starts.
pub(super) fn variable(pid: u32) -> String {
    format!("{DESCRIPTOR}:{pid}")
}

/// The offer of the process that has started this one to be replaced by it.
pub(super) fn receive() -> Result<Option<Offer>, HandoverError> {
    let Some(value) = env::var_os(VARIABLE) else { return Ok(None) };
    let value = value.to_string_lossy().into_owned();
    let parsed = value.split_once(':').and_then(|(fd, pid)| {
        let fd = fd.parse::<u16>().ok()?;
        Some((RawFd::from(fd), pid.parse::<u32>().ok()?))
    });
    let Some((fd, pid)) = parsed else { return Err(HandoverError::Variable { value }) };
    let Some(channel) = channel(fd, pid) else {
        // A program that was started by one that has taken over has the variable, too.
        tracing::debug!(%value, "SINEW_HANDOVER is of another process");
        return Ok(None);
    };
    close_inherited_on_exec(fd).map_err(HandoverError::receive)?;
    channel.set_read_timeout(Some(OFFER_MAX)).map_err(HandoverError::receive)?;
    receive_from(channel).map(Some)
}

/// The connection to the old process, if this descriptor is one.
fn channel(fd: RawFd, pid: u32) -> Option<UnixStream> {
    let descriptor = inherited(fd).ok()?;
    if DescriptorKind::of(&descriptor).ok()? != DescriptorKind::UnixConnection {
        return None;
    }
    let channel = UnixStream::from(descriptor);
    is_made_by(&channel, pid).then_some(channel)
}

/// Whether the process `pid` has made the socketpair.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_made_by(channel: &UnixStream, pid: u32) -> bool {
    // In another namespace of process ids it has none.
    rustix::net::sockopt::socket_peercred(channel)
        .is_ok_and(|peer| u32::try_from(peer.pid.as_raw_nonzero().get()) == Ok(pid))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_made_by(_: &UnixStream, _: u32) -> bool {
    true
}

/// Reads the offer.
pub(super) fn receive_from(channel: UnixStream) -> Result<Offer, HandoverError> {
    let (mut decoder, mut descriptors) = (Decoder::default(), VecDeque::new());
    let count = match next(&channel, &mut decoder, &mut descriptors)? {
        Message::Offer { sockets, .. } => usize::try_from(sockets).unwrap_or(usize::MAX),
        other => return Err(unexpected(&other)),
    };
    if count > SOCKETS_MAX {
        let why = format!("it offers {count} sockets, more than {SOCKETS_MAX}");
        return Err(HandoverError::malformed(why));
    }
    let mut sockets: HashMap<String, Vec<Inherited>> = HashMap::new();
    for _ in 0..count {
        match next(&channel, &mut decoder, &mut descriptors)? {
            Message::Socket { name, kind, has_lock } => {
                let mut take = || {
                    let why = "a socket was announced and not sent";
                    descriptors.pop_front().ok_or_else(|| HandoverError::malformed(why))
                };
                let socket = take()?;
                let lock = if has_lock { Some(take()?) } else { None };
                sockets.entry(name).or_default().push(checked(kind, socket, lock)?);
            }
            other => return Err(unexpected(&other)),
        }
    }
    if !descriptors.is_empty() {
        return Err(HandoverError::malformed("a descriptor was sent that was not announced"));
    }
    channel.set_read_timeout(None).map_err(HandoverError::receive)?;
    Ok(Offer { channel, sockets, decoder })
}

/// The socket, if it is of the announced kind.
fn checked(kind: Kind, socket: OwnedFd, lock: Option<OwnedFd>) -> Result<Inherited, HandoverError> {
    let found = DescriptorKind::of(&socket).map_err(HandoverError::receive)?;
    match kind {
        Kind::Port if found.is_listener() => Ok(Inherited::Port(HandedPort::new(socket, lock))),
        Kind::Udp if found == DescriptorKind::Udp && lock.is_none() => Ok(Inherited::Udp(socket)),
        _ => Err(HandoverError::malformed(format!("a socket is {found}, not what was announced"))),
    }
}

fn unexpected(message: &Message) -> HandoverError {
    HandoverError::malformed(format!("unexpected in an offer: {message:?}"))
}

/// The next message, read if needed.
fn next(
    channel: &UnixStream,
    decoder: &mut Decoder,
    descriptors: &mut VecDeque<OwnedFd>,
) -> Result<Message, HandoverError> {
    loop {
        if let Some(message) = decoder.next().map_err(HandoverError::malformed)? {
            return Ok(message);
        }
        let mut buffer = [0; 4096];
        let received = receive_descriptors(channel, &mut buffer);
        let (read, received) = received.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => HandoverError::receive(io::ErrorKind::TimedOut),
            _ => HandoverError::receive(error),
        })?;
        if read == 0 {
            return Err(HandoverError::receive(io::ErrorKind::UnexpectedEof));
        }
        descriptors.extend(received);
        decoder.push(&buffer[..read]);
    }
}

/// Tells the old process why this one does not start.
pub(super) fn report(mut channel: UnixStream, why: &dyn Display) {
    let message = Message::Failed { why: why.to_string() };
    // The old process learns of the end in any case.
    let _ = channel.set_write_timeout(Some(OFFER_MAX));
    let _ = channel.write_all(&message.to_bytes());
    let _ = channel.shutdown(std::net::Shutdown::Both);
}

#[cfg(test)]
mod tests;
