//! Sizes that are told before a message is sent, of files whose lines end in anything: what LIST and RFC822.SIZE say is what RETR and FETCH
//! give, and what Dovecot says of the same Maildir. Dovecot is skipped, aloud, where it is missing; `.ci/run` installs it.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "pop3_support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod pop3_support;

#[path = "imap_server/support.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod imap_support;

#[path = "interop/program.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod program;

#[path = "store/folder.rs"]
mod folder;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::Command,
    rc::Rc,
    time::Duration,
};

use sinew_mail::{
    pop3::server::{Pop3Server, StoredMaildrops},
    store::{MaildirConfig, MaildirStore, MemoryStore},
};
use sinew_transports::reactor::Reactor;

use folder::Folder;
use imap_support::World;
use pop3_support::Client;

/// The name of a file, its bytes, and the text that they are.
const MESSAGES: [(&str, &str, &str); 9] = [
    ("1.crlf", "A: 1\r\n\r\none\r\n", "A: 1\r\n\r\none\r\n"),
    ("2.lf", "A: 2\n\none\n\n\n", "A: 2\r\n\r\none\r\n\r\n\r\n"),
    ("3.mixed", "A: 3\r\n\none\ntwo\r\n", "A: 3\r\n\r\none\r\ntwo\r\n"),
    ("4.cr", "A: 4\n\none\rtwo\r\rthree\r\r\n", "A: 4\r\n\r\none\rtwo\r\rthree\r\r\n"),
    ("5.cut", "A: 5\n\none", "A: 5\r\n\r\none"),
    ("6.dots", "A: 6\n\n.\n..\n.one\n.\n", "A: 6\r\n\r\n.\r\n..\r\n.one\r\n.\r\n"),
    // Names as Dovecot writes them, which are believed: the message is not read to be counted.
    ("7.named,S=14,W=14", "A: 7\r\n\r\no\rne\r\n", "A: 7\r\n\r\no\rne\r\n"),
    ("8.lf-named,S=10,W=13", "A: 8\n\none\n", "A: 8\r\n\r\none\r\n"),
    // It says what is not so, of which the file tells that it is not: it is counted.
    ("9.lie,S=99,W=99", "A: 9\n\none\n", "A: 9\r\n\r\none\r\n"),
];

fn maildir() -> Folder {
    let folder = Folder::new();
    let ann = folder.path().join("ann");
    for inner in ["", "new", "cur", "tmp"] {
        fs::create_dir_all(ann.join(inner)).unwrap();
    }
    for (name, stored, _) in MESSAGES {
        fs::write(ann.join("new").join(name), stored).unwrap();
    }
    folder
}

fn store(folder: &Folder) -> MaildirStore {
    MaildirStore::new(folder.path(), MaildirConfig::default())
}

/// What POP3 gives of a message: its text with stuffed dots, of which the last line is ended.
fn retrieved(text: &str) -> String {
    let text = text.replace("\r\n.", "\r\n..");
    let end = if text.ends_with('\n') { "" } else { "\r\n" };
    format!("{text}{end}.\r\n")
}

/// What a thread does takes some time of the simulation.
const STEP: Duration = Duration::from_millis(10);

/// An answer to its end. The disk is read on other threads.
fn whole(mut answer: String, mut more: impl FnMut() -> String, end: &str) -> String {
    for _ in 0..10_000 {
        if answer.ends_with(end) {
            return answer;
        }
        answer += &more();
    }
    panic!("{answer:?} does not end in {end:?}")
}

/// A session of POP3 with the messages of the folder.
fn pop3(folder: &Folder) -> (impl Fn(&str, &str) -> String + use<>, String) {
    let maildrops = StoredMaildrops::new(Rc::new(store(folder)));
    let server = Pop3Server::new(pop3_support::config(), maildrops);
    let client = Client::on(&Reactor::simulated(0), &server, &pop3_support::mail(&[]));
    let say = move |command: &str, end: &str| {
        whole(
            client.say(command),
            || {
                client.advance(STEP);
                client.received()
            },
            end,
        )
    };
    let login = say(pop3_support::LOGIN, "octets)\r\n");
    (say, login)
}

