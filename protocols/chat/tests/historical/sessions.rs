//! What users do: they see each other, talk, are away, and go.

use std::time::Duration;

use sinew_auth::Secret;
use sinew_chat::historical::{
    Event, SessionError, SignOnError,
    oscar::{ListItem, OscarClient},
};
use sinew_testkit::{sim::Network, testing::simulate};

use super::kit::{By, Client, name, run, serve};
use crate::watchdog;

const ALL: [(By, By); 4] =
    [(By::Oscar, By::Oscar), (By::Oscar, By::Toc), (By::Toc, By::Oscar), (By::Toc, By::Toc)];

#[test]
fn two_users_talk_whatever_they_speak() {
    watchdog::watch_this_test();
    for (of_ann, of_bob) in ALL {
        let network = Network::new(1);
        let realm = serve(&network);
        run(&network, "client", async move |reactor| {
            let mut ann = Client::sign_on(&reactor, of_ann, "ann").await;
            ann.add_buddy("BOB").await;
            ann.send("bob", "are you there?").await.unwrap();
            assert_eq!(ann.next().await.unwrap(), Event::NotDelivered { to: Some(name("bob")) });
            let mut bob = Client::sign_on(&reactor, of_bob, "B ob").await;
            let Event::Arrived(buddy) = ann.next().await.unwrap() else { panic!("no arrival") };
            assert_eq!((buddy.name.as_str(), buddy.is_away), ("Bob", false));
            for text in ["hello: \"Bob\" {[$\\]}", "größe 日本語", "<b>two</b>\r\nlines", ""] {
                ann.send("b ob", text).await.unwrap();
                let Event::Message(message) = bob.next().await.unwrap() else {
                    panic!("no message")
                };
                assert_eq!((message.from, message.text.as_str()), (name("Ann"), text));
                assert!(!message.is_automatic);
            }
            bob.set_away(Some("lunch")).await;
            let Event::Arrived(buddy) = ann.next().await.unwrap() else { panic!("no change") };
            assert!(buddy.is_away);
            bob.set_away(None).await;
            let Event::Arrived(buddy) = ann.next().await.unwrap() else { panic!("no change") };
            assert!(!buddy.is_away);
            // A buddy who is there arrives when it is added.
            bob.add_buddy("Ann").await;
            let Event::Arrived(buddy) = bob.next().await.unwrap() else { panic!("no arrival") };
            assert_eq!(buddy.name, name("Ann"));
            bob.sign_off().await;
            assert_eq!(ann.next().await.unwrap(), Event::Departed(name("Bob")));
            ann.remove_buddy("bob").await;
            let bob = Client::sign_on(&reactor, of_bob, "bob").await;
            ann.send("ann", "to myself").await.unwrap();
            let Event::Message(message) = ann.next().await.unwrap() else {
                panic!("it was removed")
            };
            assert_eq!(message.text, "to myself");
            drop((ann, bob));
        });
        network.run_for(Duration::from_secs(5)).unwrap();
        assert!(realm.online().is_empty(), "{of_ann:?} {of_bob:?}");
    }
}

#[test]
fn wrong_passwords_are_refused() {
    watchdog::watch_this_test();
    let network = Network::new(1);
    serve(&network);
    run(&network, "client", async |reactor| {
        for (by, expected) in [(By::Oscar, 5), (By::Toc, 980)] {
            for (user, password) in [("ann", "wrong"), ("ann", ""), ("nobody", "secret")] {
                let refused = Client::try_sign_on(&reactor, by, user, password).await;
                let Err(SignOnError::Refused { code, .. }) = refused else { panic!("not refused") };
                assert_eq!(code, expected);
            }
        }
    });
}

