//! Tests of the example `chat_server`.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::{
    peer::Peer,
    process::{Example, listening},
};

/// It has few options.
fn serve() -> Example {
    let mut server = Example::start("chat_server", &["--listen", "127.0.0.1:0"]);
    server.addr = listening(&server.line()).parse().expect("an address and a port");
    server
}

fn enter(server: &Example, name: &str) -> Peer {
    let mut guest = server.connect();
    assert_eq!(guest.line(), "Your name?");
    guest.send(format!("{name}\n"));
    assert!(guest.line().starts_with("Welcome."));
    guest
}

/// Two reactors, which get the guests in turn: a socket that was opened by others is not distributed by the kernel.
#[cfg(unix)]
fn serve_on_two() -> Example {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let args = ["--listen", "fd:3", "--reactors", "2"];
    let mut server = Example::handed(listener.into(), "chat_server", &args);
    server.addr = addr;
    assert_eq!(listening(&server.line()), addr.to_string());
    server
}

#[cfg(not(unix))]
fn serve_on_two() -> Example {
    let args = ["--listen", "127.0.0.1:0", "--reactors", "2"];
    let mut server = Example::start("chat_server", &args);
    server.addr = listening(&server.line()).parse().expect("an address and a port");
    server
}

#[test]
fn guests_talk() {
    for serve in [serve, serve_on_two] {
        let server = serve();
        let mut ann = enter(&server, "ann");
        let mut bob = enter(&server, "bob");
        assert_eq!(ann.line(), "* bob joined");
        let mut zoë = enter(&server, "zoë");
        assert_eq!(ann.line(), "* zoë joined");
        assert_eq!(bob.line(), "* zoë joined");

        bob.send("hello\n");
        assert_eq!(ann.line(), "bob: hello");
        assert_eq!(zoë.line(), "bob: hello");
        ann.send("/to bob psst, bob\n/to nobody hello\n/who\n/what\n");
        assert_eq!(bob.line(), "(ann) psst, bob");
        assert_eq!(ann.line(), "Nobody here is called that.");
        assert_eq!(ann.line(), "ann bob zoë");
        assert_eq!(ann.line(), "/who, /nick NAME, /to NAME TEXT, /quit");
        // Control characters are removed from text sent to other clients.
        ann.send("bell\x07 and \x1b[2J\n");
        assert_eq!(bob.line(), "ann: bell and [2J");
        assert_eq!(zoë.line(), "ann: bell and [2J");

        bob.send("/nick ann\n/nick rob\n");
        assert!(bob.line().starts_with("A short name"));
        assert_eq!(bob.line(), "You are rob now.");
        assert_eq!(ann.line(), "* bob is rob now");
        assert_eq!(zoë.line(), "* bob is rob now");
        ann.send("/to rob hello\n/to bob hello\n");
        assert_eq!(bob.line(), "(ann) hello");
        assert_eq!(ann.line(), "Nobody here is called that.");

        bob.reset();
        assert_eq!(ann.line(), "* rob left: reset by the peer");
        assert_eq!(zoë.line(), "* rob left: reset by the peer");
        drop(zoë);
        assert_eq!(ann.line(), "* zoë left: closed by the peer");
        drop(ann);
        server.finish();
    }
}

/// The promise of the example: the lines of one guest come in order to everybody, on whichever reactor.
#[test]
fn lines_of_a_guest_are_heard_in_order_on_all_reactors() {
    const LINES: usize = 3_000;
    let server = serve_on_two();
    let mut guests: Vec<_> =
        ["ann", "bob", "cem", "dan"].map(|name| (name, enter(&server, name))).into();
    for at in 0..guests.len() {
        for late in at + 1..guests.len() {
            let name = guests[late].0;
            assert_eq!(guests[at].1.line(), format!("* {name} joined"));
        }
    }
    // Two of them talk at once, one on each reactor; each line is heard by three others.
    let talkers: Vec<_> = guests[..2]
        .iter()
        .map(|(name, guest)| {
            let (name, mut writer) = (*name, guest.another());
            std::thread::spawn(move || {
                (0..LINES).for_each(|n| writer.send(format!("{name} says {n}\n")));
            })
        })
        .collect();
    for (own, guest) in &mut guests {
        let mut next = [("ann", 0), ("bob", 0)];
        let expected = if ["ann", "bob"].contains(own) { LINES } else { 2 * LINES };
        for _ in 0..expected {
            let line = guest.line();
            let (name, n) =
                next.iter_mut().find(|(name, _)| line.starts_with(*name)).expect("a talker");
            assert_ne!(name, own);
            assert_eq!(line, format!("{name}: {name} says {n}"));
            *n += 1;
        }
    }
    talkers.into_iter().for_each(|talker| talker.join().expect("it does not panic"));
    drop(guests);
    server.finish();
}

