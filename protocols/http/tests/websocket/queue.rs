//! Peers that receive slowly: what is queued, what overtakes it, and what happens when there is too much.

use std::time::Duration;

use sinew_http::websocket::{
    CloseCode, MessageLimits, Opcode, Overflow, PreparedMessage, SendStatus, WebSocket,
    WebSocketConfig, WebSocketUpgrade,
};

use crate::server::{Site, close, frame, handshake, site, unmasked};

/// A connection whose peer receives nothing at first, and its server's handle.
fn stalled(config: WebSocketConfig) -> (Site, WebSocket) {
    let site = site(|upgrade| upgrade.config(config));
    assert!(site.client.ask(handshake("")).starts_with("HTTP/1.1 101 "));
    site.client.wire.set_capacity(0);
    let socket = site.socket.borrow().clone().unwrap();
    (site, socket)
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default().ping_after(None)
}

/// The peer receives everything.
fn received(site: &Site) -> Vec<u8> {
    let mut received = Vec::new();
    site.client.wire.set_capacity(100_000);
    loop {
        site.client.advance(Duration::from_millis(2));
        let piece = site.client.wire.take(usize::MAX);
        if piece.is_empty() {
            return received;
        }
        received.extend(piece);
    }
}

fn at(received: &[u8], part: &[u8]) -> usize {
    received.windows(part.len()).position(|window| window == part).expect("it was sent")
}

#[test]
fn messages_wait_in_order_and_the_handler_is_told() {
    let (site, socket) = stalled(config());
    let mut expected = Vec::new();
    for number in 0..50_u8 {
        let message = vec![number; 10_000];
        let status = socket.send_binary(&message);
        assert_eq!(status == SendStatus::Ok, number < 6, "{number}: {status:?}");
        expected.extend(unmasked(Opcode::Binary, &message));
    }
    assert_eq!(socket.queued(), expected.len());
    site.client.advance(Duration::from_millis(2));
    assert_eq!(site.told(), ["full"]);
    // Nothing more is received meanwhile.
    site.client.send(frame(Opcode::Text, b"hello"));
    assert_eq!(site.told(), Vec::<String>::new());
    assert!(received(&site).starts_with(&expected));
    let told = site.told();
    assert_eq!(told.iter().filter(|event| *event == "writable").count(), 1, "{told:?}");
    assert!(told.contains(&"hello".to_owned()), "{told:?}");
    assert_eq!(socket.queued(), 0);
}

#[test]
fn pings_overtake_the_queue() {
    let (site, socket) = stalled(config());
    for _ in 0..50 {
        socket.send_binary([1; 10_000]);
    }
    socket.ping(b"now");
    let received = received(&site);
    let ping = at(&received, &unmasked(Opcode::Ping, b"now"));
    assert!(ping < 100_000 && received.len() > 500_000, "{ping}");
}

#[test]
fn fragments_let_control_frames_pass() {
    let (site, socket) = stalled(config().fragment_len(10_000));
    let message: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    socket.send_binary(&message);
    socket.ping(b"now");
    let received = received(&site);
    let ping = unmasked(Opcode::Ping, b"now");
    let place = at(&received, &ping);
    assert!(place < 100_000, "{place}");
    let rest = [&received[..place], &received[place + ping.len()..]].concat();
    let (mut payload, mut rest, mut frames) = (Vec::new(), &rest[..], 0);
    while let [first, 126, high, low, data @ ..] = rest {
        let (data, behind) = data.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        let is_last = behind.is_empty();
        assert_eq!(*first, (u8::from(frames == 0) * 2) | (u8::from(is_last) << 7));
        payload.extend_from_slice(data);
        (rest, frames) = (behind, frames + 1);
    }
    assert!(rest.is_empty() && payload == message && frames == 30, "{frames}");
}

#[test]
fn a_close_waits_for_the_queue() {
    let (site, socket) = stalled(config());
    for _ in 0..50 {
        socket.send_binary([1; 10_000]);
    }
    socket.close(CloseCode::NORMAL);
    assert_eq!(socket.send_text("late"), SendStatus::Closed);
    // As long as the peer receives something, it has time.
    site.client.wire.set_capacity(10_000);
    for _ in 0..20 {
        site.client.advance(Duration::from_secs(4));
        assert!(!site.client.wire.was_reset());
        drop(site.client.wire.take(usize::MAX));
    }
    let received = received(&site);
    assert!(received.ends_with(&unmasked(Opcode::Close, &close(1_000, ""))));
    site.client.send(frame(Opcode::Close, &close(1_000, ""))).end();
    assert_eq!(site.told().last().unwrap(), "closed 1000 ");
}

#[test]
fn a_close_waits_no_longer_than_its_timeout() {
    let (site, socket) = stalled(config());
    for _ in 0..50 {
        socket.send_binary([1; 10_000]);
    }
    socket.close(CloseCode::NORMAL);
    site.client.advance(Duration::from_millis(4_999));
    assert!(!site.client.wire.was_reset());
    site.client.advance(Duration::from_millis(1));
    assert!(site.client.wire.was_reset());
}

#[test]
fn close_overtakes_the_queue() {
    let (site, socket) = stalled(config());
    for _ in 0..50 {
        socket.send_binary([1; 10_000]);
    }
    socket.close_now(CloseCode::POLICY);
    let received = received(&site);
    assert!(received.len() < 150_000, "{}", received.len());
    assert!(received.ends_with(&unmasked(Opcode::Close, &close(1_008, ""))));
}

