//! Other clients with our server.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Command},
};

use sinew_chat::irc::server::{IrcServer, ServerConfig};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::{
    observer::{Seen, run},
    program::{self, Running},
};

pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sinew-irc-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program joins `#a`, says hello, waves, and leaves when it is told to.
fn meets(nick: &'static str, client: impl FnOnce(u16) -> Command) {
    meets_at(nick, |_, _, port| client(port));
}

/// The same, where the program may connect to another port than the observer.
pub(super) fn meets_at(
    nick: &'static str,
    client: impl FnOnce(&Reactor, &IrcServer, u16) -> Command,
) {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let server = IrcServer::new(&reactor, ServerConfig::new("irc.test").unwrap());
    let port = reactor.listen_tcp("127.0.0.1:0", server.clone()).unwrap().local().port();
    let seen = Seen::new(&reactor, "observer");
    let (of_test, handle) = (seen.clone(), reactor.clone());
    let command = client(&reactor, &server, port);
    run(&reactor, &seen, async move {
        of_test
            .irc
            .connect(
                &handle,
                format!("tcp:127.0.0.1:{port}")
                    .parse::<sinew_transports::endpoint::ClientEndpoint>()
                    .unwrap(),
            )
            .await
            .unwrap();
        of_test.irc.join("#a").await.unwrap();
        let program = Running::start(command);
        of_test.until(&format!("joined {nick} #a")).await;
        of_test.until(&format!("privmsg {nick} hello, everybody")).await;
        of_test.until(&format!("action {nick} waves")).await;
        let whois = of_test.irc.whois(nick).await.unwrap();
        assert_eq!((whois.nick.as_str(), whois.channels.len()), (nick, 1));
        drop(program);
        of_test.until(&format!("quit {nick}")).await;
    });
}

#[test]
fn weechat() {
    let Some(mut weechat) = program::find("weechat-headless") else { return };
    let folder = Folder::new("weechat");
    meets("wee", |port| {
        weechat.arg("-d").arg(&folder.0);
        let add = format!("/server add test 127.0.0.1/{port} -notls -nicks=wee -autojoin=#a");
        let fallback = format!("/server add test 127.0.0.1/{port} -nossl -nicks=wee -autojoin=#a");
        for command in [
            &add,
            &fallback,
            "/connect test",
            "/wait 2s /command -buffer irc.test.#a irc /msg #a hello, everybody",
        ] {
            weechat.args(["-r", command]);
        }
        weechat.args(["-r", "/wait 3s /command -buffer irc.test.#a irc /me waves"]);
        weechat
    });
}

#[test]
fn irssi() {
    // It wants a terminal.
    let (Some(_), Some(mut script)) = (program::find("irssi"), program::find("script")) else {
        return;
    };
    let folder = Folder::new("irssi");
    meets("iris", |port| {
        let config = format!(
            "servers = ( {{ address = \"127.0.0.1\"; chatnet = \"test\"; port = \"{port}\"; autoconnect = \"yes\"; }} );\n\
             chatnets = {{ test = {{ type = \"IRC\"; }}; }};\n\
             channels = ( {{ name = \"#a\"; chatnet = \"test\"; autojoin = \"yes\"; autosendcmd = \"/msg #a hello, everybody; /action #a waves\"; }} );\n\
             settings = {{ core = {{ nick = \"iris\"; user_name = \"iris\"; real_name = \"Iris\"; }}; }};\n"
        );
        fs::write(folder.0.join("config"), config).unwrap();
        script
            .args(["-qec", &format!("irssi --home={}", folder.0.display()), "/dev/null"])
            .env("TERM", "xterm");
        script
    });
}

#[test]
fn python() {
    let Some(mut python) = program::python("irc.client") else { return };
    meets("snake", |port| {
        let text = format!(
            "import irc.client\n\
             reactor = irc.client.Reactor()\n\
             connection = reactor.server().connect('127.0.0.1', {port}, 'snake')\n\
             connection.add_global_handler('welcome', lambda c, e: c.join('#a'))\n\
             def joined(c, e):\n    c.privmsg('#a', 'hello, everybody')\n    c.action('#a', 'waves')\n\
             connection.add_global_handler('endofnames', joined)\n\
             reactor.process_forever()\n"
        );
        python.args(["-c", &text]);
        python
    });
}
