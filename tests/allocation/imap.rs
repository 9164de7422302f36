//! Idle connections of IMAP: a client that has logged in, selected a mailbox, and waits for news.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::{Arc, PoisonError, mpsc::channel},
    thread,
};

use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use sinew::{
    auth::{Authenticator, AuthenticatorConfig, Users},
    mail::{
        imap::server::{ImapServer, ServerConfig},
        store::{MailboxName, MemoryStore, NewMessage, Store},
    },
    prelude::*,
    transports::tls::ReactorTls,
};

use super::{idle::MANY_DESCRIPTORS, sys::held};
use crate::support::{
    Link, RemoteEnd, Watchdog, Width, World, certs,
    sockets::{any_port, dial},
};

const CONNECTIONS: usize = 200;

/// Messages in the mailbox, which no session has a copy of.
const MESSAGES: usize = 500;

/// The connection, the session, its view of the mailbox, and its place among those that are told of changes, and among those whose user may be
/// removed.
const BYTES_MAX: i64 = 1_152;

fn server(reactor: &Reactor) -> ImapServer {
    let store = MemoryStore::default();
    store.create_account("ann").unwrap();
    let account = store.account(reactor, "ann");
    let filling = async move {
        let account = account.await.unwrap();
        for _ in 0..MESSAGES {
            let mut append =
                account.deliver(&MailboxName::inbox(), NewMessage::new()).await.unwrap();
            append.write("Subject: x\r\n\r\n".into()).await.unwrap();
            let _ = append.finish().await.unwrap();
        }
    };
    reactor.run_until(filling).unwrap();
    let users = Users::new().user("ann", "secret");
    let users = Authenticator::with(users, AuthenticatorConfig::default().allow_plaintext(true));
    ImapServer::new(ServerConfig::new(users, Rc::new(store)))
}

#[test]
fn an_idle_session_of_imap_is_small() {
    let _alone = MANY_DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = Watchdog::new("idle sessions of IMAP");
    let world = World::new(Engine::Mio, Link::Accepted);
    let server = server(world.reactor());
    let port = world.reactor().listen_tcp(any_port(), server).unwrap();
    let mut clients = Vec::with_capacity(2 * CONNECTIONS);
    let mut before = 0;
    // The first half grows everything that does not shrink.
    for half in 1..=2 {
        for _ in 0..CONNECTIONS {
            let mut client = RemoteEnd::socket(dial(port.local(), Width::Wide));
            client.send(b"a LOGIN ann secret\r\nb SELECT INBOX\r\nc IDLE\r\n");
            let (mut buffer, mut got) = ([0; 4_096], 0);
            while !buffer[..got].ends_with(b"+ Idling\r\n") {
                world.turn();
                got += client.take_into(&mut buffer[got..]);
            }
            clients.push(client);
        }
        world.settle();
        if half == 1 {
            before = held();
        }
    }
    let each = (held() - before) / CONNECTIONS as i64;
    println!("{each} bytes for each idle session of IMAP");
    assert!(each <= BYTES_MAX, "{each} bytes for each idle session of IMAP");
}

/// With the session of rustls, which takes most of it.
const TLS_BYTES_MAX: i64 = 4_096;

const TLS_CONNECTIONS: usize = 50;

/// Connects over TLS, logs in, and begins IDLE.
fn idle_over_tls(addr: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let config = Arc::new(certs::remote_client_config(None));
    let session =
        ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut client = StreamOwned::new(session, TcpStream::connect(addr).unwrap());
    client.write_all(b"a LOGIN ann secret\r\nb SELECT INBOX\r\nc IDLE\r\n").unwrap();
    let (mut buffer, mut got) = ([0; 4_096], 0);
    while !buffer[..got].ends_with(b"+ Idling\r\n") {
        got += client.read(&mut buffer[got..]).unwrap();
    }
    client
}

#[test]
fn an_idle_session_of_imap_over_tls_is_small() {
    let _watchdog = Watchdog::new("idle sessions of IMAP over TLS");
    let world = World::new(Engine::Mio, Link::Accepted);
    let server = server(world.reactor());
    let tls = certs::server().resumption(false);
    let port = world.reactor().listen_tls(any_port(), &tls, server).unwrap();
    let (addr, mut before, mut clients) = (port.local(), 0, Vec::new());
    for half in 1..=2 {
        // What the clients hold is counted on their thread.
        let (sender, done) = channel();
        thread::spawn(move || {
            let all: Vec<_> = (0..TLS_CONNECTIONS).map(|_| idle_over_tls(addr)).collect();
            drop(sender.send(all));
        });
        world.until("the clients", || {
            done.try_recv().is_ok_and(|all| {
                clients.extend(all);
                true
            })
        });
        world.settle();
        if half == 1 {
            clients.reserve(TLS_CONNECTIONS);
            before = held();
        }
    }
    let each = (held() - before) / TLS_CONNECTIONS as i64;
    println!("{each} bytes for each idle session of IMAP over TLS");
    assert!(each <= TLS_BYTES_MAX, "{each} bytes for each idle session of IMAP over TLS");
}
