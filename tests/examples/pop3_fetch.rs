//! Tests of the example `pop3_fetch`.

use std::{env, fs, path::PathBuf, process, rc::Rc};

use sinew::{
    auth::Users,
    mail::{
        pop3::server::{Pop3Server, ServerConfig, StoredMaildrops},
        store::{MailboxName, MemoryStore, NewMessage, Store},
    },
    prelude::*,
    transports::tls::{Identity, TlsServerConfig},
};

use super::process::{Ended, Example};
use crate::ENGINES;

/// A server with mail of `ann`, and a folder for what is fetched.
struct Scene {
    reactor: Reactor,
    store: MemoryStore,
    server: Pop3Server,
    folder: PathBuf,
}

impl Scene {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("sinew-{}-pop3-{name}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("password"), "secret\n").unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = made.cert.pem();
        fs::write(folder.join("root.pem"), &certificate).unwrap();
        let identity = Identity::from_pem(certificate, made.signing_key.serialize_pem()).unwrap();

        let reactor = Reactor::new().unwrap();
        let store = MemoryStore::default();
        store.create_account("ann").unwrap();
        let config = ServerConfig::new("mail.example", Users::new().user("ann", "secret")).unwrap();
        let config = config.stls(TlsServerConfig::new(identity)).tls_required(true);
        let server = Pop3Server::new(config, StoredMaildrops::new(Rc::new(store.clone())));
        Self { reactor, store, server, folder }
    }

    fn add(&self, text: &'static str) {
        let (reactor, store) = (self.reactor.clone(), self.store.clone());
        let added = self.reactor.run_until(async move {
            let account = store.account(&reactor, "ann").await?;
            let mut message = account.deliver(&MailboxName::inbox(), NewMessage::new()).await?;
            message.write(text.into()).await?;
            message.finish().await
        });
        added.unwrap().unwrap();
    }

    /// Runs the example.
    fn fetch(&self, engine: &str, options: &[&str]) -> Ended {
        let port = self.reactor.listen_tcp("127.0.0.1:0", self.server.clone()).unwrap();
        let from = port.local().to_string();
        let path = |name: &str| self.folder.join(name).to_str().unwrap().to_owned();
        let args = [
            ["--from", &from, "--user", "ann", "--engine", engine].map(str::to_owned).to_vec(),
            vec![
                "--password-file".to_owned(),
                path("password"),
                "--roots".to_owned(),
                path("root.pem"),
            ],
            vec!["--maildir".to_owned(), path("mail")],
            options.iter().map(|option| (*option).to_owned()).collect(),
        ];
        let ended = self.reactor.defer_to_thread(move || {
            let args = args.concat();
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            Example::start("pop3_fetch", &args).wait()
        });
        self.reactor.run_until(ended).unwrap().unwrap()
    }

    /// Runs it, and returns the last line.
    fn fetched(&self, engine: &str, options: &[&str]) -> String {
        let ended = self.fetch(engine, options);
        assert_eq!((ended.code, &ended.stderr[..]), (Some(0), &[][..]), "{ended:?}");
        ended.stdout.last().unwrap().clone()
    }

    fn messages(&self) -> Vec<String> {
        let read = |entry: std::io::Result<fs::DirEntry>| {
            fs::read_to_string(entry.unwrap().path()).unwrap()
        };
        let mut messages: Vec<_> =
            fs::read_dir(self.folder.join("mail/new")).unwrap().map(read).collect();
        assert_eq!(fs::read_dir(self.folder.join("mail/tmp")).unwrap().count(), 0);
        messages.sort();
        messages
    }

    fn known(&self) -> String {
        fs::read_to_string(self.folder.join("mail/pop3-known")).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const A: &str = "Subject: a\r\n\r\n.one\r\n";
const B: &str = "Subject: b\r\n\r\ntwo\r\n";

#[test]
fn what_is_new_is_fetched_once_and_deleted_if_asked() {
    for engine in ENGINES {
        let scene = Scene::new(engine);
        scene.add(A);
        assert_eq!(scene.fetched(engine, &[]), "1 new message of 1");
        assert_eq!(scene.messages(), [A]);
        assert_eq!(scene.fetched(engine, &["--keep"]), "0 new messages of 1");
        scene.add(B);
        assert_eq!(scene.fetched(engine, &[]), "1 new message of 2");
        assert_eq!(scene.messages(), [A, B]);
        assert_eq!(scene.known().lines().count(), 2);
        // What was fetched before is deleted, too, and nothing is fetched again.
        assert_eq!(scene.fetched(engine, &["--delete"]), "0 new messages of 2");
        assert_eq!(scene.fetched(engine, &["--delete"]), "0 new messages of 0");
        assert_eq!((scene.messages().len(), scene.known().as_str()), (2, ""));
    }
}

/// A crash has cut a line of the memory, and left another file.
#[test]
fn a_memory_that_was_cut_is_mended() {
    let scene = Scene::new("cut");
    scene.add(A);
    scene.add(B);
    scene.fetched("mio", &[]);
    let known = scene.known();
    let mut lines: Vec<_> = known.lines().collect();
    lines.sort_unstable();
    let cut = format!("{}\n{}", lines[0], &lines[1][..lines[1].len() - 2]);
    fs::write(scene.folder.join("mail/pop3-known"), cut).unwrap();
    fs::write(scene.folder.join("mail/pop3-known.new"), "half").unwrap();
    assert_eq!(scene.fetched("mio", &[]), "1 new message of 2");
    assert_eq!(scene.messages(), [A, B, B], "that one again");
    let mut again: Vec<_> = scene.known().lines().map(str::to_owned).collect();
    again.sort_unstable();
    assert_eq!(again, lines);
}

#[test]
fn what_goes_wrong_is_said() {
    let scene = Scene::new("wrong");
    scene.add(A);
    fs::write(scene.folder.join("other"), "wrong\n").unwrap();
    let other = scene.folder.join("other");
    let ended = scene.fetch("mio", &["--password-file", other.to_str().unwrap()]);
    assert_eq!(ended.code, Some(2), "twice is not allowed: {ended:?}");
    fs::write(scene.folder.join("password"), "wrong\n").unwrap();
    let ended = scene.fetch("mio", &[]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr[0].contains("[AUTH]"), "{ended:?}");
    // Not without TLS.
    let ended = scene.fetch("mio", &["--insecure"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    fs::remove_file(scene.folder.join("password")).unwrap();
    let ended = scene.fetch("mio", &[]);
    assert!(ended.stderr[0].contains("could not read"), "{ended:?}");
    assert!(scene.messages().is_empty());
}
