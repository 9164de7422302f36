//! A descriptor, and how it is read and written so that nobody waits and nobody else notices: [`Descriptor`]. It knows no engine
//! and no stream. Why it is done like this is in docs/design/11-standard-streams.md.

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

/// What one write to a description that blocks may bring without waiting, once poll(2) has said that there is room (POSIX, `PIPE_BUF`).
const GUARDED_WRITE_MAX: usize =
    if cfg!(any(target_os = "linux", target_os = "android")) { 4096 } else { 512 };

/// Unasked for, a write to a socket that is closed would be a signal.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SEND: SendFlags = SendFlags::DONTWAIT;

/// See the head of this file.
pub(crate) struct Descriptor {
    fd: OwnedFd,
    access: Access,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// The open file description is ours alone, and does not block.
    Own,
    /// A socket: each call says that it is not to wait.
    Socket,
    /// A description that others have, too, and that blocks: poll(2) is asked before each call.
    Guarded,
    /// Nobody ever waits for it, but for a disk: a regular file.
    File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pipe,
    Terminal,
    Other,
}

impl Descriptor {
    /// A descriptor whose description nobody else has, or nobody who minds that it does not block from now on.
    pub(crate) fn own(fd: OwnedFd) -> io::Result<Self> {
        let file_type = file_type(fd.as_fd())?;
        let access = if file_type == FileType::RegularFile {
            Access::File
        } else {
            rustix::io::ioctl_fionbio(&fd, true)?;
            Access::Own
        };
        Ok(Self { kind: kind(&fd, file_type), fd, access })
    }

    /// A way of our own to what a descriptor leads to that others share.
    pub(super) fn shared(fd: BorrowedFd<'_>, flags: OFlags) -> io::Result<Self> {
        let file_type = file_type(fd)?;
        let (fd, access) = match file_type {
            FileType::RegularFile => (fd.try_clone_to_owned()?, Access::File),
            FileType::Socket => (fd.try_clone_to_owned()?, Access::Socket),
            _ => match reopen(fd, flags) {
                Ok(fd) => (fd, Access::Own),
                Err(error) => {
                    tracing::debug!(%error, "a standard descriptor cannot be opened anew; asking before each call");
                    (fd.try_clone_to_owned()?, Access::Guarded)
                }
            },
        };
        Ok(Self { kind: kind(&fd, file_type), fd, access })
    }

