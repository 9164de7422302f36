//! The system call: `recvmmsg(2)`, which no crate here has.

#![allow(unsafe_code, reason = "the call takes pointers")]

use std::{
    io, mem,
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use sinew_reactor::{
    PacketInfo,
    packet_info::{CONTROL_LEN, from_control, socket_addr},
};

/// Room for so many datagrams, and what came into it last.
pub(super) struct Slots {
    /// The room of each, one after the other.
    room: usize,
    storage: Box<[u8]>,
    names: Box<[libc::sockaddr_storage]>,
    /// None, if nothing is told beside the datagrams.
    controls: Box<[Control]>,
    pieces: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

/// Control messages begin at multiples of a word.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

impl Slots {
    /// For `count` datagrams of at most `room` bytes, and for where they were sent to if that is told.
    pub(super) fn new(count: usize, room: usize, is_informed: bool) -> Self {
        // SAFETY: all three are plain data of the system's, of which all zeroes are a value: no address, no memory.
        let (name, piece, header) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        let controls = if is_informed { count } else { 0 };
        Self {
            room,
            storage: vec![0; count * room].into(),
            names: vec![name; count].into(),
            controls: vec![Control([0; CONTROL_LEN]); controls].into(),
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
        for (control, header) in self.controls.iter_mut().zip(&mut self.headers) {
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_LEN as _;
        }
        let count = libc::c_uint::try_from(self.headers.len()).unwrap_or(libc::c_uint::MAX);
        // SAFETY: `headers` has `count` headers; each points to one piece, one name and at most one room for control messages, and
        // each piece to its own room in `storage`, with their true lengths. All of it is ours, lies still, and is borrowed until the
        // call returns; the system keeps no pointer.
        let received = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count, 0, ptr::null_mut())
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }

    /// One of those that came last, and from where; `None` for an address of no family of the internet. And where it was sent to.
    pub(super) fn get(&self, at: usize) -> (&[u8], Option<SocketAddr>, Option<PacketInfo>) {
        let header = &self.headers[at];
        let len = usize::try_from(header.msg_len).map_or(self.room, |len| len.min(self.room));
        #[allow(clippy::unnecessary_cast, reason = "C libraries have different types for it")]
        let told = (header.msg_hdr.msg_controllen as usize).min(CONTROL_LEN);
        let info = self.controls.get(at).and_then(|control| from_control(&control.0[..told]));
        (&self.storage[at * self.room..][..len], socket_addr(&self.names[at]), info)
    }
}

const NAME_LEN: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
