//! Files by DCC with irssi and WeeChat, in both directions, through our server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use sinew_chat::irc::{
    client::{DccConfig, DccOffer, Existing, IrcClient, IrcConfig, IrcHandler, Said},
    server::{IrcServer, ServerConfig},
};
use sinew_transports::{
    ReactorTcp,
    reactor::{Deferred, Promise, Reactor},
};

use super::{
    clients::Folder,
    program::{self, Running},
};

/// Receives the first file that is offered, and offers one when it is told to.
struct Files {
    folder: PathBuf,
    to_send: PathBuf,
    received: Option<Promise<PathBuf, sinew_chat::irc::client::DccError>>,
    sent: Option<Promise<(), sinew_chat::irc::client::DccError>>,
}

impl IrcHandler for Files {
    fn dcc_offered(&mut self, irc: &IrcClient, offer: &DccOffer) {
        if let Some(promise) = self.received.take() {
            promise.follow(irc.receive_file(offer, &self.folder, Existing::Keep));
        }
    }

    fn privmsg(&mut self, irc: &IrcClient, said: &Said<'_>) {
        if said.text == "send"
            && let Some(promise) = self.sent.take()
        {
            promise.follow(irc.offer_file(said.from.nick(), &self.to_send));
        }
    }
}

/// A program joins `#a`, sends the file `theirs.bin` to `files`, then says "send", and receives `ours.bin` in the folder `got`.
fn exchanges(folder: &Folder, client: impl FnOnce(u16, &Path) -> Command) {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let server = IrcServer::new(&reactor, ServerConfig::new("irc.test").unwrap());
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap().local().port();
    let content = |seed: u32| -> Vec<u8> {
        (0..1_500_000_u32).map(|at| (at.wrapping_mul(seed) >> 24) as u8).collect()
    };
    let (theirs, ours) = (content(2_654_435_761), content(40_503_001));
    let (got, received) = (folder.0.join("got"), folder.0.join("received"));
    for path in [&got, &received] {
        fs::create_dir_all(path).unwrap();
    }
    fs::write(folder.0.join("theirs.bin"), &theirs).unwrap();
    fs::write(folder.0.join("ours.bin"), &ours).unwrap();
    let command = client(port, &folder.0);
    let (of_received, has_received): (_, Deferred<_, _>) = reactor.promise();
    let (of_sent, has_sent) = reactor.promise();
    let files = Files {
        folder: received,
        to_send: folder.0.join("ours.bin"),
        received: Some(of_received),
        sent: Some(of_sent),
    };
    let dcc = DccConfig::default().allow(["127.0.0.0/8".parse().unwrap()]);
    let config = IrcConfig::new("files").unwrap().join("#a").unwrap().dcc(dcc);
    let irc = IrcClient::new(&reactor, config, files);
    let handle = reactor.clone();
    let test = async move {
        irc.connect(&handle, ("127.0.0.1", port)).await.unwrap();
        let _program = Running::start(command);
        let path = has_received.await.unwrap();
        assert_eq!(path.file_name().unwrap(), "theirs.bin");
        assert!(fs::read(path).unwrap() == theirs, "what we received is what they have sent");
        has_sent.await.unwrap();
        // They may write it a little later than they acknowledge it.
        while fs::read(got.join("ours.bin")).is_ok_and(|found| found != ours)
            || !got.join("ours.bin").exists()
        {
            handle.sleep(Duration::from_millis(10)).await;
        }
    };
    let limit = reactor.timeout(Duration::from_secs(50), test);
    assert!(matches!(reactor.run_until(limit), Ok(Ok(()))), "it takes too long");
}

#[test]
fn weechat_dcc() {
    let Some(mut weechat) = program::find("weechat-headless") else { return };
    let folder = Folder::new("weechat-dcc");
    exchanges(&folder, |port, path| {
        weechat.arg("-d").arg(path.join("home"));
        let (theirs, got) = (path.join("theirs.bin"), path.join("got"));
        for command in [
            "/set xfer.file.auto_accept_files on".to_owned(),
            format!("/set xfer.file.download_path {}", got.display()),
            "/set xfer.file.use_nick_in_filename off".to_owned(),
            "/set xfer.network.own_ip 127.0.0.1".to_owned(),
            format!("/server add test 127.0.0.1/{port} -notls -nicks=wee -autojoin=#a"),
            format!("/server add test 127.0.0.1/{port} -nossl -nicks=wee -autojoin=#a"),
            "/connect test".to_owned(),
            format!(
                "/wait 2s /command -buffer irc.test.#a irc /dcc send files {}",
                theirs.display()
            ),
            "/wait 3s /command -buffer irc.test.#a irc /msg #a send".to_owned(),
        ] {
            weechat.args(["-r", &command]);
        }
        weechat
    });
}

#[test]
fn irssi_dcc() {
    // It wants a terminal.
    let (Some(_), Some(mut script)) = (program::find("irssi"), program::find("script")) else {
        return;
    };
    let folder = Folder::new("irssi-dcc");
    exchanges(&folder, |port, path| {
        let home = path.join("home");
        fs::create_dir_all(&home).unwrap();
        let (theirs, got) = (path.join("theirs.bin"), path.join("got"));
        let config = format!(
            "servers = ( {{ address = \"127.0.0.1\"; chatnet = \"test\"; port = \"{port}\"; autoconnect = \"yes\"; }} );\n\
             chatnets = {{ test = {{ type = \"IRC\"; }}; }};\n\
             channels = ( {{ name = \"#a\"; chatnet = \"test\"; autojoin = \"yes\"; autosendcmd = \"/dcc send files {}; wait 1000; /msg #a send\"; }} );\n\
             settings = {{ core = {{ nick = \"iris\"; user_name = \"iris\"; real_name = \"Iris\"; }};\n\
             \"irc/dcc\" = {{ dcc_own_ip = \"127.0.0.1\"; dcc_autoget = \"yes\"; dcc_download_path = \"{}\"; }}; }};\n",
            theirs.display(),
            got.display()
        );
        fs::write(home.join("config"), config).unwrap();
        script
            .args(["-qec", &format!("irssi --home={}", home.display()), "/dev/null"])
            .env("TERM", "xterm");
        script
    });
}
