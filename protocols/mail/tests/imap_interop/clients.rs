//! Other clients with our server.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    rc::Rc,
};

use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_mail::{
    imap::server::{ImapServer, ServerConfig},
    store::{
        Account, Flags, MailboxName, MaildirConfig, MaildirStore, MemoryStore, NewMessage, Store,
        SystemFlag,
    },
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::folder::Folder;
use crate::{program, support::MIXED};

/// A server with two messages for ann.
struct Served {
    reactor: Reactor,
    store: Rc<dyn Store>,
    server: ImapServer,
    _folder: Option<Folder>,
}

impl Served {
    fn start() -> Self {
        Self::with(|config| config)
    }

    fn with(configure: impl FnOnce(ServerConfig) -> ServerConfig) -> Self {
        let store = MemoryStore::default();
        store.create_account("ann").unwrap();
        Self::with_store(Reactor::new().unwrap(), Rc::new(store), None, configure)
    }

    /// With mail on the disk.
    fn on_disk() -> Self {
        let (reactor, folder) = (Reactor::new().unwrap(), Folder::new());
        let store = MaildirStore::new(folder.path(), MaildirConfig::default());
        reactor.run_until(store.create_account(&reactor, "ann")).unwrap().unwrap();
        Self::with_store(reactor, Rc::new(store), Some(folder), |config| config)
    }

    fn with_store(
        reactor: Reactor,
        store: Rc<dyn Store>,
        folder: Option<Folder>,
        configure: impl FnOnce(ServerConfig) -> ServerConfig,
    ) -> Self {
        crate::watchdog::watch_this_test();
        // The tests do not leave the machine.
        let config = AuthenticatorConfig::default().allow_plaintext(true);
        let users = Authenticator::with(Users::new().user("ann", "secret"), config);
        let config = configure(ServerConfig::new(users, Rc::clone(&store)));
        let served = Self { reactor, store, server: ImapServer::new(config), _folder: folder };
        served.deliver(MIXED, Flags::new());
        served.deliver("From: eve@example.org\r\nTo: ann@example.org\r\nSubject: second\r\nMessage-ID: <2@example.org>\r\n\r\nHello\r\n", Flags::from(SystemFlag::Seen));
        served
    }

    fn account(&self) -> Rc<dyn Account> {
        self.reactor.run_until(self.store.account(&self.reactor, "ann")).unwrap().unwrap()
    }

    fn deliver(&self, text: &'static str, flags: Flags) {
        let account = self.account();
        let adding = async move {
            let mut append =
                account.deliver(&MailboxName::inbox(), NewMessage::new().flags(flags)).await?;
            append.write(text.into()).await?;
            append.finish().await
        };
        let _ = self.reactor.run_until(adding).unwrap().unwrap();
    }

    fn messages(&self, name: &str) -> u32 {
        let status = self.account().status(&name.parse().unwrap());
        self.reactor.run_until(status).unwrap().map_or(0, |status| status.messages)
    }

    /// Runs a client, with the server on a port, to its end.
    #[track_caller]
    fn run(&self, client: impl FnOnce(u16) -> Command, input: &'static str) -> String {
        let port = self.reactor.listen_tcp("127.0.0.1:0", self.server.clone()).unwrap();
        let client = client(port.local().port());
        let output = self.reactor.defer_to_thread(move || program::run(client, input));
        let output = self.reactor.run_until(output).unwrap().unwrap();
        let Output { status, stdout, stderr } = output;
        let (said, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{said}\n{errors}");
        format!("{said}{errors}")
    }
}

const IMAPLIB: &str = r#"
import imaplib, ssl, sys, time
mail = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
if "STARTTLS" in mail.capabilities:
    mail.starttls(ssl._create_unverified_context())
mail.login("ann", "secret")
assert mail.select("INBOX") == ("OK", [b"2"])
kind, data = mail.search(None, "UNSEEN")
assert data == [b"1"], data
kind, data = mail.fetch("1", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
assert b"Gr=C3=BC" in data[0][1], data
kind, data = mail.fetch("1:2", "(RFC822.SIZE BODYSTRUCTURE)")
assert len(data) == 2, data
kind, data = mail.fetch("1", "(RFC822)")
assert data[0][1].endswith(b"--x--\r\n"), data
assert mail.append("INBOX", "(\\Flagged)", imaplib.Time2Internaldate(time.time()), b"Subject: third\r\n\r\nline\r\n" * 5000)[0] == "OK"
assert mail.noop()[0] == "OK"
kind, data = mail.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT", "third")
assert data == [b"3"], data
assert mail.create("Archive/2024")[0] == "OK"
kind, data = mail.list()
assert len(data) == 3, data
assert mail.copy("1:2", "Archive/2024")[0] == "OK"
assert mail.store("2", "+FLAGS", "\\Deleted")[0] == "OK"
assert mail.expunge() == ("OK", [b"2"])
assert mail.status("Archive/2024", "(MESSAGES UNSEEN)")[1] == [b"Archive/2024 (MESSAGES 2 UNSEEN 0)"]
assert mail.subscribe("Archive/2024")[0] == "OK"
assert mail.lsub()[1] == [b'() "/" Archive/2024']
assert mail.rename("Archive/2024", "Old")[0] == "OK"
assert mail.namespace()[0] == "OK"
assert mail.check()[0] == "OK"
assert mail.close()[0] == "OK"
assert mail.logout()[0] == "BYE"
"#;

#[test]
fn imaplib() {
    imaplib_with(&Served::start());
    imaplib_with(&Served::on_disk());
}

#[cfg(feature = "tls")]
#[test]
fn imaplib_with_starttls() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = sinew_transports::tls::Identity::from_pem(certificate, key).unwrap();
    imaplib_with(&Served::with(|config| {
        config.starttls(sinew_transports::tls::TlsServerConfig::new(identity))
    }));
}

fn imaplib_with(served: &Served) {
    let Some(mut python) = program::python("imaplib") else { return };
    served.run(
        |port| {
            python.args(["-c", IMAPLIB, &port.to_string()]);
            python
        },
        "",
    );
    assert_eq!((served.messages("INBOX"), served.messages("Old")), (2, 2));
}

#[test]
fn curl() {
    let Some(_) = program::find("curl") else { return };
    let served = Served::start();
    let folder = Folder::new();
    let message = folder.write("message", "Subject: from curl\r\n\r\nHello\r\n");
    let curl = |path: &str, arguments: &[&str]| {
        served.run(
            |port| {
                let mut curl = program::find("curl").expect("it was found");
                curl.args(["-sS", "--user", "ann:secret"]).args(arguments);
                curl.arg(format!("imap://127.0.0.1:{port}/{path}"));
                curl
            },
            "",
        )
    };
    assert_eq!(curl("", &[]), "* LIST (\\HasNoChildren) \"/\" INBOX\r\n");
    let text = curl("INBOX;UID=1;SECTION=TEXT", &[]);
    assert!(text.starts_with("--x\r\n") && text.ends_with("--x--\r\n"), "{text}");
    assert_eq!(curl("INBOX?SUBJECT%20second", &[]), "* SEARCH 2\r\n");
    curl("INBOX", &["-T", message.to_str().unwrap()]);
    assert_eq!(served.messages("INBOX"), 3);
    let examined = curl("INBOX", &["-X", "EXAMINE INBOX"]);
    assert!(examined.contains("* 3 EXISTS"), "{examined}");
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["cur", "new"] {
        let entries = fs::read_dir(folder.join(part)).unwrap();
        found.extend(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
    }
    found.sort_unstable();
    found
}

/// Synchronized twice, the second time there is nothing to do; and changes of both sides arrive at the other.
#[test]
fn mbsync() {
    for start in [Served::start, Served::on_disk] {
        mbsync_with(&start());
    }
}

fn mbsync_with(served: &Served) {
    let Some(_) = program::find("mbsync") else { return };
    let folder = Folder::new();
    let path = folder.path().display();
    let sync = || {
        served.run(
            |port| {
                let text = format!(
                    "IMAPAccount far\nHost 127.0.0.1\nPort {port}\nUser ann\nPass secret\nSSLType None\nAuthMechs LOGIN\n\n\
                     IMAPStore far\nAccount far\n\nMaildirStore near\nPath {path}/\nInbox {path}/INBOX\nSubFolders Verbatim\n\n\
                     Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
                );
                let mut mbsync = program::find("mbsync").expect("it was found");
                mbsync.env("HOME", folder.path()).arg("-V").arg("-c").arg(folder.write("mbsyncrc", &text)).arg("all");
                mbsync
            },
            "",
        )
    };
    let inbox = folder.path().join("INBOX");
    sync();
    let before = files(&inbox);
    assert_eq!(before.len(), 2);
    let said = sync();
    assert_eq!(files(&inbox), before, "the second run is a no-op\n{said}");
    assert!(!said.contains("error") && said.contains("far side: 2 messages, 0 recent"), "{said}");

    // Here a message was read and another one deleted; there, one is new.
    let seen = before.iter().find(|name| name.ends_with(":2,")).expect("one was not read");
    fs::rename(inbox.join("cur").join(seen), inbox.join("cur").join(format!("{seen}S")))
        .or_else(|_| {
            fs::rename(inbox.join("new").join(seen), inbox.join("cur").join(format!("{seen}S")))
        })
        .unwrap();
    let gone = before.iter().find(|name| *name != seen).expect("there are two");
    fs::remove_file(inbox.join("cur").join(gone)).unwrap();
    served.deliver("Subject: third\r\n\r\nHello\r\n", Flags::new());
    sync();
    let after = files(&inbox);
    assert_eq!(after.len(), 2, "{after:?}");
    let status =
        served.reactor.run_until(served.account().status(&MailboxName::inbox())).unwrap().unwrap();
    assert_eq!((status.messages, status.unseen), (2, 1));
    sync();
    assert_eq!(files(&inbox), after);
}

#[test]
fn fetchmail() {
    let Some(mut fetchmail) = program::find("fetchmail") else { return };
    let served = Served::start();
    let folder = Folder::new();
    let output = folder.path().join("mail");
    let client = |port| {
        let text = format!(
            "poll 127.0.0.1 port {port} proto IMAP auth password user ann password secret sslproto '' fetchall mda \"cat >> {}\"\n",
            output.display()
        );
        let config = folder.write("fetchmailrc", &text);
        // It does not take a file that others may read.
        fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        fetchmail.env("HOME", folder.path()).env("FETCHMAILHOME", folder.path());
        fetchmail.args(["--nosyslog", "--nodetach", "-f"]).arg(&config);
        fetchmail
    };
    served.run(client, "");
    let text = fs::read_to_string(&output).unwrap();
    assert!(text.contains("Subject: second") && text.contains("--x--"), "{text}");
    assert_eq!(served.messages("INBOX"), 0);
}

/// Reads the inbox, deletes the first message, saves the second one to another mailbox, and leaves.
#[test]
fn mutt() {
    let Some(_) = program::find("mutt") else { return };
    let Some(mut terminal) = program::find("script") else { return };
    let served = Served::start();
    let folder = Folder::new();
    let client = |port| {
        let text = format!(
            "set folder=imap://ann:secret@127.0.0.1:{port}/\nset spoolfile=imap://ann:secret@127.0.0.1:{port}/INBOX\n\
             set ssl_starttls=no\nset ssl_force_tls=no\nset delete=yes\nset confirmappend=no\nset confirmcreate=no\nset quit=yes\nset move=no\n\
             set sort=date-received\nset imap_check_subscribed=no\nset timeout=1\n\
             push '<first-entry><delete-message><last-entry><copy-message><kill-line>=Saved<enter><sync-mailbox><quit>'\n",
        );
        let config = folder.write("muttrc", &text);
        // In the foreground: elsewhere a process that reads from the terminal is stopped.
        let command = format!(
            "TERM=vt100 HOME={} timeout --foreground 20 mutt -n -F {}",
            folder.path().display(),
            config.display()
        );
        terminal.args(["-q", "-e", "-c", &command, "/dev/null"]);
        terminal
    };
    served.run(client, "");
    assert_eq!((served.messages("INBOX"), served.messages("Saved")), (1, 1));
}
