//! A minimal echo server on io_uring: one multishot accept, one multishot receive for each
//! connection from one ring of provided buffers for all, answers by plain `send`, one `io_uring_enter` a turn.
//!
//! What the kernel does not take is kept until the ring reports that the socket has room again. A connection
//! keeps receiving meanwhile: the load bounds the data in flight.

#![allow(unsafe_code, reason = "the ring is memory shared with the kernel")]

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::atomic::{AtomicU16, Ordering};

use bench::convention::unavailable;
use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use slab::Slab;

const BUFFER_LEN: usize = 64 * 1024;
const BUFFERS: u16 = 64;
const GROUP: u16 = 0;
const ENTRIES: u32 = 1024;

/// The `user_data` of an operation: the connection's key, and the kind of operation in the low bit.
const RECEIVED: u64 = 0;
const WRITABLE: u64 = 1;
const ACCEPTED: u64 = u64::MAX;

const ENOBUFS: i32 = Errno::NOBUFS.raw_os_error();

fn main() -> io::Result<()> {
    let mut ring = match ring() {
        Err(error) => unavailable(format_args!("io_uring: {error}")),
        Ok(ring) => ring,
    };
    let buffers = match Buffers::register(&ring) {
        Err(error) => unavailable(format_args!("io_uring: a ring of buffers: {error}")),
        Ok(buffers) => buffers,
    };
    let listener = bench::convention::listen()?;
    let mut server = Server { listener: listener.as_raw_fd(), buffers, connections: Slab::new() };
    push(&mut ring, &server.accept())?;
    let mut events = Vec::new();
    loop {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        events.extend(ring.completion());
        for event in events.drain(..) {
            server.completed(&mut ring, &event)?;
        }
    }
}

fn ring() -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_cqsize(16 * ENTRIES)
        .build(ENTRIES)
}

fn push(ring: &mut IoUring, entry: &squeue::Entry) -> io::Result<()> {
    // SAFETY: no entry of this program points to memory; buffers come from the registered ring, which lives as
    // long as the process.
    while unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit()?;
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
}

struct Server {
    listener: RawFd,
    buffers: Buffers,
    connections: Slab<Connection>,
}

impl Server {
    fn accept(&self) -> squeue::Entry {
        opcode::AcceptMulti::new(Fd(self.listener)).build().user_data(ACCEPTED)
    }

    fn receive(&self, key: usize) -> squeue::Entry {
        let fd = Fd(self.connections[key].stream.as_raw_fd());
        opcode::RecvMulti::new(fd, GROUP).build().user_data((key as u64) << 1 | RECEIVED)
    }

    fn completed(&mut self, ring: &mut IoUring, event: &cqueue::Entry) -> io::Result<()> {
        let key = (event.user_data() >> 1) as usize;
        if event.user_data() == ACCEPTED {
            if event.result() >= 0 {
                // SAFETY: the kernel has just opened this descriptor for us.
                let stream = unsafe { TcpStream::from_raw_fd(event.result()) };
                let key = self.connections.insert(Connection { stream, unsent: Vec::new() });
                push(ring, &self.receive(key))?;
            }
            if !cqueue::more(event.flags()) {
                push(ring, &self.accept())?;
            }
        } else if event.user_data() & 1 == WRITABLE {
            let connection = &mut self.connections[key];
            let unsent = std::mem::take(&mut connection.unsent);
            connection.answer(ring, key, &unsent)?;
        } else {
            self.received(ring, key, event)?;
        }
        Ok(())
    }

    fn received(
        &mut self,
        ring: &mut IoUring,
        key: usize,
        event: &cqueue::Entry,
    ) -> io::Result<()> {
        if let Some(id) = cqueue::buffer_select(event.flags()) {
            let data = self.buffers.filled(id, event.result().max(0) as usize);
            self.connections[key].answer(ring, key, data)?;
            self.buffers.give_back(id);
        }
        if !cqueue::more(event.flags()) {
            if event.result() > 0 || event.result() == -ENOBUFS {
                push(ring, &self.receive(key))?;
            } else if self.connections[key].unsent.is_empty() {
                self.connections.remove(key);
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Sends as much as the kernel takes, and polls for room for the rest.
    fn answer(&mut self, ring: &mut IoUring, key: usize, data: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(data);
            return Ok(());
        }
        match send(&self.stream, data, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(sent) if sent == data.len() => return Ok(()),
            Ok(sent) => self.unsent.extend_from_slice(&data[sent..]),
            Err(Errno::AGAIN) => self.unsent.extend_from_slice(data),
            // Ends the receive, and with it the connection. It may have ended already.
            Err(_) => {
                let _ = shutdown(&self.stream, Shutdown::Both);
                return Ok(());
            }
        }
        let fd = Fd(self.stream.as_raw_fd());
        let wait = opcode::PollAdd::new(fd, 4 /* POLLOUT */).build();
        push(ring, &wait.user_data((key as u64) << 1 | WRITABLE))
    }
}

/// The provided buffers that the kernel receives into, and the ring that recycles them.
struct Buffers {
    ring: &'static mut [BufRingEntry],
    memory: Vec<u8>,
    tail: u16,
}

impl Buffers {
    fn register(ring: &IoUring) -> io::Result<Self> {
        // A ring starts at a page; both live as long as the process.
        const PAGE: usize = 4096;
        let bytes = vec![0u8; BUFFERS as usize * size_of::<BufRingEntry>() + PAGE].leak();
        let start = bytes.as_mut_ptr().align_offset(PAGE);
        let first = bytes[start..].as_mut_ptr().cast::<BufRingEntry>();
        // SAFETY: from here there is room for that many entries, zeroed, aligned to a page and owned by us alone.
        let entries = unsafe { std::slice::from_raw_parts_mut(first, BUFFERS.into()) };
        // SAFETY: the entries are never freed.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(first as u64, BUFFERS, GROUP, 0)?;
        }
        let memory = vec![0; BUFFER_LEN * usize::from(BUFFERS)];
        let mut buffers = Self { ring: entries, memory, tail: 0 };
        (0..BUFFERS).for_each(|id| buffers.give_back(id));
        Ok(buffers)
    }

    fn filled(&self, id: u16, len: usize) -> &[u8] {
        &self.memory[usize::from(id) * BUFFER_LEN..][..len]
    }

    fn give_back(&mut self, id: u16) {
        let start = usize::from(id) * BUFFER_LEN;
        let addr = self.memory[start..].as_mut_ptr() as u64;
        let entry = &mut self.ring[usize::from(self.tail % BUFFERS)];
        entry.set_addr(addr);
        entry.set_len(BUFFER_LEN as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail of the ring is in its first entry, which lives as long as the process; the kernel
        // only reads it.
        let tail = unsafe { &*BufRingEntry::tail(self.ring.as_ptr()).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}
