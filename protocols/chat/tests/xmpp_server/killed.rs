//! A server that is killed: a client that has the result of a change finds it again.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    time::Duration,
};

use sinew_chat::xmpp::server::{
    FolderStore, XmppServer,
    archive::{ArchiveConfig, FolderArchive},
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::kit::{HEADER, auth, bind, config};
use crate::watchdog;

/// Where the server of [`a_server_to_kill`] has its store.
const FOLDER: &str = "SINEW_XMPP_KILLED_STORE";
/// Before the port of that server.
const PORT: &str = "the port is ";

/// A process, which does not outlive the test, and its folder.
struct Server(Child, PathBuf);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = fs::remove_dir_all(&self.1);
    }
}

/// The program that [`told_and_killed`] runs: a server, until it is killed. Without its folder, that is not what is wanted.
#[test]
fn a_server_to_kill() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let reactor = Reactor::new().unwrap();
    let archive = ArchiveConfig::new(FolderArchive::new(PathBuf::from(&folder).join("archive")));
    let config = config().store(FolderStore::new(folder)).archive(archive);
    let server = XmppServer::new(&reactor, config);
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    println!("\n{PORT}{}", port.local().port());
    io::stdout().flush().unwrap();
    reactor.run().unwrap();
}

#[test]
fn told_and_killed() {
    watchdog::watch_this_test();
    let folder = env::temp_dir().join(format!("sinew-xmpp-killed-{}", process::id()));
    for number in 0..10 {
        let (mut server, mut client) = start(&folder);
        let name = format!("friend-{number}@example.org");
        let set = format!(
            "<iq type='set' id='set'><query xmlns='jabber:iq:roster'><item jid='{name}'/></query></iq>"
        );
        ask(&mut client, &set, "id='set'");
        // SIGKILL.
        server.0.kill().unwrap();
        server.0.wait().unwrap();
        let stored = fs::read_to_string(folder.join("ann.xml")).unwrap();
        assert!(stored.contains(&name) && stored.ends_with("</account>\n"), "{stored}");
    }
}

/// A server that is killed while it archives: what an archive has told is in it afterwards, and no message is missing between others.
#[test]
fn archived_and_killed() {
    watchdog::watch_this_test();
    let folder = env::temp_dir().join(format!("sinew-xmpp-killed-archive-{}", process::id()));
    let (mut told, mut sent) = (0, 0);
    for round in 0..10 {
        let (mut server, mut client) = start(&folder);
        // Before this one more messages were sent than told.
        let known = all_bodies(&mut client);
        assert!((told..=sent).contains(&known), "{told} {known} {sent}");
        sent = known;
        let send = |client: &mut TcpStream, number: usize| {
            // To somebody who cannot be reached, so that nothing comes of it but an error.
            let message =
                format!("<message to='bob@elsewhere' type='chat'><body>{number}</body></message>");
            client.write_all(message.as_bytes()).unwrap();
        };
        for _ in 0..7 {
            send(&mut client, sent);
            sent += 1;
        }
        told = all_bodies(&mut client);
        assert_eq!(told, sent);
        // Killed in the middle of these, at one moment or another.
        for _ in 0..5 * round {
            send(&mut client, sent);
            sent += 1;
        }
        server.0.kill().unwrap();
        server.0.wait().unwrap();
        if round < 9 {
            // Its folder is for the next one.
            server.1 = PathBuf::new();
        }
    }
}

/// How many messages the archive has, which say their numbers in order.
fn all_bodies(client: &mut TcpStream) -> usize {
    let (mut count, mut after) = (0, String::new());
    loop {
        let question = format!(
            "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>{after}</set></query></iq>"
        );
        let heard = ask(client, &question, "</iq>");
        for body in heard.split("<body>").skip(1) {
            assert!(body.starts_with(&format!("{count}<")), "{count}: {body}");
            count += 1;
        }
        if heard.contains("complete='true'") {
            return count;
        }
        let last = heard.split("<last>").nth(1).unwrap().split('<').next().unwrap();
        after = format!("<after>{last}</after>");
    }
}

/// A server with this folder, and a client that has logged in and takes no messages.
fn start(folder: &Path) -> (Server, TcpStream) {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "xmpp_server::killed::a_server_to_kill", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = Server(child, folder.to_owned());
    let output = BufReader::new(server.0.stdout.take().unwrap());
    let port = output.lines().find_map(|line| line.unwrap().strip_prefix(PORT)?.parse().ok());
    let mut client = TcpStream::connect(("127.0.0.1", port.unwrap())).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    ask(&mut client, HEADER, "</stream:features>");
    ask(&mut client, &auth("ann", "secret"), "<success");
    ask(&mut client, HEADER, "</stream:features>");
    ask(&mut client, &bind("desk"), "<jid>");
    (server, client)
}

/// Sends something, and reads until this is there.
fn ask(client: &mut TcpStream, text: &str, end: &str) -> String {
    client.write_all(text.as_bytes()).unwrap();
    let mut heard = String::new();
    while !heard.contains(end) {
        let mut piece = [0; 4_096];
        let len = client.read(&mut piece).unwrap();
        assert!(len > 0, "{heard}");
        heard.push_str(std::str::from_utf8(&piece[..len]).unwrap());
    }
    heard
}