#[test]
fn list_says_what_retr_gives_and_imap_the_same() {
    let folder = maildir();
    let total: usize = MESSAGES.iter().map(|(_, _, text)| text.len()).sum();
    let count = MESSAGES.len();
    // The second time, the sizes are known by the list of UIDs.
    for _ in 0..2 {
        let (pop3, login) = pop3(&folder);
        let octets = format!("+OK {count} messages ({total} octets)\r\n");
        assert!(login.ends_with(&octets), "{login}");
        assert_eq!(pop3("STAT\r\n", "\r\n"), format!("+OK {count} {total}\r\n"));
        let numbered = MESSAGES.iter().zip(1..);
        let lines = numbered.map(|((_, _, text), number)| format!("{number} {}\r\n", text.len()));
        let list = format!("{octets}{}.\r\n", lines.collect::<String>());
        assert_eq!(pop3("LIST\r\n", "\r\n.\r\n"), list);
        for (number, (name, _, text)) in (1..).zip(MESSAGES) {
            let expected = format!("+OK {} octets\r\n{}", text.len(), retrieved(text));
            assert_eq!(pop3(&format!("RETR {number}\r\n"), "\r\n.\r\n"), expected, "{name}");
        }
        pop3("QUIT\r\n", "+OK Bye\r\n");

        let world = World::with_store(MemoryStore::default(), store(&folder), |config| config);
        let client = world.connect();
        let imap = |command: &str, end: &str| {
            whole(
                client.say(command),
                || {
                    client.advance(STEP);
                    client.received()
                },
                end,
            )
        };
        imap("a LOGIN ann secret\r\nb SELECT INBOX\r\n", "Selected\r\n");
        for (number, (name, _, text)) in (1..).zip(MESSAGES) {
            let fetch = format!("f FETCH {number} (RFC822.SIZE BODY.PEEK[])\r\n");
            let expected = fetched(number, text) + "f OK Done\r\n";
            assert_eq!(imap(&fetch, "f OK Done\r\n"), expected, "{name}");
        }
    }
}

/// What IMAP gives of a message.
fn fetched(number: u32, text: &str) -> String {
    let len = text.len();
    format!("* {number} FETCH (RFC822.SIZE {len} BODY[] {{{len}}}\r\n{text})\r\n")
}

/// A client for which a bare CR ends a line must not take what follows for the end of the message: there is one byte more than was told.
#[test]
fn a_dot_behind_a_bare_cr_does_not_end_a_message() {
    let folder = maildir();
    let stored = "A: 1\n\nx\r.\r\n+OK\n";
    fs::write(folder.path().join("ann/new/0.trap"), stored).unwrap();
    let (pop3, _) = pop3(&folder);
    assert_eq!(
        pop3("RETR 1\r\n", "\r\n.\r\n"),
        "+OK 18 octets\r\nA: 1\r\n\r\nx\r\n..\r\n+OK\r\n.\r\n"
    );
}

/// Runs a server of Dovecot on its standard input, for the account of Ann.
fn dovecot(folder: &Path, server: &str, commands: &str) -> Option<String> {
    let program = Path::new("/usr/lib/dovecot").join(server);
    if !program.is_file() {
        eprintln!("skipped: Dovecot's {server} is not installed");
        return None;
    }
    // It does not serve mail as the administrator.
    let (mut user, mut group) = (65_534, 65_534);
    if program::is_root() {
        let given = Command::new("chown").args(["-R", "65534:65534"]).arg(folder).status();
        assert!(given.unwrap().success());
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        chown(folder, Some(user), Some(group)).unwrap();
    } else {
        use std::os::unix::fs::MetadataExt;
        let owner = fs::metadata(folder).unwrap();
        (user, group) = (owner.uid(), owner.gid());
    }
    let config = folder.join("dovecot.conf");
    let text = format!(
        "base_dir = {0}/run\nlog_path = /dev/stderr\nmail_location = maildir:{0}/ann\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n\
         mail_uid = {user}\nmail_gid = {group}\npop3_lock_session = no\n",
        folder.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(config).env("HOME", folder).env("USER", "ann").env("LC_ALL", "C.UTF-8");
    let output = program::run(command, commands);
    let said = String::from_utf8(output.stdout).unwrap();
    if !said.contains("+OK") && !said.contains("* PREAUTH") {
        eprintln!(
            "skipped: Dovecot does not run here: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        return None;
    }
    Some(said)
}

#[test]
fn dovecot_says_the_same_of_the_same_maildir() {
    crate::watchdog::watch_this_test();
    // It believes what a name says, also if the file is of another length.
    let honest = &MESSAGES[..8];
    let folder = maildir();
    fs::remove_file(folder.path().join("ann/new").join(MESSAGES[8].0)).unwrap();
    let retr: String = (1..=honest.len()).map(|number| format!("RETR {number}\r\n")).collect();
    let Some(said) = dovecot(folder.path(), "pop3", &format!("LIST\r\n{retr}QUIT\r\n")) else {
        return;
    };
    let lines = honest.iter().zip(1..).map(|((_, _, text), n)| format!("{n} {}\r\n", text.len()));
    let list = lines.collect::<String>() + ".\r\n";
    assert!(said.contains(&list), "{said}");
    for (name, _, text) in honest {
        let expected = format!("+OK {} octets\r\n{}", text.len(), retrieved(text));
        assert!(said.contains(&expected), "{name}: {expected:?} is not in {said:?}");
    }
    let fetch = "s SELECT INBOX\r\nf FETCH 1:* (RFC822.SIZE BODY.PEEK[])\r\nl LOGOUT\r\n";
    let Some(said) = dovecot(folder.path(), "imap", fetch) else { return };
    for (number, (name, _, text)) in (1..).zip(honest) {
        let expected = fetched(number, text);
        assert!(said.contains(&expected), "{name}: {expected:?} is not in {said:?}");
    }
}
