//! The files of a server: what is read, what is written, and what is wrong with them.

use std::{env, fs, path::PathBuf, process};

use sinew_auth::{Authenticator, Users};
use sinew_chat::irc::server::{FileError, IrcServer};

use crate::server::network::{Network, config, users};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sinew-irc-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(config: sinew_chat::irc::server::ServerConfig) -> Result<Network, FileError> {
    let mut network = Network::new(config.clone());
    let loading = IrcServer::load(&network.reactor, config);
    for _ in 0..100 {
        network.reactor.advance(std::time::Duration::from_millis(10)).unwrap();
    }
    network.server = loading.take().expect("it was read")?;
    Ok(network)
}

fn settle(network: &Network) {
    let flushed = network.server.flushed(&network.reactor);
    for _ in 0..100 {
        network.reactor.advance(std::time::Duration::from_millis(10)).unwrap();
    }
    assert!(flushed.take().expect("it is written").is_ok());
}

#[test]
fn registered_channels_outlive_the_server() {
    let folder = Folder::new("channels");
    let file = folder.path("channels");
    let with_file = || config().accounts(users()).channels_file(&file);
    let network = load(with_file()).unwrap();
    let ann = network.with("ann", "sasl");
    ann.say("AUTHENTICATE PLAIN");
    ann.say("AUTHENTICATE AGFubgBzZWNyZXQ=");
    ann.advance(100);
    ann.say(
        "JOIN #a\nCS REGISTER #a\nTOPIC #a :two words; kept\nMODE #a +kb-n key *!*@bad\nJOIN #b",
    );
    for number in 0..20 {
        ann.say(&format!("TOPIC #a :number {number}"));
    }
    settle(&network);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("topic=number\\s19;") && !text.contains("#b"), "{text}");
    assert!(!folder.path("channels.new").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600, "there are keys in it");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        ann.say("TOPIC #a :number 20\nTOPIC #a :number 19");
        settle(&network);
        assert_eq!(mode(), 0o640, "as its owner has set it");
    }

    let opened = IrcServer::open(&network.reactor, with_file()).unwrap();
    assert_eq!(opened.report().registered_channels, 1);
    let network = load(with_file()).unwrap();
    assert_eq!(network.server.report().registered_channels, 1);
    let bob = network.client("bob");
    assert_eq!(bob.codes("JOIN #a"), ["475"]);
    let joined = bob.say("JOIN #A key");
    assert!(joined.contains(" 332 bob #a :number 19\n") && joined.contains(" :bob\n"), "{joined}");
    assert!(bob.say("MODE #a b").contains("*!*@bad"));
    assert!(bob.say("MODE #a").contains("+rtk key") || bob.say("MODE #a").contains("key"));
}

/// A file that cannot be written is tried again, also without a further change.
#[test]
fn files_that_cannot_be_written_for_a_while() {
    let folder = Folder::new("retries");
    let (missing, later) = (folder.path("missing"), folder.path("later"));
    let (file, bans) = (missing.join("channels"), missing.join("bans"));
    let operators = Authenticator::new(Users::new().user("root", "toor"));
    let config = config().accounts(users()).operators(operators);
    let network = Network::new(config.channels_file(&file).bans_file(&bans));
    let ann = network.with("ann", "sasl");
    ann.say("AUTHENTICATE PLAIN");
    ann.say("AUTHENTICATE AGFubgBzZWNyZXQ=");
    ann.advance(100);
    ann.say("JOIN #a\nCS REGISTER #a\nOPER root toor");
    ann.advance(100);
    ann.say("KLINE *@192.0.2.2 :no");
    ann.advance(10_000);
    // The end of a program is not held up.
    settle(&network);
    fs::create_dir(&missing).unwrap();
    ann.advance(61_000);
    assert!(fs::read_to_string(&file).unwrap().contains("#a"));
    assert!(fs::read_to_string(&bans).unwrap().contains("192.0.2.2"));
    // And once it was written, it is not written again.
    fs::rename(&missing, &later).unwrap();
    fs::create_dir(&missing).unwrap();
    ann.say("PING x");
    ann.advance(80_000);
    assert!(!file.exists() && !bans.exists());
    ann.say("TOPIC #a :new");
    settle(&network);
    assert!(file.exists() && !bans.exists());
}

