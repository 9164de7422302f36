//! Networks that are gone: whatever clients send, a server answers with frames; commands of MSNP survive.

use std::time::Duration;

use sinew::{
    chat::historical::{
        Realm,
        flap::{Flap, Flaps},
        msnp::{Command, Commands, Sender},
        oscar::OscarServer,
        toc::TocServer,
    },
    protocols::basic::Frames,
    reactor::Reactor,
    transports::{Factory, Peer, StreamConfig, memory},
};

use super::{input::Input, pieces::pieces};

fn realm() -> Realm {
    Realm::new([("ann".parse().expect("a name"), "secret".into())])
}

/// A server of OSCAR.
pub(crate) fn oscar(data: &mut Input<'_>) {
    serve(OscarServer::new(&realm()), data);
}

/// A server of TOC.
pub(crate) fn toc(data: &mut Input<'_>) {
    serve(TocServer::new(&realm()), data);
}

/// All that a server sends is frames, numbered from 0 on.
fn serve<F: Factory>(mut server: F, data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let stream = data.bytes(4 * 1_024);
    let reactor = Reactor::simulated(0);
    let connection = server.build_protocol(&Peer::Memory).expect("it takes all");
    let made = memory::connect(&reactor, StreamConfig::default(), connection);
    let (_connection, wire) = made.expect("room for one");
    for piece in pieces(stream, &lens) {
        wire.receive_if_open(piece);
        reactor.advance(Duration::from_millis(20)).expect("the loop becomes idle");
    }
    reactor.advance(Duration::from_secs(5)).expect("the loop becomes idle");
    let sent = wire.sent();
    let (mut frames, mut input, mut number) = (Frames::new(Flaps::default()), &sent[..], 0);
    while let Some(frame) = frames.next(&mut input).expect("a server sends frames") {
        let flap = Flap::parse(frame).expect("it was found");
        assert_eq!(flap.sequence, number);
        number += 1;
    }
    assert!(frames.unfinished().is_empty());
}

/// A stream of commands, whole and in pieces; each can be written again.
pub(crate) fn msnp(data: &mut Input<'_>) {
    let by = if data.byte().is_multiple_of(2) { Sender::Client } else { Sender::Server };
    let lens = data.piece_lens(64);
    let stream = data.rest();
    let whole = commands(stream, &[stream.len().max(1)], by);
    assert_eq!(whole, commands(stream, &lens, by));
    for frame in whole {
        if let Ok(command) = Command::parse(&frame, by) {
            let bytes = command.encode(by).expect("it was read");
            assert_eq!(Command::parse(&bytes, by), Ok(command));
        }
    }
}

fn commands(stream: &[u8], lens: &[usize], by: Sender) -> Vec<Vec<u8>> {
    let (mut frames, mut found) = (Frames::new(Commands::of(by)), Vec::new());
    for mut piece in pieces(stream, lens) {
        loop {
            match frames.next(&mut piece) {
                Ok(Some(frame)) => found.push(frame.to_vec()),
                Ok(None) => break,
                Err(_) => return found,
            }
        }
    }
    found
}
