//! A server that is killed: a client that has the result of a change finds it again.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    time::Duration,
};

use sinew_chat::xmpp::server::{FolderStore, XmppServer};
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
    let server = XmppServer::new(&reactor, config().store(FolderStore::new(folder)));
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
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "xmpp_server::killed::a_server_to_kill", "--nocapture"])
            .env(FOLDER, &folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Server(child, folder.clone());
        let output = BufReader::new(server.0.stdout.take().unwrap());
        let port = output.lines().find_map(|line| line.unwrap().strip_prefix(PORT)?.parse().ok());
        let mut client = TcpStream::connect(("127.0.0.1", port.unwrap())).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        ask(&mut client, HEADER, "</stream:features>");
        ask(&mut client, &auth("ann", "secret"), "<success");
        ask(&mut client, HEADER, "</stream:features>");
        ask(&mut client, &bind("desk"), "<jid>");
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

/// Sends something, and reads until this is there.
fn ask(client: &mut TcpStream, text: &str, end: &str) {
    client.write_all(text.as_bytes()).unwrap();
    let mut heard = String::new();
    while !heard.contains(end) {
        let mut piece = [0; 4_096];
        let len = client.read(&mut piece).unwrap();
        assert!(len > 0, "{heard}");
        heard.push_str(std::str::from_utf8(&piece[..len]).unwrap());
    }
}