    /// As `read(2)`. A terminal that was hung up has ended.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.access {
            Access::Own | Access::File => rustix::io::read(&self.fd, buffer),
            Access::Socket => {
                rustix::net::recv(&self.fd, buffer, RecvFlags::DONTWAIT).map(|(_, n)| n)
            }
            Access::Guarded if self.is_ready(PollFlags::IN) => rustix::io::read(&self.fd, buffer),
            Access::Guarded => Err(Errno::WOULDBLOCK),
        };
        match read {
            // Linux says so of the master of a pty when nobody has the other side open any more.
            Err(Errno::IO) if self.kind == Kind::Terminal => Ok(0),
            read => Ok(read?),
        }
    }

    /// As `writev(2)`.
    pub(super) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = match self.access {
            Access::Own | Access::File => rustix::io::writev(&self.fd, slices),
            Access::Socket => rustix::net::sendmsg(
                &self.fd,
                slices,
                &mut rustix::net::SendAncillaryBuffer::default(),
                SEND,
            ),
            Access::Guarded if self.is_ready(PollFlags::OUT) => {
                let first = slices.iter().find(|slice| !slice.is_empty());
                let first = first.map_or(&[][..], |slice| slice);
                rustix::io::write(&self.fd, &first[..first.len().min(GUARDED_WRITE_MAX)])
            }
            Access::Guarded => Err(Errno::WOULDBLOCK),
        };
        Ok(written?)
    }

    /// No more will be written. A socket that others have, too, is told so; all else sees it when the descriptor is closed.
    pub(super) fn end_output(&self) {
        if self.access == Access::Socket {
            // It fails if the other end has gone, which is just as well.
            let _ = rustix::net::shutdown(&self.fd, rustix::net::Shutdown::Write);
        }
    }

    /// Whether a read that filled less than its buffer has taken all there was. A terminal hands out a line at a time.
    pub(super) fn short_read_drains(&self) -> bool {
        self.kind == Kind::Pipe && self.access != Access::Guarded
    }

    /// Whether a write that took less than it was offered has found it full.
    pub(super) fn short_write_fills(&self) -> bool {
        matches!(self.access, Access::Own | Access::Socket)
    }

    /// Whether it can be read and written at any time, so that there is nothing to watch.
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

    /// Of a pipe's writing end: whether nobody is left to read.
    pub(super) fn is_broken(&self) -> bool {
        self.is_ready(PollFlags::empty())
    }

    fn is_ready(&self, flags: PollFlags) -> bool {
        let mut asked = [PollFd::new(&self.fd, flags)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // An error, too, shows in the call that follows.
        rustix::event::poll(&mut asked, Some(&now)) != Ok(0)
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
        // Those of O_DIRECT hand out a packet at a time.
        FileType::Fifo if !is_of_packets(fd) => Kind::Pipe,
        FileType::CharacterDevice if rustix::termios::isatty(fd) => Kind::Terminal,
        _ => Kind::Other,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_of_packets(fd: &OwnedFd) -> bool {
    rustix::fs::fcntl_getfl(fd).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_of_packets(_: &OwnedFd) -> bool {
    false
}

/// Opens once more what a descriptor leads to, so that there is a description whose flags are nobody else's.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn reopen(fd: BorrowedFd<'_>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let always = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags | always, rustix::fs::Mode::empty())
}

/// Elsewhere only terminals have a name to be opened by; `/dev/fd` gives the same description again.
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

    /// Waits for what is there to be read. Also the end may take a moment: children that other tests start have copies of all that
    /// is open here until they have become another program.
    fn read(descriptor: &Descriptor) -> io::Result<Vec<u8>> {
        rustix::event::poll(&mut [PollFd::new(descriptor, PollFlags::IN)], None)?;
        let mut buffer = [0; 64];
        let n = descriptor.read(&mut buffer)?;
        Ok(buffer[..n].to_vec())
    }

    /// Whatever is shared blocks for all others as before, and never for us.
    #[test]
    fn a_shared_pipe_is_opened_anew() {
        let (reader, mut writer) = io::pipe().unwrap();
        let shared = Descriptor::shared(reader.as_fd(), OFlags::RDONLY).unwrap();
        assert!(would_block(shared.read(&mut [0; 8])) && blocks(&reader));
        writer.write_all(b"hello").unwrap();
        assert_eq!(read(&shared).unwrap(), b"hello");
        drop(writer);
        assert_eq!(read(&shared).unwrap(), b"");
    }

    #[test]
    fn a_shared_socket_is_told_with_each_call() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let shared = Descriptor::shared(near.as_fd(), OFlags::RDWR).unwrap();
        assert_eq!(shared.access, Access::Socket);
        assert!(would_block(shared.read(&mut [0; 8])) && blocks(&near));
        far.write_all(b"hello").unwrap();
        assert_eq!(read(&shared).unwrap(), b"hello");
        let full = [7; 1 << 16];
        while shared.write_vectored(&[IoSlice::new(&full)]).is_ok() {}
        assert!(would_block(shared.write_vectored(&[IoSlice::new(&full)])) && blocks(&near));
    }

    /// What cannot be opened anew, as when another user has made it.
    fn guarded(fd: impl Into<OwnedFd>) -> Descriptor {
        let fd = fd.into();
        let kind = kind(&fd, file_type(fd.as_fd()).unwrap());
        Descriptor { fd, access: Access::Guarded, kind }
    }

    #[test]
    fn what_cannot_be_opened_anew_is_asked_first() {
        let (reader, writer) = io::pipe().unwrap();
        let (mut far_reader, mut far_writer) =
            (reader.try_clone().unwrap(), writer.try_clone().unwrap());
        let (reader, writer) = (guarded(reader), guarded(writer));
        assert!(would_block(reader.read(&mut [0; 8])));
        far_writer.write_all(b"hello").unwrap();
        assert_eq!(read(&reader).unwrap(), b"hello");

        let full = [7; 1 << 20];
        let mut sent = 0;
        while let Ok(n) = writer.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&full)]) {
            assert!(n <= GUARDED_WRITE_MAX);
            sent += n;
        }
        assert!(sent > 0 && blocks(&writer) && blocks(&far_reader));
        let mut taken = vec![0; sent];
        far_reader.read_exact(&mut taken).unwrap();
        assert!(taken.iter().all(|byte| *byte == 7));

        drop((far_writer, writer));
        assert_eq!(read(&reader).unwrap(), b"");
    }

    /// Whoever appends goes on to append, and both go on from where the other was.
    #[test]
    fn a_regular_file_keeps_its_place() {
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