#[test]
fn texts_are_read_and_read_again() {
    let folder = Folder::new("texts");
    let (motd, bans) = (folder.path("motd"), folder.path("bans"));
    fs::write(&motd, "Hello,\r\nall.\n").unwrap();
    let operators = Authenticator::new(Users::new().user("root", "toor"));
    let network = load(config().motd_file(&motd).bans_file(&bans).operators(operators)).unwrap();
    let ann = network.client("ann");
    assert!(
        ann.say("MOTD").contains("372 ann :- Hello,\n:irc.test 372 ann :- all.\n:irc.test 376")
    );
    ann.say("OPER root toor");
    ann.advance(100);
    ann.say("KLINE *@192.0.2.1 :no\nKLINE *@192.0.2.2 :no\nUNKLINE *@192.0.2.1");
    settle(&network);
    assert!(fs::read_to_string(&bans).unwrap().ends_with("*@192.0.2.2 no\n"));
    fs::write(&bans, "*@192.0.2.3\n").unwrap();
    fs::write(&motd, "New.\n").unwrap();
    let received = ann.say("REHASH");
    ann.advance(1_000);
    assert!((received + &ann.received()).contains("read again"));
    assert!(ann.say("MOTD").contains("- New."));
    let banned = network.connect_from("192.0.2.3");
    assert!(banned.say("NICK x\nUSER x 0 * :x").contains(" 465 "));
    // A file that is wrong changes nothing.
    fs::write(&bans, "*@192.0.2.4\nwho\n").unwrap();
    let received = ann.say("REHASH");
    ann.advance(1_000);
    let received = received + &ann.received();
    assert!(received.contains("line 2 is not a ban"), "{received}");
    let banned = network.connect_from("192.0.2.3");
    assert!(banned.say("NICK y\nUSER y 0 * :y").contains(" 465 "));
    fs::write(&bans, "").unwrap();
    // So does one that is missing.
    fs::remove_file(&motd).unwrap();
    let received = ann.say("REHASH");
    ann.advance(1_000);
    let received = received + &ann.received();
    assert!(received.contains("could not read"), "{received}");
    assert!(ann.say("MOTD").contains("- New."));
}

#[test]
fn files_that_cannot_be_used() {
    let folder = Folder::new("bad");
    let file = folder.path("file");
    let failure = |config| match load(config) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was loaded"),
    };
    assert!(failure(config().motd_file(folder.path("none"))).starts_with("could not read "));
    assert!(failure(config().channels_file(&folder.0)).starts_with("could not read "));
    fs::write(&file, "rubbish\n").unwrap();
    assert!(failure(config().channels_file(&file)).starts_with("could not understand "));
    let bans = folder.path("bans");
    fs::write(&bans, "*@192.0.2.1 no\nnot a ban\n").unwrap();
    let why = failure(config().bans_file(&bans));
    assert!(why.ends_with("bans: line 2 is not a ban, as user@host and a reason"), "{why}");
    let elsewhere = folder.path("missing").join("file");
    for config in [config().bans_file(&elsewhere), config().channels_file(&elsewhere)] {
        let why = failure(config.clone());
        assert!(why.ends_with("missing/file: its folder is not there"), "{why}");
        let reactor = sinew_transports::reactor::Reactor::simulated(0);
        assert_eq!(IrcServer::open(&reactor, config).unwrap_err().to_string(), why);
    }
    fs::write(&file, "x".repeat(70_000)).unwrap();
    assert!(failure(config().motd_file(&file)).ends_with("is longer than 65536 bytes"));
}
