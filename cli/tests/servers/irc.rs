//! `sinew irc` with real clients.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{self, Command, Stdio},
};

use nix::sys::signal::Signal;

use super::password;
use crate::kit::{Scratch, Server, failure};

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

/// A client over lines, and one over a WebSocket whose address a proxy tells. With TLS on the port of the WebSockets.
#[test]
fn by_websocket() {
    if !has_module("websockets.sync.client") {
        println!("skipped: Python with websockets is not installed");
        return;
    }
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let tls = format!("tls:0:interface=127.0.0.1:cert={cert}:key={key}");
    let server = start(&[
        "--websocket",
        &tls,
        "--origin",
        "https://chat.example.org",
        "--trusted-proxy",
        "127.0.0.0/8",
    ]);
    let mut ann = Client::register(server.address(), "ann");
    ann.says("JOIN #a");
    ann.until(" 366 ");
    let (_, port) = server.addresses[1].rsplit_once(':').expect("an address and a port");
    let script = format!(
        "import ssl\n\
         from websockets.sync.client import connect\n\
         from websockets.exceptions import InvalidStatus\n\
         context = ssl.create_default_context(cafile='{cert}')\n\
         def opened(origin):\n\
         \x20   return connect('wss://localhost:{port}/', ssl=context, origin=origin, subprotocols=['text.ircv3.net'],\n\
         \x20                  additional_headers={{'X-Forwarded-For': '198.51.100.7'}})\n\
         try: opened('https://elsewhere.example')\n\
         except InvalidStatus as refused: assert refused.response.status_code == 403\n\
         else: assert False\n\
         with opened('https://chat.example.org') as socket:\n\
         \x20   for line in 'NICK web', 'USER web 0 * :Web', 'JOIN #a', 'PRIVMSG #a :hello': socket.send(line)\n\
         \x20   for message in socket:\n\
         \x20       if 'PRIVMSG web :bye' in message: break\n"
    );
    let mut python = Command::new(python()).args(["-c", &script]).spawn().unwrap();
    assert_eq!(ann.until("PRIVMSG"), ":web!~web@198.51.100.7 PRIVMSG #a :hello");
    ann.says("PRIVMSG web :bye");
    assert!(python.wait().unwrap().success());
    ann.until(":web!~web@198.51.100.7 QUIT ");
    server.stop();
}

/// The Python of `.ci/peers`, or of the system.
fn python() -> PathBuf {
    let target = env::current_exe().unwrap();
    let own = target.ancestors().nth(3).unwrap().join("peers/python/bin/python3");
    if own.is_file() { own } else { "python3".into() }
}

