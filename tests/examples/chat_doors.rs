//! The three doors of the example `chat_server`: guests by lines, by IRC and by WebSocket in one room. With irssi and Chromium, which are
//! skipped, aloud, where they are missing.

use std::{
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
};

use sinew::{
    chat::irc::client::{IrcClient, IrcConfig, IrcHandler, Said},
    http::websocket::Opcode,
    prelude::*,
    transports::endpoint::ClientEndpoint,
};
use socket2::SockRef;

use super::{
    peer::Peer,
    process::{Example, listening},
    web_sockets::Socket,
};

struct Server {
    process: Example,
    lines: SocketAddr,
    irc: SocketAddr,
    web: SocketAddr,
}

impl Server {
    fn start() -> Self {
        Self::on_reactors("1")
    }

    fn on_reactors(reactors: &str) -> Self {
        let args = ["--listen", "--irc", "--websocket"].map(|door| [door, "127.0.0.1:0"]);
        let args = [&args.concat()[..], &["--reactors", reactors]].concat();
        let process = Example::start("chat_server", &args);
        let [lines, irc, web] =
            [(); 3].map(|()| listening(&process.line()).parse().expect("an address"));
        Self { process, lines, irc, web }
    }

    fn by_lines(&self, name: &str) -> Peer {
        let mut guest = Peer::connect(self.lines);
        assert_eq!(guest.line(), "Your name?");
        guest.send(format!("{name}\n"));
        assert!(guest.line().starts_with("Welcome."));
        guest
    }

    fn by_irc(&self, name: &str) -> Peer {
        let mut guest = Peer::connect(self.irc);
        guest.send(format!("CAP LS 302\r\nNICK {name}\r\nUSER {name} 0 * :{name}\r\nCAP END\r\n"));
        assert_eq!(guest.line(), ":room CAP * LS :");
        assert_eq!(guest.line(), format!(":room 001 {name} :Welcome"));
        assert!(guest.line().starts_with(":room 422 "));
        assert_eq!(guest.line(), format!(":{name}!{name}@room JOIN #room"));
        guest
    }

    fn by_websocket(&self, name: &str) -> Socket {
        let mut guest = Socket::over(Peer::connect(self.web), "/chat");
        assert_eq!(guest.text(), "Your name?");
        guest.send(Opcode::Text, name.as_bytes());
        assert!(guest.text().starts_with("Welcome."));
        guest
    }
}

#[test]
fn guests_of_three_doors_talk() {
    let server = Server::start();
    let mut ann = server.by_lines("ann");
    let mut iris = server.by_irc("iris");
    assert_eq!(iris.line(), ":room 353 iris = #room :ann iris");
    assert_eq!(iris.line(), ":room 366 iris #room :That is all");
    assert_eq!(ann.line(), "* iris joined");
    let mut web = server.by_websocket("web");
    assert_eq!(ann.line(), "* web joined");
    assert_eq!(iris.line(), ":web!web@room JOIN #room");

    ann.send("hello\n");
    assert_eq!(iris.line(), ":ann!ann@room PRIVMSG #room :hello");
    assert_eq!(web.text(), "ann: hello");
    iris.send("PRIVMSG #room :good \x02morning\r\nPRIVMSG #room :\x01ACTION waves\x01\r\n");
    for said in ["iris: good morning", "iris: *waves*"] {
        assert_eq!(ann.line(), said);
        assert_eq!(web.text(), said);
    }
    web.send(Opcode::Text, "zoë".as_bytes());
    assert_eq!(ann.line(), "web: zoë");
    assert_eq!(iris.line(), ":web!web@room PRIVMSG #room :zoë");

    // To one of them.
    web.send(Opcode::Text, b"/to iris psst");
    assert_eq!(iris.line(), ":web!web@room PRIVMSG iris :psst");
    iris.send("PRIVMSG ann :psst\r\nPRIVMSG nobody :psst\r\n");
    assert_eq!(ann.line(), "(iris) psst");
    assert_eq!(iris.line(), ":room 401 iris nobody :Nobody here is called that");

    // Names are those of all doors.
    iris.send("NICK ann\r\nNICK ira\r\n");
    assert_eq!(iris.line(), ":room 433 iris ann :Not free");
    assert_eq!(iris.line(), ":iris!iris@room NICK ira");
    assert_eq!(ann.line(), "* iris is ira now");
    assert_eq!(web.text(), "* iris is ira now");
    web.send(Opcode::Text, b"/nick wes");
    assert_eq!(web.text(), "You are wes now.");
    assert_eq!(ann.line(), "* web is wes now");
    assert_eq!(iris.line(), ":web!web@room NICK wes");
    ann.send("/who\n");
    assert_eq!(ann.line(), "ann ira wes");

    // Out and in again, and the end.
    iris.send("PART #room\r\nPRIVMSG #room :x\r\nJOIN #other\r\nJOIN #room\r\n");
    assert_eq!(iris.line(), ":ira!ira@room PART #room");
    assert_eq!(iris.line(), ":room 442 ira #room :Join it first");
    assert_eq!(iris.line(), ":room 403 ira #other :No such room");
    assert_eq!(iris.line(), ":ira!ira@room JOIN #room");
    assert_eq!((ann.line(), ann.line()), ("* ira left: for a while".into(), "* ira joined".into()));
    iris.send("QUIT :so long\r\n");
    assert_eq!(ann.line(), "* ira left: so long");
    web.send(Opcode::Close, b"\x03\xe8tired");
    assert_eq!(ann.line(), "* wes left: tired");
    drop((ann, iris, web));
    server.process.finish();
}

