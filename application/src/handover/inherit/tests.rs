//! Offers: a good one, and hostile ones.

use std::{
    fs::File,
    io::IoSlice,
    mem::MaybeUninit,
    net::{TcpListener, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::*;

/// A step of the old process: bytes, with descriptors.
type Step<'a> = (Vec<u8>, Vec<BorrowedFd<'a>>);

fn offer(sockets: u32) -> Vec<u8> {
    Message::Offer { pid: 1, sockets }.to_bytes()
}

fn socket(name: &str, kind: Kind, has_lock: bool) -> Vec<u8> {
    Message::Socket { name: name.to_owned(), kind, has_lock }.to_bytes()
}

/// What comes of an offer that consists of these steps and then ends.
fn received(steps: &[Step<'_>]) -> Result<Offer, HandoverError> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    for (bytes, descriptors) in steps {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(
            descriptors.is_empty() || control.push(SendAncillaryMessage::ScmRights(descriptors))
        );
        let slices = [IoSlice::new(bytes)];
        let sent = rustix::net::sendmsg(&ours, &slices, &mut control, SendFlags::empty());
        assert_eq!(sent.unwrap(), bytes.len());
    }
    drop(ours);
    receive_from(theirs)
}

#[test]
fn sockets_come_by_name() {
    let (first, second) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
    let (first, second) = (first.unwrap(), second.unwrap());
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let lock = File::open("/dev/null").unwrap();
    let steps = [
        (offer(4), vec![]),
        (socket("web", Kind::Port, false), vec![first.as_fd()]),
        (socket("web", Kind::Port, true), vec![second.as_fd(), lock.as_fd()]),
        (socket("", Kind::Udp, false), vec![udp.as_fd()]),
        (socket("é", Kind::Port, false), vec![first.as_fd()]),
    ];
    let offer = received(&steps).unwrap();
    let mut names: Vec<_> =
        offer.sockets.iter().map(|(name, sockets)| (name.as_str(), sockets.len())).collect();
    names.sort_unstable();
    assert_eq!(names, [("", 1), ("web", 2), ("é", 1)]);
    let [Inherited::Port(one), Inherited::Port(two)] = &offer.sockets["web"][..] else { panic!() };
    assert_eq!(one.address().unwrap(), first.local_addr().unwrap().into());
    assert_eq!(two.address().unwrap(), second.local_addr().unwrap().into());
    assert!(one.lock().is_none() && two.lock().is_some());
    assert!(received(&[(super::tests::offer(0), vec![])]).unwrap().sockets.is_empty());
}

#[test]
fn hostile_offers_are_refused() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let file = File::open("/dev/null").unwrap();
    let web = || socket("web", Kind::Port, false);
    let malformed = "has sent something that is not understood";
    let cases: Vec<(Vec<Step<'_>>, &str)> = vec![
        (vec![], "unexpected end of file"),
        (vec![(b"SH\x01\x01\0\0".to_vec(), vec![])], "unexpected end of file"),
        (vec![(b"GET / HTTP/1.1\r\n".to_vec(), vec![])], malformed),
        (vec![(web(), vec![port.as_fd()])], "unexpected in an offer"),
        (vec![(offer(u32::MAX), vec![])], "more than 1024"),
        (vec![(offer(1), vec![]), (offer(1), vec![])], "unexpected in an offer"),
        (vec![(offer(1), vec![]), (web(), vec![])], "announced and not sent"),
        (vec![(offer(1), vec![])], "unexpected end of file"),
        (vec![(offer(0), vec![file.as_fd()])], "not announced"),
        (vec![(offer(1), vec![]), (web(), vec![port.as_fd(), file.as_fd()])], "not announced"),
        (vec![(offer(1), vec![]), (web(), vec![file.as_fd()])], "a socket is not a socket"),
        (vec![(offer(1), vec![]), (web(), vec![udp.as_fd()])], "a socket is a UDP socket"),
        (
            vec![(offer(1), vec![]), (socket("x", Kind::Udp, false), vec![port.as_fd()])],
            "a socket is a listening TCP socket",
        ),
    ];
    for (steps, text) in cases {
        let bytes: Vec<_> =
            steps.iter().map(|(bytes, _)| bytes.escape_ascii().to_string()).collect();
        let error = received(&steps).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(text), "{bytes:?}: {error}");
    }
}

#[test]
fn an_offer_that_does_not_come_is_not_waited_for_without_end() {
    let (_ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let Err(error) = receive_from(theirs) else { panic!() };
    assert!(matches!(error, HandoverError::Receive { .. }), "{error}");
}