#[test]
fn who_signs_on_twice_stays_where_it_was_last() {
    watchdog::watch_this_test();
    for (first, second) in ALL {
        let network = Network::new(1);
        let realm = serve(&network);
        run(&network, "client", async move |reactor| {
            let mut watcher = Client::sign_on(&reactor, By::Oscar, "bob").await;
            watcher.add_buddy("ann").await;
            let mut here = Client::sign_on(&reactor, first, "ann").await;
            let mut there = Client::sign_on(&reactor, second, "ann").await;
            assert!(matches!(here.next().await, Err(SessionError::SignedOff)));
            drop(here);
            watcher.send("ann", "where are you?").await.unwrap();
            assert!(matches!(there.next().await, Ok(Event::Message(_))));
            // The end of the old session is not the end of the new one.
            assert!(matches!(watcher.next().await, Ok(Event::Arrived(_))));
            assert!(matches!(watcher.next().await, Ok(Event::Arrived(_))));
            drop(there);
            assert!(matches!(watcher.next().await, Ok(Event::Departed(_))));
        });
        assert_eq!(realm.online(), [name("bob")]);
    }
}

#[test]
fn the_server_keeps_a_list() {
    watchdog::watch_this_test();
    let network = Network::new(1);
    serve(&network);
    run(&network, "client", async |reactor| {
        let sign_on = async |user: &str| {
            let (user, password) = (name(user), Secret::from("secret"));
            OscarClient::sign_on(&reactor, "server:5190", &user, &password).await.unwrap()
        };
        let mut bob = sign_on("bob").await;
        let mut ann = sign_on("ann").await;
        assert_eq!(ann.list().len(), 1, "only the group of all groups");
        // More than one message of the server holds.
        let mut items = vec![ListItem::buddy(&name("bob"), 1, 1)];
        items.extend((2..300).map(|item| {
            ListItem::buddy(&name(&format!("somebody with a long name {item}")), 1, item)
        }));
        for piece in items.chunks(100) {
            ann.add_to_list(piece).await.unwrap();
        }
        assert!(
            matches!(ann.next().await.unwrap(), Event::Arrived(buddy) if buddy.name == name("bob"))
        );
        ann.sign_off().await;
        let mut ann = sign_on("ann").await;
        assert_eq!(ann.list()[1..], items);
        assert!(
            matches!(ann.next().await.unwrap(), Event::Arrived(buddy) if buddy.name == name("bob"))
        );
        bob.send(&name("ann"), "hello").await.unwrap();
        assert!(matches!(ann.next().await.unwrap(), Event::Message(_)));
    });
}

/// After cuts and resets, those who are signed on are known, and no others.
#[test]
fn a_broken_network_leaves_nobody_behind() {
    watchdog::watch_this_test();
    simulate(0..15, |network| {
        let realm = serve(network);
        for (host, by, user) in [("one", By::Oscar, "ann"), ("two", By::Toc, "bob")] {
            network.host(host).boot(move |reactor| {
                let of_task = reactor.clone();
                let again = async move {
                    loop {
                        let signed_on = Client::try_sign_on(&of_task, by, user, "secret").await;
                        if let Ok(mut client) = signed_on {
                            while client.next().await.is_ok() {}
                        }
                        of_task.sleep(Duration::from_secs(5)).await;
                    }
                };
                reactor.spawn(again).detach();
            });
        }
        let faults = sinew_testkit::sim::RandomFaults::every(Duration::from_secs(20));
        network.set_random_faults(Some(
            faults.lasting(Duration::from_secs(15)).cuts().resets().pauses(),
        ));
        network.run_for(Duration::from_secs(600)).unwrap();
        network.set_random_faults(None);
        network.heal();
        network.run_for(Duration::from_secs(1_800)).unwrap();
        let mut online = realm.online();
        online.sort_by_key(|name| name.normalized().to_owned());
        assert_eq!(online, [name("ann"), name("bob")]);
        network.host("one").kill();
        network.host("two").kill();
        network.run_for(Duration::from_secs(1_800)).unwrap();
        assert!(realm.online().is_empty());
    });
}