#[test]
fn the_queue_is_dropped_when_the_peer_closes() {
    let config = config().queue_max(10 << 20, Overflow::Disconnect);
    let (site, socket) = stalled(config);
    for _ in 0..50 {
        socket.send_binary([1; 10_000]);
    }
    // With a limit of the queue, the peer is read from while it has to receive.
    site.client.wire.set_capacity(10_000);
    for _ in 0..20 {
        site.client.advance(Duration::from_millis(2));
        if site.client.wire.take(5_000).is_empty() {
            break;
        }
    }
    site.client.send(frame(Opcode::Close, &close(1_001, "")));
    let received = received(&site);
    assert!(received.ends_with(&unmasked(Opcode::Close, &close(1_001, ""))));
    assert!(received.len() < 400_000, "{}", received.len());
    assert!(site.client.wire.is_closing());
}

#[test]
fn what_is_too_much_is_dropped_or_closes() {
    let (site, socket) = stalled(config().queue_max(100_000, Overflow::DropNewest));
    let sent: Vec<_> = (0..20_u8).map(|number| socket.send_binary(vec![number; 10_000])).collect();
    assert_eq!(
        sent.iter().filter(|status| **status == SendStatus::Dropped).count(),
        10,
        "{sent:?}"
    );
    assert_eq!(received(&site).len(), 10 * 10_004);
    assert_eq!(socket.send_binary([1; 10_000]), SendStatus::Ok, "there is room again");

    let (site, socket) = stalled(config().queue_max(100_000, Overflow::Disconnect));
    let sent: Vec<_> = (0..20_u8).map(|number| socket.send_binary(vec![number; 10_000])).collect();
    assert_eq!(sent.iter().filter(|status| **status == SendStatus::Closed).count(), 10, "{sent:?}");
    site.client.advance(Duration::from_secs(5));
    assert!(site.client.wire.was_reset());
    assert_eq!(site.told().last().unwrap(), "closed 1008 messages were not received");
}

#[test]
fn broadcast_with_one_stalled() {
    let config = || config().queue_max(1 << 20, Overflow::Disconnect);
    let sites: Vec<_> = (0..20).map(|_| stalled(config())).collect();
    for (site, _) in &sites[1..] {
        site.client.wire.set_capacity(usize::MAX);
    }
    let message = PreparedMessage::binary(&[7; 100_000]);
    let expected = unmasked(Opcode::Binary, &[7; 100_000]);
    for round in 0..30 {
        for (number, (site, socket)) in sites.iter().enumerate() {
            let status = socket.send(&message);
            if number > 0 {
                assert!(matches!(status, SendStatus::Ok | SendStatus::Full), "{round} {number}");
                assert!(site.taken() == expected);
            }
        }
    }
    // The one that receives nothing was closed, and held no copy of its own.
    assert!(sites[0].1.is_closing());
    assert!(!sites[1..].iter().any(|(_, socket)| socket.is_closing()));
}

/// While messages wait, pings are not seen, so silence does not count; after that it does.
#[test]
fn a_slow_peer_is_not_a_dead_one() {
    let (site, socket) = stalled(WebSocketConfig::default());
    for _ in 0..50 {
        socket.send_binary([1; 10_000]);
    }
    site.client.advance(Duration::from_secs(300));
    assert!(!socket.is_closing());
    received(&site);
    site.client.advance(Duration::from_secs(200));
    assert_eq!(site.told().last().unwrap(), "closed 1006 pings were not answered");
}

/// A message that is too long is refused by its head, whatever waits to be sent.
#[test]
fn limits_by_configuration() {
    let limits = MessageLimits::default().message_max(100).frame_max(50).fragments_max(3);
    let cases = [
        (vec![frame(Opcode::Binary, &[1; 50])], None),
        (vec![frame(Opcode::Binary, &[1; 51])], Some("frame longer than 50 bytes")),
        (
            vec![
                [&[0x02], &frame(Opcode::Binary, &[1; 50])[1..]].concat(),
                [&[0x00], &frame(Opcode::Binary, &[1; 50])[1..]].concat(),
                [&[0x80], &frame(Opcode::Binary, &[1; 1])[1..]].concat(),
            ],
            Some("message longer than 100 bytes"),
        ),
        (
            vec![
                vec![0x02, 0x80, 0, 0, 0, 0],
                vec![0, 0x80, 0, 0, 0, 0],
                vec![0, 0x80, 0, 0, 0, 0],
                vec![0x80, 0x80, 0, 0, 0, 0],
            ],
            Some("message in more than 3 frames"),
        ),
    ];
    for (frames, expected) in cases {
        let config = WebSocketConfig::default().messages(limits);
        let site = site(|upgrade: WebSocketUpgrade<_>| upgrade.config(config));
        site.client.ask(handshake(""));
        let answer = site.ask(frames.concat());
        match expected {
            None => assert_eq!(answer[0], 0x82),
            Some(text) => {
                assert_eq!((answer[0], &answer[2..4]), (0x88, &[3, 241][..]));
                assert_eq!(String::from_utf8_lossy(&answer[4..]), text);
            }
        }
    }
}
