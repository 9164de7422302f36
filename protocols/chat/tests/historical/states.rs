//! Every kind of frame in every state of a connection to a server.

use std::time::Duration;

use sinew_chat::historical::flap::{Channel, Flap};
use sinew_testkit::sim::Network;
use sinew_transports::{AsyncStream, reactor::Reactor};

use super::kit::{run, serve};
use crate::watchdog;

fn frame(channel: Channel, data: &[u8]) -> Vec<u8> {
    Flap { channel, sequence: 0, data }.encode().unwrap()
}

fn snac(family: u16, subtype: u16, data: &[u8]) -> Vec<u8> {
    let head = [family.to_be_bytes(), subtype.to_be_bytes()].concat();
    frame(Channel::Data, &[&head, &[0; 6][..], data].concat())
}

fn sign_on(values: &[u8]) -> Vec<u8> {
    frame(Channel::SignOn, &[&[0, 0, 0, 1], values].concat())
}

/// What is left of a connection after these bytes: all that was received, and whether the server has ended it.
async fn after(reactor: &Reactor, port: u16, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut stream =
        AsyncStream::connect(reactor, format!("server:{port}").as_str()).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut received = Vec::new();
    let reading = async {
        loop {
            match stream.fill_buf().await {
                Ok(input) if !input.is_empty() => {
                    received.extend_from_slice(input);
                    let len = input.len();
                    stream.consume(len);
                }
                _ => break,
            }
        }
    };
    let is_ended = reactor.timeout(Duration::from_secs(20), reading).await.is_ok();
    (received, is_ended)
}

/// What a connection of OSCAR does with each frame: `true` if it goes on.
#[test]
fn frames_of_oscar_in_every_state() {
    watchdog::watch_this_test();
    let network = Network::new(1);
    serve(&network);
    let name = b"\0\x01\0\x03ann";
    let key = snac(0x17, 6, name);
    let login = snac(0x17, 2, &[&name[..], b"\0\x25\0\x10................"].concat());
    let begin = sign_on(b"");
    let states = [
        ("New", Vec::new()),
        ("Authorizing", begin.clone()),
        ("Keyed", [begin.clone(), key.clone()].concat()),
    ];
    let frames = [
        ("sign-on", begin, [true, false, false]),
        ("half a login", sign_on(name), [false, false, false]),
        ("wrong cookie", sign_on(b"\0\x06\0\x02??"), [false, false, false]),
        ("no version", frame(Channel::SignOn, b"\0\0\0\x02"), [false, false, false]),
        ("key", key, [false, true, false]),
        // It is refused, and that is the end.
        ("login", login, [false, false, false]),
        ("login without a digest", snac(0x17, 2, name), [false, false, false]),
        ("ready", snac(1, 2, b""), [false, false, false]),
        ("message", snac(4, 6, b""), [false, false, false]),
        ("short", frame(Channel::Data, b"\0\x01"), [false, false, false]),
        ("keep-alive", frame(Channel::KeepAlive, b""), [true, true, true]),
        ("sign-off", frame(Channel::SignOff, b""), [false, false, false]),
        ("error", frame(Channel::Error, b""), [false, false, false]),
    ];
    run(&network, "client", async move |reactor| {
        for (at, (state, before)) in states.iter().enumerate() {
            for (what, bytes, goes_on) in &frames {
                let all = [&before[..], bytes].concat();
                let (_, is_ended) = after(&reactor, 5190, &all).await;
                assert_eq!(is_ended, !goes_on[at], "{what} in {state}");
            }
        }
    });
}

#[test]
fn frames_of_toc_in_every_state() {
    watchdog::watch_this_test();
    let network = Network::new(1);
    serve(&network);
    let data = |text: &str| frame(Channel::Data, format!("{text}\0").as_bytes());
    let flapon = b"FLAPON\r\n\r\n".to_vec();
    let greeted = [flapon.clone(), sign_on(b"\0\x01\0\x03ann")].concat();
    // "secret", roasted.
    let signed_on =
        [greeted.clone(), data("toc_signon host 1 ann 0x270c005d311b english x")].concat();
    let ready = [signed_on.clone(), data("toc_init_done")].concat();
    let states = [
        ("New", Vec::new()),
        ("Greeted", flapon.clone()),
        ("Named", greeted),
        ("SignedOn", signed_on),
        ("Ready", ready),
    ];
    let frames = [
        ("FLAPON", flapon, [true, false, false, false, false]),
        ("sign-on", sign_on(b""), [false, true, false, false, false]),
        (
            "toc_signon",
            data("toc_signon h 1 ann 0x270c005d311b e x"),
            [false, false, true, true, true],
        ),
        (
            "a plain password",
            data("toc_signon h 1 ann secret e x"),
            [false, false, false, true, true],
        ),
        ("toc_init_done", data("toc_init_done"), [false, false, false, true, true]),
        ("toc_add_buddy", data("toc_add_buddy bob"), [false, false, false, true, true]),
        ("toc_send_im", data("toc_send_im bob hello"), [false, false, false, true, true]),
        ("half of it", data("toc_send_im bob"), [false, false, false, true, false]),
        ("unknown", data("toc_dance"), [false, false, false, true, true]),
        ("open quote", data("toc_set_away \"x"), [false; 5]),
        ("keep-alive", frame(Channel::KeepAlive, b""), [false, true, true, true, true]),
        ("sign-off", frame(Channel::SignOff, b""), [false; 5]),
    ];
    run(&network, "client", async move |reactor| {
        for (at, (state, before)) in states.iter().enumerate() {
            for (what, bytes, goes_on) in &frames {
                let all = [&before[..], bytes].concat();
                let (received, is_ended) = after(&reactor, 9898, &all).await;
                let received = received.escape_ascii();
                assert_eq!(is_ended, !goes_on[at], "{what} in {state}: {received}");
            }
        }
    });
}
