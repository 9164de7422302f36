//! Two clients of slixmpp: archives in a folder, in pages of both directions, by contact and by time, and the ids of messages.

use std::{fs, process::Stdio};

use sinew_auth::Users;
use sinew_chat::xmpp::server::{
    ServerConfig, XmppServer,
    archive::{ArchiveConfig, FolderArchive},
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::slixmpp::{Folder, certificates};
use crate::{program, watchdog};

const SCRIPT: &str = include_str!("archive.py");

#[test]
fn archives() {
    watchdog::watch_this_test();
    let Some(mut python) = program::python("slixmpp") else { return };
    let folder = std::env::temp_dir().join(format!("sinew-xmpp-mam-{}", std::process::id()));
    let folder = Folder(folder);
    fs::create_dir_all(&folder.0).unwrap();
    let reactor = Reactor::new().unwrap();
    let users = Users::new().user("ann", "secret of ann").user("bob", "secret of bob");
    let archive = ArchiveConfig::new(FolderArchive::new(folder.0.join("archive")));
    let config = ServerConfig::new("localhost", users).unwrap().starttls(certificates(&folder));
    let server = XmppServer::new(&reactor, config.archive(archive));
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let script = folder.0.join("test.py");
    fs::write(&script, SCRIPT).unwrap();
    python.arg(script).arg(port.local().port().to_string()).arg(folder.0.join("ca.pem"));
    python.env("HOME", &folder.0).env("SHELL", "/bin/sh").env("LC_ALL", "C.UTF-8");
    python.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = python.spawn().unwrap();
    let ended = reactor.defer_to_thread(move || child.wait_with_output().unwrap());
    let output = reactor.run_until(ended).unwrap().unwrap();
    let (said, failed) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if said.starts_with("skipped") {
        return eprint!("{said}");
    }
    assert!(output.status.success() && said.trim_end().ends_with("done"), "{said}\n{failed}");
    assert!(folder.0.join("archive/bob.archive").is_file());
}
