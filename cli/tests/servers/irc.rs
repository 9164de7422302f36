//! `sinew irc` with real clients.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process,
};

use nix::sys::signal::Signal;

use crate::kit::{Server, failure};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sinew-cli-irc-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    fn register(address: SocketAddr, nick: &str) -> Self {
        let mut client = Self::connect(address);
        client.says(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}"));
        client.until(" 001 ");
        client
    }

    fn says(&mut self, lines: &str) {
        self.0.get_mut().write_all(format!("{lines}\r\n").as_bytes()).unwrap();
    }

    /// Reads up to a line with this text, which is returned.
    fn until(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the end came before {text:?}");
            if line.contains(text) {
                return line.trim_end().to_owned();
            }
        }
    }
}

fn start(more: &[&str]) -> Server {
    Server::start(&[&["irc", "--listen", "127.0.0.1:0"], more].concat())
}

#[test]
fn two_clients_meet_whatever_the_number_of_reactors() {
    for reactors in ["1", "3"] {
        let server = start(&["--reactors", reactors, "--name", "irc.test", "--network", "Test"]);
        let mut ann = Client::register(server.address(), "ann");
        ann.says("JOIN #a");
        ann.until(" 366 ");
        let mut bob = Client::register(server.address(), "bob");
        bob.until("NETWORK=Test");
        bob.says("JOIN #a");
        bob.until(" 366 ");
        bob.says("PRIVMSG #a :hello");
        assert!(ann.until("PRIVMSG").ends_with(" PRIVMSG #a :hello"));
        server.stop();
        // The drain tells her why.
        assert!(ann.until("ERROR").contains("The server is going down"));
    }
}

#[test]
fn channels_and_files() {
    let folder = Folder::new("files");
    // The hash of `secret`.
    let users = folder.file("users", "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
    let motd = folder.file("motd", "Welcome.\n");
    let channels = folder.0.join("channels");
    let arguments = [
        "--accounts",
        &users,
        "--plaintext-logins",
        "--motd",
        &motd,
        "--channels",
        channels.to_str().unwrap(),
    ];
    let server = start(&arguments);
    let mut ann = Client::connect(server.address());
    ann.says("CAP REQ sasl\r\nAUTHENTICATE PLAIN");
    ann.until("AUTHENTICATE +");
    ann.says("AUTHENTICATE AGFubgBzZWNyZXQ=");
    ann.until(" 903 ");
    ann.says("NICK ann\r\nUSER ann 0 * :x\r\nCAP END\r\nJOIN #kept\r\nCS REGISTER #kept\r\nTOPIC #kept :as it was");
    ann.until("- Welcome.");
    ann.until("TOPIC");
    fs::write(&motd, "Changed.\n").unwrap();
    server.signal(Signal::SIGHUP);
    loop {
        ann.says("MOTD");
        if ann.until(" 372 ").contains("- Changed.") {
            break;
        }
    }
    server.stop();
    let server = start(&arguments);
    let mut bob = Client::register(server.address(), "bob");
    bob.says("JOIN #kept");
    assert!(bob.until(" 332 ").ends_with(":as it was"));
    server.stop();
}

#[test]
fn what_cannot_be_started() {
    let folder = Folder::new("failures");
    let rubbish = folder.file("rubbish", "rubbish\n");
    let empty = folder.file("empty", "\n");
    for (arguments, said) in [
        (&["irc", "--name", "a b"][..], "a name"),
        (&["irc", "--account-required"], "needs accounts"),
        (&["irc", "--motd", "/no/such/file"], "/no/such/file"),
        (&["irc", "--channels", &rubbish], "line 1 is not a channel"),
        (&["irc", "--cloak", &empty], "no secret"),
        (&["irc", "--password-file", "/no/such/file"], "/no/such/file"),
        (&["irc", "--accounts", &rubbish], "rubbish"),
    ] {
        let (code, output) = failure(arguments);
        assert!(code != 0 && output.contains(said), "{arguments:?}: {output}");
    }
}
