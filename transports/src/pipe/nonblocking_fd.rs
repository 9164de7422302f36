//! Non-blocking reads and writes on a descriptor, without side effects on processes that share it: [`Descriptor`]. Knows no engine
//! and no stream. The reasons are in docs/design/11-standard-streams.md.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::{FileType, OFlags},
    io::Errno,
    net::{RecvFlags, SendFlags},
};

/// Longest write to a blocking description that does not block after poll(2) has reported it writable (POSIX, `PIPE_BUF`).
const POLLED_WRITE_MAX: usize =
    if cfg!(any(target_os = "linux", target_os = "android")) { 4096 } else { 512 };

/// Without MSG_NOSIGNAL, a write to a closed socket would raise SIGPIPE.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SEND: SendFlags = SendFlags::DONTWAIT;

/// A file descriptor, with its way of non-blocking access.
pub(crate) struct Descriptor {
    fd: OwnedFd,
    access: Access,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// The open file description is not shared, and in non-blocking mode.
    Exclusive,
    /// A socket: each call passes MSG_DONTWAIT.
    Socket,
    /// A shared description in blocking mode: poll(2) is called before each call.
    Polled,
    /// A regular file: never blocks except on the disk.
    File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pipe,
    Terminal,
    Other,
}

impl Descriptor {
    /// A descriptor whose description may be set to non-blocking mode: it is not shared, or only with users who accept that.
    pub(crate) fn exclusive(fd: OwnedFd) -> io::Result<Self> {
        let file_type = file_type(fd.as_fd())?;
        let access = if file_type == FileType::RegularFile {
            Access::File
        } else {
            rustix::io::ioctl_fionbio(&fd, true)?;
            Access::Exclusive
        };
        Ok(Self { kind: kind(&fd, file_type), fd, access })
    }

    /// Non-blocking access to a descriptor whose description is shared.
    pub(super) fn shared(fd: BorrowedFd<'_>, flags: OFlags) -> io::Result<Self> {
        let file_type = file_type(fd)?;
        let (fd, access) = match file_type {
            FileType::RegularFile => (fd.try_clone_to_owned()?, Access::File),
            FileType::Socket => (fd.try_clone_to_owned()?, Access::Socket),
            _ => match reopen(fd, flags) {
                Ok(fd) => (fd, Access::Exclusive),
                Err(error) => {
                    tracing::debug!(%error, "could not reopen a standard stream; using poll(2) before each call");
                    (fd.try_clone_to_owned()?, Access::Polled)
                }
            },
        };
        Ok(Self { kind: kind(&fd, file_type), fd, access })
    }

