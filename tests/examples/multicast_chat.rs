//! Tests of the example `multicast_chat`.

use std::net::UdpSocket;

use super::process::{Example, listening};
use crate::ENGINES;

/// On the loopback interface only.
#[test]
fn all_members_receive_messages() {
    for engine in ENGINES {
        // An unused port, so that concurrent tests use different rooms.
        let free = UdpSocket::bind("0.0.0.0:0").unwrap();
        let group = format!("239.255.77.8:{}", free.local_addr().unwrap().port());
        drop(free);
        let mut members = ["ann", "bob"].map(|name| {
            let args =
                ["--group", &group, "--interface", "127.0.0.1", "--name", name, "--engine", engine];
            let member = Example::start("multicast_chat", &args);
            assert_eq!(listening(&member.line()), group);
            member
        });
        members[0].input(b"hello, \x07bob\n");
        for member in &members {
            assert_eq!(member.line(), r"ann (127.0.0.1): hello, \u{7}bob");
        }
        members[1].input("good day, ánn\n".as_bytes());
        for member in &members {
            assert_eq!(member.line(), "bob (127.0.0.1): good day, ánn");
        }
        for member in members {
            member.finish();
        }
    }
}

#[test]
fn errors_name_the_cause() {
    let args = ["--interface", "nosuch0", "--group", "239.255.77.8:0"];
    let ended = Example::start("multicast_chat", &args).wait();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr[0].starts_with("error: no interface nosuch0: "), "{ended:?}");
}
