//! Our client with other servers.

use std::{
    env, fs,
    net::TcpListener,
    path::PathBuf,
    process::{self, Command},
    time::Duration,
};

use sinew_chat::irc::{
    client::CommandError,
    codec::{MessageBuf, ModeChange},
};
use sinew_transports::{RetryConfig, endpoint::ClientEndpoint, reactor::Reactor};

use super::{
    clients::Folder,
    observer::{Seen, run},
    program::{self, Running},
};

/// Two clients of ours meet on a server.
fn two_clients_meet(server: impl FnOnce(u16) -> Command) {
    crate::watchdog::watch_this_test();
    // A port that was free a moment ago: these servers cannot be asked which the system has chosen.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _server = Running::start(server(port));
    let reactor = Reactor::new().unwrap();
    let (ann, bob) = (Seen::new(&reactor, "ann"), Seen::new(&reactor, "bob"));
    let endpoint: ClientEndpoint = format!("tcp:127.0.0.1:{port}").parse().unwrap();
    // Until the server listens.
    let retry = RetryConfig::default().delay(Duration::from_millis(50), Duration::from_millis(200));
    let services =
        [&ann, &bob].map(|seen| seen.irc.keep_connected(&reactor, endpoint.clone(), retry.clone()));
    let of_test = ann.clone();
    run(&reactor, &ann, async move {
        while of_test.irc.when_signed_on().await.is_err() || bob.irc.when_signed_on().await.is_err()
        {
        }
        of_test.irc.join("#meeting").await.unwrap();
        bob.irc.join("#meeting").await.unwrap();
        of_test.until("joined bob #meeting").await;
        assert_eq!(of_test.irc.names("#meeting").await.unwrap().len(), 2);
        of_test.irc.message("#meeting", "echo").unwrap();
        of_test.until("privmsg bob an echo").await;
        let long = "word ".repeat(300);
        bob.irc.message("#meeting", long.trim()).unwrap();
        bob.irc.notice("ann", "that was it").unwrap();
        of_test.until("notice bob that was it").await;
        let said: Vec<_> = of_test
            .all()
            .iter()
            .filter_map(|note| {
                Some(note.strip_prefix("privmsg bob word")?.matches("word").count() + 1)
            })
            .collect();
        assert_eq!(
            (said.len() > 2, said.iter().sum::<usize>()),
            (true, 300),
            "nothing is cut: {said:?}"
        );
        if of_test.irc.has_capability("labeled-response") {
            let who = MessageBuf::new("WHO").unwrap().param("#meeting").unwrap();
            // Two members, and the end of the list.
            assert_eq!(of_test.irc.ask(who).await.unwrap().len(), 3);
        }
        of_test.irc.mode("#meeting", &[ModeChange::new(true, 'm')]).unwrap();
        let whois = of_test.irc.whois("bob").await.unwrap();
        assert_eq!(whois.nick, "bob");
        assert!(matches!(of_test.irc.whois("nobody9").await, Err(CommandError::Refused { .. })));
        assert!(matches!(of_test.irc.set_nick("bob").await, Err(CommandError::Refused { .. })));
        of_test.irc.set_nick("anna").await.unwrap();
        assert!(of_test.irc.ping().await.unwrap() < Duration::from_secs(30));
        bob.irc.quit("bye").unwrap();
        of_test.until("quit bob").await;
        of_test.irc.leave("#meeting", "bye").await.unwrap();
        for service in services {
            service.stop().await.unwrap();
        }
    });
}

#[test]
fn ngircd() {
    let Some(mut ngircd) = program::find("ngircd").or_else(|| in_sbin("ngircd")) else { return };
    let path = env::temp_dir().join(format!("sinew-ngircd-{}.conf", process::id()));
    two_clients_meet(|port| {
        let config = format!(
            "[Global]\nName = irc.ngircd.test\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\nMotdPhrase = hello\n\
             [Limits]\nMaxConnectionsIP = 0\n[Options]\nIdent = no\nPAM = no\nDNS = no\n"
        );
        fs::write(&path, config).unwrap();
        ngircd.args(["-n", "-f"]).arg(&path);
        ngircd
    });
    let _ = fs::remove_file(path);
}

#[test]
fn inspircd() {
    let Some((mut inspircd, modules)) = program::inspircd() else { return };
    let folder = Folder::new("inspircd");
    two_clients_meet(|port| {
        let path = folder.0.display();
        let mut config = format!(
            "<server name=\"irc.inspircd.test\" description=\"test\" network=\"Test\" id=\"001\">\n\
             <admin name=\"x\" nick=\"x\" email=\"x@irc.inspircd.test\">\n\
             <bind address=\"127.0.0.1\" port=\"{port}\" type=\"clients\">\n\
             <connect allow=\"*\" commandrate=\"100000\" threshold=\"1000\" fakelag=\"off\" localmax=\"99\" globalmax=\"99\" resolvehostnames=\"no\">\n\
             <path configdir=\"{path}\" datadir=\"{path}\" logdir=\"{path}\" runtimedir=\"{path}\" moduledir=\"{}\">\n",
            modules.display()
        );
        for module in [
            "cap",
            "ircv3",
            "ircv3_batch",
            "ircv3_capnotify",
            "ircv3_chghost",
            "ircv3_ctctags",
            "ircv3_echomessage",
            "ircv3_invitenotify",
            "ircv3_labeledresponse",
            "ircv3_servertime",
            "namesx",
            "uhnames",
        ] {
            config.push_str(&format!("<module name=\"{module}\">\n"));
        }
        let file = folder.0.join("inspircd.conf");
        fs::write(&file, config).unwrap();
        inspircd.args(["--runasroot", "--nofork", "--nopid", "--config"]).arg(file);
        inspircd
    });
}

#[test]
fn python() {
    let Some(mut python) = program::python("irc.server") else { return };
    two_clients_meet_briefly(|port| {
        python.args(["-m", "irc.server", "-a", "127.0.0.1", "-p", &port.to_string()]);
        python
    });
}

/// The same with a server that knows JOIN, PRIVMSG and QUIT only.
fn two_clients_meet_briefly(server: impl FnOnce(u16) -> Command) {
    crate::watchdog::watch_this_test();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _server = Running::start(server(port));
    let reactor = Reactor::new().unwrap();
    let (ann, bob) = (Seen::new(&reactor, "ann"), Seen::new(&reactor, "bob"));
    let endpoint: ClientEndpoint = format!("tcp:127.0.0.1:{port}").parse().unwrap();
    let retry = RetryConfig::default().delay(Duration::from_millis(50), Duration::from_millis(200));
    let services =
        [&ann, &bob].map(|seen| seen.irc.keep_connected(&reactor, endpoint.clone(), retry.clone()));
    let of_test = ann.clone();
    run(&reactor, &ann, async move {
        while of_test.irc.when_signed_on().await.is_err() || bob.irc.when_signed_on().await.is_err()
        {
        }
        of_test.irc.join("#meeting").await.unwrap();
        bob.irc.join("#meeting").await.unwrap();
        of_test.until("joined bob #meeting").await;
        of_test.irc.message("#meeting", "echo").unwrap();
        of_test.until("privmsg bob an echo").await;
        bob.irc.quit("bye").unwrap();
        of_test.until("quit bob").await;
        for service in services {
            service.stop().await.unwrap();
        }
    });
}

/// A daemon that is not on the path of users.
fn in_sbin(name: &str) -> Option<Command> {
    let path = PathBuf::from("/usr/sbin").join(name);
    path.is_file().then(|| Command::new(path))
}
