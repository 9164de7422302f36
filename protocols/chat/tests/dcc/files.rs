//! Files between two clients of ours.

use std::{fs, time::Duration};

use sinew_chat::irc::client::{DccError, Existing};

use super::kit::{Folder, content, local, meet};

#[test]
fn files_arrive_byte_for_byte() {
    for (name, is_passive, len) in [
        ("active", false, 3_000_001),
        ("passive", true, 3_000_001),
        ("empty", false, 0),
        ("empty-passive", true, 0),
    ] {
        meet(local().passive(is_passive), local(), move |ann, bob| async move {
            let folder = Folder::new(name);
            let path = folder.file("a file", &content(len));
            let sent = ann.irc.offer_file("bob", &path);
            let offer = bob.offered().await;
            assert_eq!(offer.from().nick(), "ann");
            assert_eq!((offer.file_name(), offer.size()), (Some("a file"), Some(len.into())));
            assert_eq!(offer.address().is_none(), is_passive);
            let to = folder.0.join("to");
            fs::create_dir(&to).unwrap();
            let received = bob.irc.receive_file(&offer, &to, Existing::Keep).await.unwrap();
            sent.await.unwrap();
            assert_eq!(received, to.join("a file"));
            assert!(fs::read(received).unwrap() == content(len));
            assert_eq!(fs::read_dir(to).unwrap().count(), 1);
        });
    }
}

#[test]
fn a_part_is_resumed() {
    for (name, is_passive) in [("resumed", false), ("resumed-passive", true)] {
        meet(local().passive(is_passive), local(), move |ann, bob| async move {
            let (from, to) = (Folder::new(name), Folder::new(&format!("{name}-to")));
            let whole = content(2_000_000);
            let path = from.file("a b", &whole);
            // Its beginning is another one, so that it can be seen what was sent.
            let mut part = whole[..1_500_000].to_vec();
            part[0] ^= 1;
            to.file("a b.part", &part);
            let sent = ann.irc.offer_file("bob", &path);
            let offer = bob.offered().await;
            let received = bob.irc.receive_file(&offer, &to.0, Existing::Resume).await.unwrap();
            sent.await.unwrap();
            let mut received = fs::read(received).unwrap();
            received[0] ^= 1;
            assert!(received == whole);
            to.settles_to(&bob.reactor, &["a b"]).await;
        });
    }
}

#[test]
fn what_is_there_stays() {
    meet(local(), local(), |ann, bob| async move {
        let (from, to) = (Folder::new("stays"), Folder::new("stays-to"));
        let path = from.file("a", b"new");
        to.file("a", b"old");
        for existing in [Existing::Keep, Existing::Resume] {
            let sent = ann.irc.offer_file("bob", &path);
            let offer = bob.offered().await;
            let received = bob.irc.receive_file(&offer, &to.0, existing).await;
            assert!(matches!(received, Err(DccError::Exists { .. })), "{existing:?}");
            drop(sent);
        }
        assert_eq!(fs::read(to.0.join("a")).unwrap(), b"old");
        let sent = ann.irc.offer_file("bob", &path);
        let offer = bob.offered().await;
        bob.irc.receive_file(&offer, &to.0, Existing::Replace).await.unwrap();
        sent.await.unwrap();
        assert_eq!(fs::read(to.0.join("a")).unwrap(), b"new");
        to.settles_to(&bob.reactor, &["a"]).await;
    });
}

#[test]
fn limits_of_files() {
    let strict = local().size_max(10).transfers_max(1);
    meet(
        local().transfers_max(2).offer_timeout(Duration::from_millis(100)),
        strict,
        |ann, bob| async move {
            let folder = Folder::new("limits");
            let path = folder.file("a", b"eleven byte");
            let (first, second) =
                (ann.irc.offer_file("bob", &path), ann.irc.offer_file("bob", &path));
            let offer = bob.offered().await;
            let third = ann.irc.offer_file("bob", &path).await;
            assert!(matches!(third, Err(DccError::TooMany { max: 2 })));
            let to = folder.0.join("to");
            fs::create_dir(&to).unwrap();
            let large = bob.irc.receive_file(&offer, &to, Existing::Keep).await;
            assert!(matches!(large, Err(DccError::TooLarge { size: 11, max: 10 })));
            assert_eq!(fs::read_dir(to).unwrap().count(), 0);
            assert!(matches!(first.await, Err(DccError::NotTaken { .. })));
            assert!(matches!(second.await, Err(DccError::NotTaken { .. })));
            // Their places are free again.
            let fourth = ann.irc.offer_file("bob", folder.0.join("nothing")).await;
            assert!(matches!(fourth, Err(DccError::File { .. })));
            let folder_itself = ann.irc.offer_file("bob", &folder.0).await;
            assert!(matches!(folder_itself, Err(DccError::NotAFile { .. })));
        },
    );
}

/// An offer that is taken back has no port any more, and a transfer that is dropped leaves nothing.
#[test]
fn dropped_results_end_everything() {
    meet(local(), local().offer_timeout(Duration::from_secs(30)), |ann, bob| async move {
        let (from, to) = (Folder::new("dropped"), Folder::new("dropped-to"));
        let path = from.file("a", &content(100_000));
        let sent = ann.irc.offer_file("bob", &path);
        let offer = bob.offered().await;
        drop(sent);
        bob.reactor.sleep(Duration::from_millis(5)).await;
        let received = bob.irc.receive_file(&offer, &to.0, Existing::Keep).await;
        assert!(matches!(received, Err(DccError::Connect(_))));
        to.settles_to(&bob.reactor, &[]).await;

        // From a sender that sends nothing, so that the transfer is there for as long as the test wants.
        let sender = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = sender.local_addr().unwrap().port();
        ann.irc.ctcp_query("bob", "DCC", format!("SEND a 2130706433 {port} 100000")).unwrap();
        let offer = bob.offered().await;
        let received = bob.irc.receive_file(&offer, &to.0, Existing::Keep);
        to.settles_to(&bob.reactor, &["a.part"]).await;
        // The same file is not written twice at once.
        let twice = bob.irc.receive_file(&offer, &to.0, Existing::Resume).await;
        assert!(matches!(twice, Err(DccError::Exists { .. })));
        // Nor by a name that some systems take for the same.
        ann.irc.ctcp_query("bob", "DCC", format!("SEND A 2130706433 {port} 100000")).unwrap();
        let other = bob.offered().await;
        let twice = bob.irc.receive_file(&other, &to.0, Existing::Resume).await;
        assert!(matches!(twice, Err(DccError::Exists { .. })));
        drop(received);
        to.settles_to(&bob.reactor, &[]).await;
        // Also if the file is opened and the transfer does not know it yet: the loop does not turn while the test waits for it.
        let received = bob.irc.receive_file(&offer, &to.0, Existing::Keep);
        bob.reactor.sleep(Duration::ZERO).await;
        while !to.0.join("a.part").exists() {
            std::thread::yield_now();
        }
        drop(received);
        to.settles_to(&bob.reactor, &[]).await;
    });
}
