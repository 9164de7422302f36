//! Tests of recordings: the text format, the limit, and the capture file, which is parsed by independent code.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use sinew_transports::{Factory, Protocol, StreamConfig, Transport, memory};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// One record of each kind.
const ALL: &str = r#"sinew recording 1
0.000000 #1 made with memory
0.000412 #2 made from [2001:db8::7]:40000 at [::1]:80
0.000412001 #3 made to 192.0.2.7:80 at 192.0.2.1:40000
0.001300 #1 received "GET / HTTP/1.0\r\n\r\n"
0.001300 #1 sent "\x00\xff \"\\\'\t"
0.001300 #1 blocked
0.001300 #1 writing_paused
0.001300 #1 writing_resumed
0.001300 #1 reading_resumed
1.500000 #1 timer_fired
1.500000 #1 idle_timeout
1.500000 #1 drain_requested
1.500000 #1 write_closed
1.500000 #1 discarded "tail"
1.500000 #1 end_discarded
1.500000 #1 lost "closed by this side"
1.500000 #1 closed
86400.000000 #2 read_closed
86400.000000 #2 failed "reset by the peer"
86400.000000 #2 lost "reset by the peer"
86400.000000 #2 closed
86400.000000 #3 lost "aborted by this side"
86400.000000 #3 reset
86400.000000 #3 closed
truncated
"#;

#[test]
fn printed_recordings_parse_as_the_same_recording() {
    let recording: Recording = ALL.parse().unwrap();
    assert_eq!(recording.to_string(), ALL);
    assert!(recording.is_truncated());
    assert_eq!(recording.len(), ALL.lines().count() - 2);
}

#[test]
fn hand_written_text_is_parsed() {
    let text =
        "sinew recording 1\n\n# why\n  1 #7 made with memory  \r\n1.5  #7  received \"\u{e9}'\"\n";
    let recording: Recording = text.parse().unwrap();
    let expected =
        "sinew recording 1\n1.000000 #7 made with memory\n1.500000 #7 received \"\\xc3\\xa9\\'\"\n";
    assert_eq!(recording.to_string(), expected);
}

#[test]
fn errors_name_the_line() {
    let made = "0 #1 made with memory";
    for (lines, error) in [
        ("", "line 1: a recording must begin with \"sinew recording 1\""),
        ("sinew recording 2", "line 1: a recording must begin with \"sinew recording 1\""),
        ("x", "line 2: a record must begin with a time in seconds, such as 1.250000"),
        ("-1 #1 closed", "line 2: a record must begin with a time in seconds, such as 1.250000"),
        ("1. #1 closed", "line 2: a record must begin with a time in seconds, such as 1.250000"),
        (
            "0.0000000001 #1 closed",
            "line 2: a record must begin with a time in seconds, such as 1.250000",
        ),
        (
            "9999999999 #1 closed",
            "line 2: a record must begin with a time in seconds, such as 1.250000",
        ),
        ("1 1 closed", "line 2: expected a connection such as #1 after the time"),
        ("1 #0 closed", "line 2: expected a connection such as #1 after the time"),
        ("1 #1 closed", "line 2: the connection has no \"made\" record, or more than one"),
        (
            "{made}\n0 #1 made with memory",
            "line 3: the connection has no \"made\" record, or more than one",
        ),
        (
            "\n2 #1 made with memory\n1 #1 closed",
            "line 4: this record is earlier than the previous one",
        ),
        ("{made}\n1 #1 exploded", "line 3: unknown record \"exploded\""),
        ("1 #1 made with love", "line 2: unknown record \"made with love\""),
        ("1 #1 made from nowhere at 1.2.3.4:5", "line 2: \"nowhere\" is not an address"),
        ("1 #1 made from 1.2.3.4:5 at home", "line 2: \"home\" is not an address"),
        ("{made}\ntruncated\n1 #1 closed", "line 4: \"truncated\" must be the last line"),
    ] {
        let head =
            if lines.is_empty() || lines.starts_with("sinew") { "" } else { "sinew recording 1\n" };
        let text = format!("{head}{}", lines.replace("{made}", made));
        assert_eq!(text.parse::<Recording>().unwrap_err().to_string(), error, "{text}");
    }
    for quoted in [
        "",
        "x",
        "\"",
        "\"x",
        "\"\\\"",
        "\"\\q\"",
        "\"\\x4\"",
        "\"\\xg0\"",
        "\"a\"b\"",
        "\"\\x+1\"",
    ] {
        let text = format!("sinew recording 1\n{made}\n1 #1 sent {quoted}\n");
        let error = text.parse::<Recording>().unwrap_err();
        assert!(error.to_string().contains("expected a quoted text"), "{quoted}: {error}");
        assert_eq!(error.line(), 3);
    }
}