    /// As `read(2)`. EIO of a terminal that was hung up is reported as the end of the input.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.access {
            Access::Exclusive | Access::File => rustix::io::read(&self.fd, buffer),
            Access::Socket => {
                rustix::net::recv(&self.fd, buffer, RecvFlags::DONTWAIT).map(|(_, n)| n)
            }
            Access::Polled if self.is_ready(PollFlags::IN) => rustix::io::read(&self.fd, buffer),
            Access::Polled => Err(Errno::WOULDBLOCK),
        };
        match read {
            // Linux returns EIO for the master of a pty when the slave side is closed.
            Err(Errno::IO) if self.kind == Kind::Terminal => Ok(0),
            read => Ok(read?),
        }
    }

    /// As `writev(2)`.
    pub(super) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = match self.access {
            Access::Exclusive | Access::File => rustix::io::writev(&self.fd, slices),
            Access::Socket => rustix::net::sendmsg(
                &self.fd,
                slices,
                &mut rustix::net::SendAncillaryBuffer::default(),
                SEND,
            ),
            Access::Polled if self.is_ready(PollFlags::OUT) => {
                let first = slices.iter().find(|slice| !slice.is_empty());
                let first = first.map_or(&[][..], |slice| slice);
                rustix::io::write(&self.fd, &first[..first.len().min(POLLED_WRITE_MAX)])
            }
            Access::Polled => Err(Errno::WOULDBLOCK),
        };
        Ok(written?)
    }

    /// Ends the output. A socket that may be shared is shut down; anything else ends by closing the descriptor.
    pub(super) fn end_output(&self) {
        if self.access == Access::Socket {
            // It fails if the peer has gone, which needs no handling.
            let _ = rustix::net::shutdown(&self.fd, rustix::net::Shutdown::Write);
        }
    }

    /// Whether a short read means that the input is drained. Terminals return one line at a time.
    pub(super) fn short_read_drains(&self) -> bool {
        self.kind == Kind::Pipe && self.access != Access::Polled
    }

    /// Whether a short write means that the output is full.
    pub(super) fn short_write_fills(&self) -> bool {
        matches!(self.access, Access::Exclusive | Access::Socket)
    }

    /// Whether it is always ready, so that it need not be registered.
    pub(super) fn is_always_ready(&self) -> bool {
        self.access == Access::File
    }

    pub(super) fn has_input(&self) -> bool {
        self.is_ready(PollFlags::IN)
    }

    pub(super) fn unread(&self) -> usize {
        rustix::io::ioctl_fionread(&self.fd)
            .map_or(0, |len| usize::try_from(len).unwrap_or(usize::MAX))
    }

    pub(super) fn is_pipe(&self) -> bool {
        self.kind == Kind::Pipe
    }

    /// For the writing end of a pipe: whether no reader is left.
    pub(super) fn is_broken(&self) -> bool {
        self.is_ready(PollFlags::empty())
    }

    fn is_ready(&self, flags: PollFlags) -> bool {
        let mut polled_fds = [PollFd::new(&self.fd, flags)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A poll(2) error shows in the call that follows, too.
        rustix::event::poll(&mut polled_fds, Some(&now)) != Ok(0)
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn file_type(fd: BorrowedFd<'_>) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode as _))
}

fn kind(fd: &OwnedFd, file_type: FileType) -> Kind {
    match file_type {
        // Pipes with O_DIRECT return one packet at a time.
        FileType::Fifo if !is_packet_pipe(fd) => Kind::Pipe,
        FileType::CharacterDevice if rustix::termios::isatty(fd) => Kind::Terminal,
        _ => Kind::Other,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_packet_pipe(fd: &OwnedFd) -> bool {
    rustix::fs::fcntl_getfl(fd).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_packet_pipe(_: &OwnedFd) -> bool {
    false
}

/// Reopens the file of a descriptor, for an open file description with flags of its exclusive.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn reopen(fd: BorrowedFd<'_>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let always = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags | always, rustix::fs::Mode::empty())
}

/// Elsewhere only terminals can be reopened by name; `/dev/fd` would return the same description.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn reopen(fd: BorrowedFd<'_>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let always = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let name = rustix::termios::ttyname(fd, Vec::new())?;
    rustix::fs::open(name, flags | always, rustix::fs::Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{self, ErrorKind, Read, Seek, Write},
        os::unix::net::UnixStream,
    };

    use super::*;

    fn blocks(fd: &impl AsFd) -> bool {
        !rustix::fs::fcntl_getfl(fd).expect("it is open").contains(OFlags::NONBLOCK)
    }

    fn would_block(result: io::Result<usize>) -> bool {
        result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Waits for input and reads it. The end may take a moment, since children started by other tests hold copies of all
    /// descriptors until they call exec(2).
    fn read(descriptor: &Descriptor) -> io::Result<Vec<u8>> {
        rustix::event::poll(&mut [PollFd::new(descriptor, PollFlags::IN)], None)?;
        let mut buffer = [0; 64];
        let n = descriptor.read(&mut buffer)?;
        Ok(buffer[..n].to_vec())
    }

    /// A shared description stays in blocking mode for others, but never blocks here.
    #[test]
    fn shared_pipe_is_reopened() {
        let (reader, mut writer) = io::pipe().unwrap();
        let shared = Descriptor::shared(reader.as_fd(), OFlags::RDONLY).unwrap();
        assert!(would_block(shared.read(&mut [0; 8])) && blocks(&reader));
        writer.write_all(b"hello").unwrap();
        assert_eq!(read(&shared).unwrap(), b"hello");
        drop(writer);
        assert_eq!(read(&shared).unwrap(), b"");
    }

    #[test]
    fn shared_socket_uses_dontwait() {
        let (socket, mut peer) = UnixStream::pair().unwrap();
        let shared = Descriptor::shared(socket.as_fd(), OFlags::RDWR).unwrap();
        assert_eq!(shared.access, Access::Socket);
        assert!(would_block(shared.read(&mut [0; 8])) && blocks(&socket));
        peer.write_all(b"hello").unwrap();
        assert_eq!(read(&shared).unwrap(), b"hello");
        let full = [7; 1 << 16];
        while shared.write_vectored(&[IoSlice::new(&full)]).is_ok() {}
        assert!(would_block(shared.write_vectored(&[IoSlice::new(&full)])) && blocks(&socket));
    }

    /// A descriptor that cannot be reopened, for example since another user has created it.
    fn polled(fd: impl Into<OwnedFd>) -> Descriptor {
        let fd = fd.into();
        let kind = kind(&fd, file_type(fd.as_fd()).unwrap());
        Descriptor { fd, access: Access::Polled, kind }
    }

    #[test]
    fn descriptor_that_cannot_be_reopened_is_polled() {
        let (reader, writer) = io::pipe().unwrap();
        let (mut shared_reader, mut shared_writer) =
            (reader.try_clone().unwrap(), writer.try_clone().unwrap());
        let (reader, writer) = (polled(reader), polled(writer));
        assert!(would_block(reader.read(&mut [0; 8])));
        shared_writer.write_all(b"hello").unwrap();
        assert_eq!(read(&reader).unwrap(), b"hello");

        let full = [7; 1 << 20];
        let mut sent = 0;
        while let Ok(n) = writer.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&full)]) {
            assert!(n <= POLLED_WRITE_MAX);
            sent += n;
        }
        assert!(sent > 0 && blocks(&writer) && blocks(&shared_reader));
        let mut taken = vec![0; sent];
        shared_reader.read_exact(&mut taken).unwrap();
        assert!(taken.iter().all(|byte| *byte == 7));

        drop((shared_writer, writer));
        assert_eq!(read(&reader).unwrap(), b"");
    }

    /// Append mode and the file offset stay shared.
    #[test]
    fn regular_file_keeps_its_offset() {
        let path = std::env::temp_dir().join(format!("sinew-shared-{}", std::process::id()));
        std::fs::write(&path, "one\n").unwrap();
        let mut file = File::options().read(true).append(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let shared = Descriptor::shared(file.as_fd(), OFlags::WRONLY).unwrap();
        assert!(shared.is_always_ready());
        shared.write_vectored(&[IoSlice::new(b"two\n")]).unwrap();
        file.write_all(b"three\n").unwrap();
        file.rewind().unwrap();
        assert_eq!(read(&shared).unwrap(), b"one\ntwo\nthree\n");
    }
}