#[test]
fn names_are_short_and_unique() {
    for serve in [serve, serve_on_two] {
        names_of(&serve());
    }
}

fn names_of(server: &Example) {
    let mut ann = enter(server, "ann");
    let mut guest = server.connect();
    assert_eq!(guest.line(), "Your name?");
    for name in ["ann", "", "two words", "/who", "abcdefghijklmnopqrstu", "x\u{7f}y z"] {
        guest.send(format!("{name}\n"));
        let answer = guest.line();
        assert!(answer.starts_with("A short name"), "{name:?}: {answer}");
    }
    guest.send("  bob \n");
    assert!(guest.line().starts_with("Welcome."));
    assert_eq!(ann.line(), "* bob joined");
    drop((ann, guest));
}

/// One guest does not read. The others receive everything, before and after that guest is disconnected.
#[test]
fn slow_reader_does_not_affect_others() {
    const THROWN_OUT: &str = "* slow left: more than 262144 bytes queued for sending";
    let text = "x".repeat(900);
    let server = serve();
    let mut ann = enter(&server, "ann");
    let mut bob = enter(&server, "bob");
    assert_eq!(ann.line(), "* bob joined");
    let slow = enter(&server, "slow");
    SockRef::from(slow.socket()).set_recv_buffer_size(4096).unwrap();
    assert_eq!(ann.line(), "* slow joined");
    assert_eq!(bob.line(), "* slow joined");

    let (mut said, start) = (0, Instant::now());
    let after = loop {
        bob.send(format!("{said} {text}\n"));
        let line = ann.line();
        if line == THROWN_OUT {
            break ann.line();
        }
        assert_eq!(line, format!("bob: {said} {text}"));
        said += 1;
        assert!(said < 100_000, "nothing is too much for him");
    };
    // Above the high watermark, bob is paused after each line, and timers are never early. Without the pause a fast
    // sender could make everyone exceed the write limit.
    let lines = (256 - 64) * 1024 / (text.len() + 20);
    assert!(start.elapsed() > Duration::from_millis(10) * lines as u32, "no rest");
    assert_eq!(after, format!("bob: {said} {text}"));
    assert_eq!(bob.line(), THROWN_OUT);
    bob.send("at last\n");
    assert_eq!(ann.line(), "bob: at last");
    drop((ann, bob, slow));
    server.finish();
}

#[test]
fn errors_are_reported() {
    let usage = "usage: chat_server [--listen ENDPOINT] [--irc ENDPOINT] [--websocket ENDPOINT] [--reactors N]";
    let help = Example::start("chat_server", &["--help"]).wait();
    assert_eq!((help.code, &*help.stdout), (Some(0), &[usage.to_owned()][..]));
    for args in [&["--listen"][..], &["nonsense"]] {
        let ended = Example::start("chat_server", args).wait();
        assert_eq!((ended.code, &*ended.stderr), (Some(2), &[usage.to_owned()][..]));
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let ended = Example::start("chat_server", &["--listen", &addr]).wait();
    let told = format!("Error: reactor 0 failed: could not listen on {addr}: ");
    assert_eq!((ended.code, ended.stderr.len()), (Some(1), 1));
    assert!(ended.stderr[0].starts_with(&told), "{ended:?}");
}