/// Parsing, replaying and exporting a text must not panic.
fn must_not_panic(text: &str) {
    let Ok(recording) = text.parse::<Recording>() else { return };
    let _ = recording.replay(|_: &Peer| Echo);
    recording.write_pcapng(io::sink()).unwrap();
    let again: Recording = recording.to_string().parse().unwrap();
    assert_eq!(again.to_string(), recording.to_string());
}

#[test]
fn truncated_text_does_not_panic() {
    for len in 0..ALL.len() {
        must_not_panic(&ALL[..len]);
    }
}

fn line() -> impl Strategy<Value = String> {
    let mut whats: Vec<_> =
        ALL.lines().skip(1).filter_map(|line| line.splitn(3, ' ').nth(2)).collect();
    whats.extend(["received \"\"", "lost \"timed out\"", "lost \"the reactor was shut down\""]);
    let what = prop_oneof![9 => prop::sample::select(whats).prop_map(str::to_owned), 1 => "\\PC*"];
    (0..3_u64, 1..3_u32, what).prop_map(|(_, connection, what)| format!("#{connection} {what}"))
}

proptest! {
    #[test]
    fn arbitrary_text_does_not_panic(text in "\\PC*") {
        must_not_panic(&text);
        must_not_panic(&format!("sinew recording 1\n{text}"));
        must_not_panic(&format!("sinew recording 1\n0 #1 made with memory\n1 #1 {text}"));
    }

    /// Including impossible sequences of records.
    #[test]
    fn arbitrary_records_do_not_panic(lines in prop::collection::vec((0..3_u64, line()), 0..20)) {
        let mut text = "sinew recording 1\n0 #1 made with memory\n0 #2 made from 1.2.3.4:5\n".to_owned();
        let mut at = 0;
        for (step, line) in lines {
            at += step;
            text.push_str(&format!("{at} {line}\n"));
        }
        must_not_panic(&text);
    }

    #[test]
    fn arbitrary_bytes_round_trip(data in prop::collection::vec(any::<u8>(), 0..200)) {
        let recording = Recording::new();
        recording.record(None, 1, RecordKind::Made { by_peer: false, peer: Peer::Memory, local: None });
        recording.record(None, 1, RecordKind::Received(data));
        let again: Recording = recording.to_string().parse().unwrap();
        prop_assert_eq!(&*again.0.records.borrow(), &*recording.0.records.borrow());
    }
}