/// Where guests are on several reactors, what two of them say comes in either order.
#[test]
fn doors_on_two_reactors() {
    let server = Server::on_reactors("2");
    let (mut ann, mut iris, mut web) =
        (server.by_lines("ann"), server.by_irc("iris"), server.by_websocket("web"));
    for round in 0..20 {
        ann.send(format!("a{round}\n"));
        while iris.line() != format!(":ann!ann@room PRIVMSG #room :a{round}") {}
        while web.text() != format!("ann: a{round}") {}
        iris.send(format!("PRIVMSG web :i{round}\r\n"));
        while web.text() != format!("(iris) i{round}") {}
        web.send(Opcode::Text, format!("w{round}").as_bytes());
        while ann.line() != format!("web: w{round}") {}
        while iris.line() != format!(":web!web@room PRIVMSG #room :w{round}") {}
    }
    drop((ann, iris, web));
    server.process.finish();
}

#[test]
fn long_texts_are_split_for_irc_and_wrong_messages_do_no_harm() {
    let server = Server::start();
    let mut iris = server.by_irc("iris");
    let mut ann = server.by_lines("ann");
    iris.send("\r\n:\r\nPING x\r\n");
    while iris.line() != ":room PONG room :x" {}
    ann.send(format!("{}\n", "word ".repeat(200).trim()));
    let mut words = 0;
    while words < 200 {
        let line = iris.line();
        assert!(
            line.len() < 510 && line.starts_with(":ann!ann@room PRIVMSG #room :word"),
            "{line}"
        );
        words += line.matches("word").count();
    }
    // Who has not said a name, or a wrong one.
    let mut new = Peer::connect(server.irc);
    new.send(
        "PRIVMSG #room :x\r\nNICK ann\r\nUSER x 0 * :x\r\nNICK a,b\r\nNICK :a b\r\nNICK new\r\n",
    );
    assert_eq!(new.line(), ":room 451 * :Say NICK and USER first");
    assert_eq!(new.line(), ":room 433 * ann :Not free");
    for wrong in ["a,b", "a"] {
        assert_eq!(new.line(), format!(":room 432 * {wrong} :A short name, please"));
    }
    assert_eq!(new.line(), ":room 001 new :Welcome");
    assert_eq!(ann.line(), "* new joined");
    drop((ann, iris, new));
    server.process.finish();
}

/// What comes in at one door is one line at the others, and a name is one guest for all clients.
#[test]
fn nobody_speaks_for_others() {
    let server = Server::start();
    let (mut ann, mut web) = (server.by_lines("ann"), server.by_websocket("web"));
    let mut iris = server.by_irc("iris");
    for line in ["* web joined", "* iris joined"] {
        assert_eq!(ann.line(), line);
    }
    while iris.line() != ":room 366 iris #room :That is all" {}
    web.send(Opcode::Close, b"\x03\xe8bye\r\n:ann!ann@room PRIVMSG #room :yes\r\niris: no\x1b");
    let why = "bye:ann!ann@room PRIVMSG #room :yesiris: no";
    assert_eq!(ann.line(), format!("* web left: {why}"));
    assert_eq!(iris.line(), format!(":web!web@room PART #room :{why}"));

    iris.send("NICK Ann\r\nPART #room\r\nNICK a:b\r\nNICK anN\r\nJOIN #room\r\nNICK ira\r\nJOIN #room\r\n");
    for line in [
        ":room 433 iris Ann :Not free",
        ":iris!iris@room PART #room",
        ":room 432 iris a:b :A short name, please",
        ":iris!iris@room NICK anN",
        ":room 433 anN anN :Not free",
        ":anN!anN@room NICK ira",
        ":ira!ira@room JOIN #room",
    ] {
        assert_eq!(iris.line(), line);
    }
    drop((ann, iris));
    server.process.finish();
}

