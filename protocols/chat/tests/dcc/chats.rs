//! Conversations by DCC.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_chat::irc::client::DccError;
use sinew_protocols::basic::{LineHandler, LineTransport};
use sinew_transports::ConnectionLost;

use super::kit::{Folder, local, meet};

/// Notes what is said; answers questions.
#[derive(Clone, Default)]
struct Talk(Rc<RefCell<Vec<String>>>);

impl LineHandler for Talk {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        if line.ends_with(b"?") {
            transport.send_line(b"yes").unwrap();
        }
        self.0.borrow_mut().push(String::from_utf8_lossy(line).into_owned());
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        self.0.borrow_mut().push(format!("lost: {reason}"));
    }
}

#[test]
fn two_clients_talk() {
    for is_passive in [false, true] {
        meet(local().passive(is_passive), local().line_max(10), |ann, bob| async move {
            let (of_ann, of_bob) = (Talk::default(), Talk::default());
            let offered = ann.irc.offer_chat("bob", of_ann.clone());
            let offer = bob.offered().await;
            assert_eq!((offer.file_name(), offer.size()), (None, None));
            let accepted = bob.irc.accept_chat(&offer, of_bob.clone()).await.unwrap();
            let ann_to_bob = offered.await.unwrap();
            ann_to_bob.write("are you?\nreal\r\n");
            let until = async |talk: &Talk, lines: &[&str]| {
                while *talk.0.borrow() != lines {
                    ann.reactor.sleep(Duration::from_millis(2)).await;
                }
            };
            until(&of_bob, &["are you?", "real"]).await;
            until(&of_ann, &["yes"]).await;
            ann_to_bob.write("much too long a line\n");
            accepted.when_lost().await.unwrap();
            assert!(of_bob.0.borrow().last().unwrap().starts_with("lost: line longer"));
        });
    }
}

#[test]
fn an_offer_of_the_other_kind() {
    meet(local(), local(), |ann, bob| async move {
        let folder = Folder::new("kinds");
        let path = folder.file("a", b"x");
        let offered = ann.irc.offer_chat("bob", Talk::default());
        let chat = bob.offered().await;
        let received = bob.irc.receive_file(&chat, &folder.0, Default::default()).await;
        assert!(matches!(received, Err(DccError::OtherKind)));
        drop(offered);
        let offered = ann.irc.offer_file("bob", &path);
        let file = bob.offered().await;
        let accepted = bob.irc.accept_chat(&file, Talk::default()).await;
        assert!(matches!(accepted, Err(DccError::OtherKind)));
        drop(offered);
    });
}
