//! Senders and receivers that do not keep to anything.

use std::{fs, net::SocketAddr, time::Duration};

use sinew_chat::irc::client::{DccError, Existing};
use sinew_transports::{AsyncListener, AsyncStream};

use super::kit::{Client, Folder, content, local, meet};

/// Somebody announces `size` bytes of a file `a`, and sends these pieces.
async fn send_raw(
    ann: &Client,
    bob: &Client,
    size: u64,
    pieces: &[&[u8]],
    closes: bool,
    existing: Existing,
    to: &Folder,
) -> Result<std::path::PathBuf, DccError> {
    let mut port =
        AsyncListener::bind(&ann.reactor, "127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    let number = port.local().socket_addr().unwrap().port();
    ann.irc.ctcp_query("bob", "DCC", format!("SEND a 2130706433 {number} {size}")).unwrap();
    let offer = bob.offered().await;
    let received = bob.irc.receive_file(&offer, &to.0, existing);
    let sending = async {
        let mut stream = port.accept().await.unwrap();
        for piece in pieces {
            if stream.write_all(piece).await.is_err() {
                return;
            }
        }
        if closes {
            let _ = stream.shutdown().await;
        }
        // Acknowledgements are read until the other closes.
        let mut buffer = [0; 64];
        while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
    };
    let (reactor, sending) = (ann.reactor.clone(), Box::pin(sending));
    let _ = reactor.timeout(Duration::from_secs(5), sending).await;
    received.await
}

#[test]
fn senders_that_lie() {
    let bob =
        local().idle_timeout(Duration::from_millis(200)).offer_timeout(Duration::from_millis(300));
    meet(local(), bob, |ann, bob| async move {
        let to = Folder::new("lies");
        let raw = async |size, pieces: &[&[u8]], closes, existing| {
            send_raw(&ann, &bob, size, pieces, closes, existing, &to).await
        };
        let keep = Existing::Keep;
        let more = raw(4, &[b"ab", b"cdef"], false, keep).await;
        assert!(matches!(more, Err(DccError::TooMuch { size: 4 })));
        let less = raw(4, &[b"ab"], true, keep).await;
        assert!(matches!(less, Err(DccError::Ended { done: 2, size: 4 })));
        let silent = raw(4, &[b"ab"], false, keep).await;
        assert!(
            matches!(
                silent,
                Err(DccError::Silent { .. } | DccError::Ended { .. } | DccError::Lost(_))
            ),
            "{silent:?}"
        );
        to.settles_to(&bob.reactor, &[]).await;
        let path = raw(4, &[b"ab", b"cd"], false, keep).await.unwrap();
        assert_eq!(fs::read(path).unwrap(), b"abcd");
        // What was received is kept for RESUME, and a sender that does not know RESUME is not read.
        fs::remove_file(to.0.join("a")).unwrap();
        assert!(raw(4, &[b"ab"], true, Existing::Resume).await.is_err());
        to.settles_to(&bob.reactor, &["a.part"]).await;
        let port = AsyncListener::bind(&ann.reactor, "127.0.0.1:0".parse::<SocketAddr>().unwrap())
            .unwrap();
        let number = port.local().socket_addr().unwrap().port();
        ann.irc.ctcp_query("bob", "DCC", format!("SEND a 2130706433 {number} 4")).unwrap();
        let offer = bob.offered().await;
        let received = bob.irc.receive_file(&offer, &to.0, Existing::Resume);
        ann.asked(&format!("RESUME a {number} 2")).await;
        // A position that is not there.
        ann.irc.ctcp_query("bob", "DCC", format!("ACCEPT a {number} 3")).unwrap();
        let received = received.await;
        assert!(matches!(received, Err(DccError::Ended { done: 2, size: 4 })), "{received:?}");
        let received = bob.irc.receive_file(&offer, &to.0, Existing::Resume).await;
        assert!(matches!(received, Err(DccError::NotResumed { .. })));
        assert_eq!(fs::read(to.0.join("a.part")).unwrap(), b"ab");
    });
}

#[test]
fn receivers_that_lie() {
    let ann = local().idle_timeout(Duration::from_millis(300));
    meet(ann, local(), |ann, bob| async move {
        let folder = Folder::new("receivers");
        let path = folder.file("a", &content(100_000));
        for (name, acks, is_ok) in [
            ("all", Some(100_000_u32), true),
            ("some", Some(50_000), false),
            ("none", None, false),
            ("more", Some(200_000), false),
        ] {
            let sent = ann.irc.offer_file("bob", &path);
            let at = bob.offered().await.address().unwrap();
            let mut stream = AsyncStream::connect(&bob.reactor, at).await.unwrap();
            let mut received = vec![0; 100_000];
            stream.read_exact(&mut received).await.unwrap();
            assert!(received == content(100_000));
            if let Some(ack) = acks {
                stream.write_all(&ack.to_be_bytes()).await.unwrap();
            }
            // Those that acknowledge too little are closed for their silence.
            assert_eq!(sent.await.is_ok(), is_ok, "{name}");
            // One connection, and then the port is closed.
            assert!(AsyncStream::connect(&bob.reactor, at).await.is_err());
        }
    });
}

/// A RESUME of somebody else, of another file, or of more than there is, changes nothing.
#[test]
fn resumptions_that_do_not_belong() {
    meet(local(), local(), |ann, bob| async move {
        let folder = Folder::new("resumptions");
        let path = folder.file("a", b"0123456789");
        let sent = ann.irc.offer_file("bob", &path);
        let at = bob.offered().await.address().unwrap();
        let port = at.port();
        ann.irc.ctcp_query("ann", "DCC", format!("RESUME a {port} 5")).unwrap();
        for text in [
            format!("RESUME a {} 5", port ^ 1),
            format!("RESUME a {port} 10"),
            format!("RESUME a {port} 5 7"),
        ] {
            bob.irc.ctcp_query("ann", "DCC", text).unwrap();
        }
        // The messages are there when an answer to a later one is.
        bob.irc.ping().await.unwrap();
        ann.irc.ping().await.unwrap();
        let mut stream = AsyncStream::connect(&bob.reactor, at).await.unwrap();
        let mut received = [0; 10];
        stream.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"0123456789");
        stream.write_all(&10_u32.to_be_bytes()).await.unwrap();
        sent.await.unwrap();
    });
}

/// Where a passive offer is answered from an address that is not allowed, nothing connects.
#[test]
fn answers_from_elsewhere() {
    meet(local().passive(true), local(), |ann, bob| async move {
        let folder = Folder::new("elsewhere");
        let path = folder.file("a", b"x");
        let sent = ann.irc.offer_file("bob", &path);
        let _ = bob.offered().await;
        // The token is a number; others than the right one are ignored.
        for token in 0..10 {
            bob.irc.ctcp_query("ann", "DCC", format!("SEND a 10.0.0.1 5000 1 {token}x")).unwrap();
        }
        bob.irc.ping().await.unwrap();
        ann.irc.ping().await.unwrap();
        assert!(!sent.is_settled());
    });
}