/// A guest at each door does not read. The others receive everything.
#[test]
fn slow_readers_are_dropped_at_every_door() {
    let server = Server::start();
    let mut ann = server.by_lines("ann");
    let mut bob = server.by_lines("bob");
    assert_eq!(ann.line(), "* bob joined");
    let mut why = Vec::new();
    for door in ["irc", "websocket"] {
        let slow = match door {
            "irc" => server.by_irc("slow"),
            _ => server.by_websocket("slow").0,
        };
        SockRef::from(slow.socket()).set_recv_buffer_size(4096).unwrap();
        assert_eq!(ann.line(), "* slow joined");
        assert_eq!(bob.line(), "* slow joined");
        let text = "x".repeat(900);
        let mut number = 0;
        loop {
            bob.send(format!("{number} {text}\n"));
            let line = ann.line();
            if let Some(reason) = line.strip_prefix("* slow left: ") {
                why.push(reason.to_owned());
                assert_eq!(ann.line(), format!("bob: {number} {text}"));
                break;
            }
            assert_eq!(line, format!("bob: {number} {text}"));
            number += 1;
            assert!(number < 3_000_000, "nothing is too much");
        }
        assert!(bob.line().starts_with("* slow left: "));
        drop(slow);
    }
    assert_eq!(why, ["more than 262144 bytes queued for sending", "messages were not received"]);
    drop((ann, bob));
    server.process.finish();
}

struct Echo;

impl IrcHandler for Echo {
    fn privmsg(&mut self, irc: &IrcClient, said: &Said<'_>) {
        irc.message(said.reply_to(), said.text).expect("a short text");
    }
}

#[test]
fn our_client_of_irc() {
    let server = Server::start();
    let mut ann = server.by_lines("ann");
    let reactor = Reactor::new().unwrap();
    let irc = IrcClient::new(&reactor, IrcConfig::new("echo").unwrap(), Echo);
    let endpoint: ClientEndpoint = format!("tcp:{}", server.irc).parse().unwrap();
    irc.connect(&reactor, endpoint).detach();
    let test = reactor.defer_to_thread(move || {
        assert_eq!(ann.line(), "* echo joined");
        ann.send("hello\n/to echo hello\n");
        assert_eq!(ann.line(), "echo: hello");
        assert_eq!(ann.line(), "(echo) hello");
    });
    reactor.run_until(test).unwrap().unwrap();
    server.process.finish();
}

/// A program that is killed at the end of the test, with its folder.
struct Running(Child, PathBuf);

impl Running {
    fn start(command: &mut Command, folder: PathBuf) -> Option<Self> {
        command.env("SHELL", "/bin/sh").env("LC_ALL", "C.UTF-8").env("HOME", &folder);
        let silent = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        silent.spawn().ok().map(|child| Self(child, folder))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = fs::remove_dir_all(&self.1);
    }
}

fn folder(name: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("sinew-doors-{}-{name}", process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

#[test]
fn irssi() {
    // It wants a terminal.
    if !is_installed("irssi") || !is_installed("script") {
        return;
    }
    let server = Server::start();
    let mut ann = server.by_lines("ann");
    let home = folder("irssi");
    let config = format!(
        "servers = ( {{ address = \"127.0.0.1\"; chatnet = \"test\"; port = \"{}\"; autoconnect = \"yes\"; }} );\n\
         chatnets = {{ test = {{ type = \"IRC\"; }}; }};\n\
         channels = ( {{ name = \"#room\"; chatnet = \"test\"; autojoin = \"yes\"; \
         autosendcmd = \"/msg #room hello, everybody; /action #room waves; /nick ira\"; }} );\n\
         settings = {{ core = {{ nick = \"iris\"; user_name = \"iris\"; real_name = \"Iris\"; }}; }};\n",
        server.irc.port()
    );
    fs::write(home.join("config"), config).unwrap();
    let mut script = Command::new("script");
    script.args(["-qec", &format!("irssi --home={}", home.display()), "/dev/null"]);
    let irssi = Running::start(script.env("TERM", "xterm"), home).unwrap();
    for line in ["* iris joined", "iris: hello, everybody", "iris: *waves*", "* iris is ira now"] {
        assert_eq!(ann.line(), line);
    }
    drop(irssi);
    assert!(ann.line().starts_with("* ira left: "));
    drop(ann);
    server.process.finish();
}

#[test]
fn the_page_in_chromium() {
    if !is_installed("chromium") {
        return;
    }
    let server = Server::start();
    let mut ann = server.by_lines("ann");
    let profile = folder("chromium");
    let mut chromium = Command::new("chromium");
    chromium
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-background-networking", "--remote-debugging-port=0"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("http://{}/#zo%C3%AB", server.web));
    let browser = Running::start(&mut chromium, profile).unwrap();
    assert_eq!(ann.line(), "* zoë joined");
    ann.send("/to zoë hello\n/who\n");
    assert_eq!(ann.line(), "ann zoë");
    drop(browser);
    assert!(ann.line().starts_with("* zoë left: "));
    drop(ann);
    server.process.finish();
}
