//! The system call: `recvmmsg(2)`, which no crate here has.

#![allow(unsafe_code, reason = "the call takes pointers")]

use std::{
    io, mem,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

/// Room for so many datagrams, and what came into it last.
pub(super) struct Slots {
    /// The room of each, one after the other.
    room: usize,
    storage: Box<[u8]>,
    names: Box<[libc::sockaddr_storage]>,
    pieces: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

impl Slots {
    /// For `count` datagrams of at most `room` bytes.
    pub(super) fn new(count: usize, room: usize) -> Self {
        // SAFETY: all three are plain data of the system's, of which all zeroes are a value: no address, no memory.
        let (name, piece, header) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        Self {
            room,
            storage: vec![0; count * room].into(),
            names: vec![name; count].into(),
            pieces: vec![piece; count].into(),
            headers: vec![header; count].into(),
        }
    }

    /// Receives what is there; how many came. What did not fit was cut off.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let rooms = self.storage.chunks_exact_mut(self.room);
        let parts = rooms.zip(&mut self.names).zip(&mut self.pieces).zip(&mut self.headers);
        for (((room, name), piece), header) in parts {
            *piece = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
            header.msg_hdr.msg_iov = piece;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = NAME_LEN;
        }
        let count = libc::c_uint::try_from(self.headers.len()).unwrap_or(libc::c_uint::MAX);
        // SAFETY: `headers` has `count` headers; each points to one piece and one name, and each piece to its own room in
        // `storage`, with their true lengths. All of it is ours, lies still, and is borrowed until the call returns; the system
        // keeps no pointer.
        let received = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count, 0, ptr::null_mut())
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }

    /// One of those that came last, and from where; `None` for an address of no family of the internet.
    pub(super) fn get(&self, at: usize) -> (&[u8], Option<SocketAddr>) {
        let len =
            usize::try_from(self.headers[at].msg_len).map_or(self.room, |len| len.min(self.room));
        (&self.storage[at * self.room..][..len], addr(&self.names[at]))
    }
}

const NAME_LEN: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;

fn addr(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is one; a storage is large and aligned enough for any.
            let v4 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let (port, flow) = (u16::from_be(v6.sin6_port), u32::from_be(v6.sin6_flowinfo));
            Some(
                SocketAddrV6::new(v6.sin6_addr.s6_addr.into(), port, flow, v6.sin6_scope_id).into(),
            )
        }
        _ => None,
    }
}