#[test]
fn saved_recordings_load_as_the_same_recording() {
    let folder = std::env::temp_dir().join(format!("sinew-recording-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("all.txt");
    let recording: Recording = ALL.parse().unwrap();
    recording.save(&path).unwrap();
    assert_eq!(Recording::load(&path).unwrap().to_string(), ALL);
    let mut written = Vec::new();
    recording.write_to(&mut written).unwrap();
    assert_eq!(written, ALL.as_bytes());

    fs::write(&path, "sinew recording 1\nnonsense\n").unwrap();
    let error = Recording::load(&path).unwrap_err();
    assert!(
        error.to_string().ends_with(
            "all.txt: line 2: a record must begin with a time in seconds, such as 1.250000"
        ),
        "{error}"
    );
    assert!(matches!(Recording::load(folder.join("none")), Err(RecordingError::Io { .. })));
    assert!(matches!(recording.save(&folder), Err(RecordingError::Io { .. })));
    fs::remove_dir_all(&folder).unwrap();
}

/// The recording of an echo that receives `pieces`, one every 10 ms, and then the end.
fn echoed(recording: Recording, pieces: &[&[u8]]) -> Recording {
    let reactor = Reactor::simulated(0);
    let echo = tap(|_: &Peer| Echo, &recording).build_protocol(&Peer::Memory).unwrap();
    let (_, wire) = memory::connect(&reactor, StreamConfig::default(), echo).unwrap();
    for piece in pieces {
        wire.receive(piece);
        reactor.advance(Duration::from_millis(10)).unwrap();
    }
    wire.close();
    reactor.advance(Duration::ZERO).unwrap();
    recording
}

#[test]
fn a_recording_past_its_limit_is_truncated() {
    let whole = echoed(Recording::new(), &[b"0123456789", b"abcdefghij", b"x"]);
    assert!(!whole.is_truncated());
    let all = whole.to_string();
    for bytes in 0..1_000 {
        let part = echoed(Recording::new().bytes_max(bytes), &[b"0123456789", b"abcdefghij", b"x"]);
        let text = part.to_string();
        let beginning = text.strip_suffix("truncated\n").unwrap_or(&text);
        assert_eq!(part.is_truncated(), beginning.len() < all.len(), "{bytes}");
        assert!(part.len() * RECORD_COST <= bytes, "{bytes}");
        // The last read may not have been delivered.
        assert!(
            all.replace("received", "discarded")
                .starts_with(&beginning.replace("received", "discarded")),
            "{bytes}: {text}"
        );
        part.replay(|_: &Peer| Echo).unwrap_or_else(|error| panic!("{bytes}: {error}\n{text}"));
    }
}

#[test]
fn the_wrappers_can_be_unwrapped() {
    let recording = Recording::new();
    let mut factory = tap(|_: &Peer| Echo, &recording);
    assert!(factory.get_mut().build_protocol(&Peer::Memory).is_some());
    let mut tapped = factory.build_protocol(&Peer::Memory).unwrap();
    let _: &mut Echo = tapped.get_mut();
    let _: &Echo = tapped.get_ref();
    let _: Echo = tapped.into_inner();
    let _ = factory.get_ref();
    assert!(factory.into_inner().build_protocol(&Peer::Memory).is_some());
    assert!(recording.is_empty());
}

// ---- the capture file ----

/// A parsed packet.
#[derive(Debug)]
struct Packet {
    at: Duration,
    from: SocketAddr,
    to: SocketAddr,
    seq: u32,
    ack: u32,
    flags: u8,
    data: Vec<u8>,
    comments: Vec<String>,
}

fn u16_le(data: &[u8], at: usize) -> usize {
    u16::from_le_bytes([data[at], data[at + 1]]).into()
}

fn u32_le(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(data[at..at + 4].try_into().unwrap())
}

fn u16_be(data: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([data[at], data[at + 1]])
}

/// RFC 1071: the ones' complement sum over data that include a correct checksum is all ones.
fn assert_sum(data: &[u8]) {
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(2), 0);
    let sum = (0..data.len()).step_by(2).fold(0_u64, |sum, at| sum + u64::from(u16_be(&data, at)));
    assert_eq!(sum % 0xffff, 0, "{data:x?}");
    assert_ne!(sum, 0);
}

fn blocks(mut file: &[u8]) -> Vec<(u32, &[u8])> {
    let mut blocks = Vec::new();
    while !file.is_empty() {
        let len = u32_le(file, 4) as usize;
        assert!(len.is_multiple_of(4) && len >= 12);
        assert_eq!(u32_le(file, len - 4) as usize, len);
        blocks.push((u32_le(file, 0), &file[8..len - 4]));
        file = &file[len..];
    }
    blocks
}

/// Code and value of each option.
fn options(mut rest: &[u8]) -> Vec<(usize, &[u8])> {
    let mut options = Vec::new();
    loop {
        let (code, len) = (u16_le(rest, 0), u16_le(rest, 2));
        if code == 0 {
            assert_eq!((len, rest.len()), (0, 4));
            return options;
        }
        options.push((code, &rest[4..4 + len]));
        rest = &rest[4 + len.next_multiple_of(4)..];
    }
}

fn packets(recording: &Recording) -> Vec<Packet> {
    let mut file = Vec::new();
    recording.write_pcapng(&mut file).unwrap();
    let blocks = blocks(&file);
    let (kind, header) = blocks[0];
    assert_eq!((kind, u32_le(header, 0)), (0x0a0d_0d0a, 0x1a2b_3c4d));
    assert_eq!((u16_le(header, 4), u16_le(header, 6)), (1, 0));
    let (kind, interface) = blocks[1];
    assert_eq!((kind, u16_le(interface, 0), u32_le(interface, 4)), (1, 101, 0));
    assert_eq!(options(&interface[8..]), [(9, &[9][..])]);
    blocks[2..].iter().map(|(kind, body)| packet(*kind, body)).collect()
}

fn packet(kind: u32, body: &[u8]) -> Packet {
    assert_eq!((kind, u32_le(body, 0)), (6, 0));
    let nanos = u64::from(u32_le(body, 4)) << 32 | u64::from(u32_le(body, 8));
    let len = u32_le(body, 12) as usize;
    assert_eq!(u32_le(body, 16) as usize, len);
    let options = options(&body[20 + len.next_multiple_of(4)..]);
    let comments = options.iter().filter(|(code, _)| *code == 1);
    let comments = comments.map(|(_, text)| String::from_utf8(text.to_vec()).unwrap()).collect();
    let ip = &body[20..20 + len];
    let (from, to, pseudo, tcp): (IpAddr, IpAddr, _, _) = match ip[0] >> 4 {
        4 => {
            assert_eq!((ip[0], usize::from(u16_be(ip, 2)), ip[9]), (0x45, len, 6));
            assert_sum(&ip[..20]);
            let octets = |at: usize| <[u8; 4]>::try_from(&ip[at..at + 4]).unwrap();
            (
                Ipv4Addr::from(octets(12)).into(),
                Ipv4Addr::from(octets(16)).into(),
                &ip[12..20],
                &ip[20..],
            )
        }
        6 => {
            assert_eq!((usize::from(u16_be(ip, 4)), ip[6]), (len - 40, 6));
            let octets = |at: usize| <[u8; 16]>::try_from(&ip[at..at + 16]).unwrap();
            (
                Ipv6Addr::from(octets(8)).into(),
                Ipv6Addr::from(octets(24)).into(),
                &ip[8..40],
                &ip[40..],
            )
        }
        version => panic!("version {version}"),
    };
    let len = u16::try_from(tcp.len()).unwrap().to_be_bytes();
    assert_sum(&[pseudo, &[0, 6], &len, tcp].concat());
    assert_eq!(tcp[12], 5 << 4);
    let word = |at: usize| u32::from_be_bytes(tcp[at..at + 4].try_into().unwrap());
    Packet {
        at: Duration::from_nanos(nanos),
        from: SocketAddr::new(from, u16_be(tcp, 0)),
        to: SocketAddr::new(to, u16_be(tcp, 2)),
        seq: word(4),
        ack: word(8),
        flags: tcp[13],
        data: tcp[20..].to_vec(),
        comments,
    }
}

/// The output of each side. Checks that sequence numbers are contiguous and that acknowledgements are of sent data.
fn streams(packets: &[Packet], opener: SocketAddr, accepter: SocketAddr) -> (Vec<u8>, Vec<u8>) {
    let flags: Vec<_> = packets.iter().take(3).map(|packet| packet.flags).collect();
    assert_eq!(flags, [0x02, 0x12, 0x10]); // SYN, SYN ACK, ACK
    let mut ends = [(opener, 0_u32, Vec::new()), (accepter, 0, Vec::new())];
    let (mut last, mut acked) = (Duration::ZERO, [0; 2]);
    for (n, packet) in packets.iter().enumerate() {
        assert!(packet.at >= last);
        last = packet.at;
        let from = ends.iter().position(|end| end.0 == packet.from).unwrap();
        assert_eq!(packet.to, ends[1 - from].0);
        assert_eq!(packet.seq, ends[from].1, "packet {n}");
        if n > 0 {
            assert_eq!(packet.ack, ends[1 - from].1, "packet {n}");
        }
        assert!(packet.data.len() <= 1_460);
        // Data in flight fit into the window of 65,535 bytes.
        acked[1 - from] = packet.ack;
        assert!(ends[from].1 + packet.data.len() as u32 - acked[from] <= 65_535, "packet {n}");
        ends[from].1 += packet.data.len() as u32 + u32::from(packet.flags & 0x03 != 0);
        ends[from].2.extend_from_slice(&packet.data);
    }
    let [opener, accepter] = ends;
    (opener.2, accepter.2)
}

#[test]
fn a_capture_shows_the_traffic() {
    let large: Vec<u8> = (0..150_001_u32).map(|n| (n ^ n >> 8) as u8).collect();
    let recording = echoed(Recording::new(), &[b"hello", &large]);
    let packets = packets(&recording);
    let (peer, here) = ("192.0.2.2:1025".parse().unwrap(), "192.0.2.1:1025".parse().unwrap());
    let (received, sent) = streams(&packets, peer, here);
    let all = [b"hello", &large[..]].concat();
    assert!(received == all && sent == all);
    let ends = packets.iter().filter(|packet| packet.flags & 0x01 != 0);
    assert_eq!(ends.map(|packet| packet.from).collect::<Vec<_>>(), [peer, here]);
    let comments: Vec<_> = packets.iter().flat_map(|packet| &packet.comments).collect();
    assert_eq!(comments.first().unwrap().as_str(), "0.000000 made with memory");
    assert!(comments.contains(&&"0.020000 read_closed".to_owned()));
    assert_eq!(comments.last().unwrap().as_str(), "0.020000 lost \"closed by the peer\"");
    let at: Vec<_> = packets.iter().map(|packet| packet.at.as_millis()).collect();
    assert!(at.contains(&0) && at.contains(&10) && at.contains(&20), "{at:?}");
}

#[test]
fn a_capture_of_all_kinds_of_records() {
    let recording: Recording = ALL.parse().unwrap();
    let packets = packets(&recording);
    let of = |port: u16| -> Vec<&Packet> {
        packets
            .iter()
            .filter(|packet| [packet.from.port(), packet.to.port()].contains(&port))
            .collect()
    };
    // The side that aborted sends the reset.
    let by_us = of(80).into_iter().rfind(|packet| packet.from.is_ipv4()).unwrap();
    assert_eq!((by_us.flags & 0x04, by_us.from.to_string().as_str()), (4, "192.0.2.1:40000"));
    assert_eq!(by_us.comments, ["86400.000000 lost \"aborted by this side\""]);
    let by_peer = of(80).into_iter().rfind(|packet| packet.from.is_ipv6()).unwrap();
    assert_eq!(
        (by_peer.flags & 0x04, by_peer.from.to_string().as_str()),
        (4, "[2001:db8::7]:40000")
    );
    // The opener sends the SYN.
    let first =
        |is_v6: bool| of(80).into_iter().find(|packet| packet.from.is_ipv6() == is_v6).unwrap();
    assert_eq!(first(true).from.to_string(), "[2001:db8::7]:40000");
    assert_eq!(first(false).from.to_string(), "192.0.2.1:40000");
    let memory = of(1025);
    assert!(memory.iter().any(|packet| packet.data == b"\x00\xff \"\\'\t"));
    let timers = memory.iter().flat_map(|packet| &packet.comments);
    assert_eq!(timers.filter(|comment| comment.contains("timer_fired")).count(), 1);
}