fn has_module(name: &str) -> bool {
    let mut import = Command::new(python());
    let import = import.args(["-c", &format!("import {name}")]).stderr(Stdio::null());
    import.status().is_ok_and(|status| status.success())
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

/// Who is removed goes, which others see, and nobody comes back; who is no operator any more stays.
#[test]
fn sessions_end_with_their_credentials() {
    let folder = Folder::new("removed");
    let lines = ["ann", "bob"].map(password::line_of);
    let accounts = folder.file("accounts", &lines.concat());
    let operators = folder.file("operators", &password::line_of("root"));
    let mut server = start(&[
        "--accounts",
        &accounts,
        "--operators",
        &operators,
        "--plaintext-logins",
        "--watch",
        "1h",
    ]);
    let address = server.address();
    // The messages of PLAIN: NUL, ann, NUL, ann.
    let log_in = |message: &str| {
        let mut client = Client::connect(address);
        client.says("CAP REQ sasl\r\nAUTHENTICATE PLAIN");
        client.until("AUTHENTICATE +");
        client.says(&format!("AUTHENTICATE {message}"));
        client
    };
    let join = |client: &mut Client, nick: &str| {
        client.until(" 903 ");
        client.says(&format!("NICK {nick}\r\nUSER {nick} 0 * :x\r\nCAP END\r\nJOIN #a"));
        client.until(" 366 ");
    };
    let (mut ann, mut bob) = (log_in("AGFubgBhbm4="), log_in("AGJvYgBib2I="));
    join(&mut ann, "ann");
    join(&mut bob, "bob");
    ann.says("OPER root root");
    ann.until(" 381 ");
    folder.file("accounts", &lines[0]);
    folder.file("operators", &password::line_of("other"));
    server.signal(Signal::SIGHUP);
    server.all_lines(&[
        "the accounts are read again",
        "its sessions end user=bob sessions=1",
        "the operators are read again",
        "its sessions end user=root sessions=1",
    ]);
    assert!(bob.until("ERROR").contains("The credentials are not valid any more"));
    ann.until("MODE ann -o");
    ann.says("WHOIS ann");
    ann.until(" 330 ann ann ann ");
    log_in("AGJvYgBib2I=").until(" 904 ");
    server.stop();
}

/// A file of users that had none has one with keys of SCRAM: clients are told without anybody logging in.
#[test]
fn mechanisms_after_a_reload() {
    let folder = Folder::new("mechanisms");
    let users = folder.file("users", "");
    let server = start(&["--accounts", &users, "--plaintext-logins"]);
    let mut ann = Client::connect(server.address());
    ann.says("CAP LS 302");
    assert!(ann.until(" LS ").contains(" sasl=PLAIN,LOGIN "));
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let user = format!("ann:SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==${key}:{key}\n");
    fs::write(&users, user).unwrap();
    server.signal(Signal::SIGHUP);
    assert!(ann.until(" NEW ").ends_with(" NEW :sasl=SCRAM-SHA-256,PLAIN,LOGIN"));
    ann.says("CAP LS 302");
    assert!(ann.until(" LS ").contains(" sasl=SCRAM-SHA-256,PLAIN,LOGIN "));
    server.stop();
}

#[test]
fn what_cannot_be_started() {
    let folder = Folder::new("failures");
    let rubbish = folder.file("rubbish", "rubbish\n");
    let bans = folder.file("bans", "*@192.0.2.1 spam\n192.0.2.2 more spam\n");
    let nowhere = folder.0.join("missing/file").to_str().unwrap().to_owned();
    let empty = folder.file("empty", "\n");
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o600)).expect("a file");
    for (arguments, said) in [
        (&["irc", "--name", "a b"][..], "name \"a b\": "),
        (&["irc", "--network", "a b"], "network \"a b\": "),
        (&["irc", "--account-required"], "needs accounts"),
        (&["irc", "--motd", "/no/such/file"], "/no/such/file: No such file"),
        (&["irc", "--bans", "/"], "/: Is a directory"),
        (&["irc", "--bans", &bans], "bans: line 2 is not a ban, as user@host and a reason"),
        (&["irc", "--bans", &nowhere], "missing/file: its folder is not there: No such file"),
        (&["irc", "--channels", &nowhere], "missing/file: its folder is not there: No such file"),
        (&["irc", "--channels", &rubbish], "line 1 is not a channel"),
        (&["irc", "--cloak", &empty], "no secret"),
        (&["irc", "--cloak", &rubbish], "chmod 600"),
        (&["irc", "--password-file", "/no/such/file"], "/no/such/file"),
        (&["irc", "--accounts", &rubbish], "rubbish"),
        (&["irc", "--trusted-proxy", "10.0.0.0/8"], "--websocket"),
        (&["irc", "--websocket", "127.0.0.1:0", "--trusted-proxy", "x"], "x"),
    ] {
        let (code, output) = failure(arguments);
        assert!(code != 0 && output.contains(said), "{arguments:?}: {output}");
    }
    // A file, where the command line has no say in what goes together.
    let (bad_bans, no_folder) = (format!("bans = '{bans}'"), format!("channels = '{nowhere}'"));
    for (line, said) in [
        (bad_bans.as_str(), "line 2 is not a ban"),
        (&no_folder, "its folder is not there"),
        ("origin = [\"https://a.example\"]", "are for websocket"),
        ("trusted_proxy = [\"10.0.0.0/8\"]", "are for websocket"),
        ("account_required = true", "account_required needs accounts"),
        ("failed_logins = '20'", "\"20\" is not ADDRESS/USER/TIME"),
        ("failed_logins = '0/100/15m'", "is not ADDRESS/USER/TIME"),
    ] {
        let file = folder.file("irc.toml", &format!("[services.irc]\n{line}\n"));
        let (code, output) = failure(&["run", &file]);
        assert!(code == 78 && output.contains(said), "{line}: {output}");
    }
    // Browsers would never send them.
    for origin in ["a.example", "https://a.example/", "https://A.example", "https://a.example:443"]
    {
        let (code, output) = failure(&[
            "irc",
            "--websocket",
            "127.0.0.1:0",
            "--listen",
            "127.0.0.1:0",
            "--origin",
            origin,
        ]);
        assert!(code != 0 && output.contains(&format!("origin {origin}: not ")), "{output}");
    }
}

/// All who are behind one address can come back at once.
#[test]
fn as_many_may_connect_as_may_be_there() {
    let server = Server::start(&["irc", "--listen", "127.0.0.1:0", "--per-network", "30"]);
    let clients: Vec<_> = (0..30)
        .map(|_| {
            let mut client = Client::connect(server.address());
            client.says("PING there");
            client.until(":there");
            client
        })
        .collect();
    drop(clients);
    server.stop();
}

/// The number for an address is that of the key: behind it, the right password is not looked at.
#[test]
fn failed_logins_are_bounded_as_the_key_says() {
    let folder = Folder::new("failed-logins");
    // The hash of `secret`.
    let users = folder.file("users", "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
    let log_in = |address, response: &str, reply: &str| {
        let mut client = Client::connect(address);
        client.says("CAP REQ sasl\r\nAUTHENTICATE PLAIN");
        client.until("AUTHENTICATE +");
        client.says(&format!("AUTHENTICATE {response}"));
        client.until(reply);
    };
    for (failed_logins, reply) in [("1/none/15m", " 904 "), ("2/none/15m", " 903 ")] {
        let arguments =
            ["--accounts", &users, "--plaintext-logins", "--failed-logins", failed_logins];
        let server = start(&arguments);
        log_in(server.address(), "AGFubgB3cm9uZw==", " 904 ");
        log_in(server.address(), "AGFubgBzZWNyZXQ=", reply);
        server.stop();
    }
}
