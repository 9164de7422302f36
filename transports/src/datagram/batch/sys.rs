//! The system call `recvmmsg(2)`, which no dependency wraps.

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

/// Buffers for a batch of datagrams, and the batch received last.
pub(super) struct Slots {
    /// Bytes for each datagram in `storage`.
    room: usize,
    storage: Box<[u8]>,
    names: Box<[libc::sockaddr_storage]>,
    /// Buffers for control messages; empty without packet info.
    controls: Box<[Control]>,
    pieces: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

/// Control messages must be aligned to a word.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

impl Slots {
    /// Allocates buffers for `count` datagrams of at most `room` bytes, and for their packet info.
    pub(super) fn new(count: usize, room: usize, with_packet_info: bool) -> Self {
        // SAFETY: all three are plain C structs, for which all zeroes are a valid value: null pointers and zero lengths.
        let (name, piece, header) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        let controls = if with_packet_info { count } else { 0 };
        Self {
            room,
            storage: vec![0; count * room].into(),
            names: vec![name; count].into(),
            controls: vec![Control([0; CONTROL_LEN]); controls].into(),
            pieces: vec![piece; count].into(),
            headers: vec![header; count].into(),
        }
    }

    /// Receives up to a batch, and returns the count. Longer datagrams are truncated.
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
        // SAFETY: `headers` has `count` headers; each points to one iovec, one name and at most one control buffer, and each iovec to
        // its own part of `storage`, with their true lengths. All are owned by `self`, do not move, and are borrowed until the call
        // returns; the kernel keeps no pointer.
        let received = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count, 0, ptr::null_mut())
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }

    /// A datagram of the last batch, its sender (`None` if it is not an IP address), and its packet info.
    pub(super) fn get(&self, at: usize) -> (&[u8], Option<SocketAddr>, Option<PacketInfo>) {
        let header = &self.headers[at];
        let len = usize::try_from(header.msg_len).map_or(self.room, |len| len.min(self.room));
        #[allow(clippy::unnecessary_cast, reason = "C libraries have different types for it")]
        let control_len = (header.msg_hdr.msg_controllen as usize).min(CONTROL_LEN);
        let info =
            self.controls.get(at).and_then(|control| from_control(&control.0[..control_len]));
        (&self.storage[at * self.room..][..len], socket_addr(&self.names[at]), info)
    }
}

const NAME_LEN: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
