//! A UDP socket that receives several datagrams by one system call, `recvmmsg(2)` (Linux), and returns them one by one.

use std::{cell::RefCell, io, net::SocketAddr, os::fd::AsFd};

use mio::net::UdpSocket;
use sinew_reactor::{PacketInfo, Reactor, RegisterError, Token};

use super::socket_io::SocketIo;
use crate::net::Received;

mod sys;

use sys::Slots;

pub(super) struct Batched {
    socket: UdpSocket,
    /// Datagrams per call, bytes for each, and whether packet info is received.
    shape: (usize, usize, bool),
    batch: RefCell<Option<Batch>>,
}

/// The datagrams received last. Allocated on the first receive.
struct Batch {
    slots: Slots,
    next: usize,
    len: usize,
    /// The last call has received less than it could, so there are no more until the engine reports some.
    is_drained: bool,
}

impl Batched {
    pub(super) fn new(
        socket: UdpSocket,
        count: usize,
        room: usize,
        with_packet_info: bool,
    ) -> Self {
        Self { socket, shape: (count, room, with_packet_info), batch: RefCell::default() }
    }
}

impl SocketIo<SocketAddr> for Batched {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        self.socket.register(reactor)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<SocketAddr>> {
        let mut batch = self.batch.borrow_mut();
        let (count, room, with_packet_info) = self.shape;
        let batch = batch.get_or_insert_with(|| {
            let slots = Slots::new(count, room, with_packet_info);
            Batch { slots, next: 0, len: 0, is_drained: false }
        });
        if batch.next == batch.len {
            if batch.is_drained {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            (batch.next, batch.len) = (0, 0);
            batch.len = batch.slots.receive(self.socket.as_fd())?;
            batch.is_drained = batch.len < count;
        }
        let (data, from, info) = batch.slots.get(batch.next);
        batch.next += 1;
        let from = from.ok_or(io::ErrorKind::InvalidData)?;
        let len = data.len().min(buffer.len());
        buffer[..len].copy_from_slice(&data[..len]);
        Ok(Received { len, from, info })
    }

    fn became_readable(&self) {
        if let Some(batch) = &mut *self.batch.borrow_mut() {
            batch.is_drained = false;
        }
    }

    fn send(
        &self,
        data: &[u8],
        to: Option<&SocketAddr>,
        from: Option<&PacketInfo>,
    ) -> io::Result<()> {
        SocketIo::send(&self.socket, data, to, from)
    }

    fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local()
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        self.socket.peer()
    }

    fn as_udp(&self) -> Option<&UdpSocket> {
        Some(&self.socket)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket as StdSocket;

    use super::*;

    /// Counts system calls by what is left in the kernel's buffer.
    #[test]
    fn one_call_receives_a_batch() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let socket = StdSocket::bind(any).unwrap();
            socket.set_nonblocking(true).unwrap();
            let peeker = socket.try_clone().unwrap();
            let local = socket.local_addr().unwrap();
            let senders = [StdSocket::bind(any).unwrap(), StdSocket::bind(any).unwrap()];
            let sent: Vec<_> = (0..7_usize).map(|at| (vec![7; at], &senders[at % 2])).collect();
            for (data, from) in &sent {
                from.send_to(data, local).unwrap();
            }
            let batched = Batched::new(UdpSocket::from_std(socket), 4, 6, false);
            let mut buffer = [0; 6];
            for (at, (data, from)) in sent.iter().enumerate() {
                let Received { len, from: addr, .. } = batched.receive(&mut buffer).unwrap();
                assert_eq!((&buffer[..len], addr), (&**data, from.local_addr().unwrap()));
                let left = peeker.peek_from(&mut [0; 6]).map(|(len, _)| len).ok();
                assert_eq!(left, if at < 4 { Some(4) } else { None }, "after {at}");
            }
            let received = |buffer: &mut [u8]| batched.receive(buffer).map_err(|it| it.kind());
            let nothing = io::ErrorKind::WouldBlock;
            assert_eq!(received(&mut buffer).map(drop), Err(nothing));
            // The kernel is asked again only when it has something.
            senders[0].send_to(b"more", local).unwrap();
            assert_eq!(received(&mut buffer).map(drop), Err(nothing));
            batched.became_readable();
            assert_eq!(received(&mut buffer).map(|it| it.len), Ok(4));
        }
    }
}
