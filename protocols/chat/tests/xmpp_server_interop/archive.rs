//! Two clients of slixmpp: archives in a folder, in pages of both directions, by contact and by time, and the ids of messages.

use std::fs;

use sinew_auth::Users;
use sinew_chat::xmpp::server::{
    ServerConfig, XmppServer,
    archive::{ArchiveConfig, FolderArchive},
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::slixmpp::{Folder, certificates, run};
use crate::{program, watchdog};

const SCRIPT: &str = include_str!("archive.py");

#[test]
fn archives() {
    watchdog::watch_this_test();
    let Some(python) = program::python("slixmpp") else { return };
    let folder = std::env::temp_dir().join(format!("sinew-xmpp-mam-{}", std::process::id()));
    let folder = Folder(folder);
    fs::create_dir_all(&folder.0).unwrap();
    let reactor = Reactor::new().unwrap();
    let users = Users::new().user("ann", "secret of ann").user("bob", "secret of bob");
    let archive = ArchiveConfig::new(FolderArchive::new(folder.0.join("archive")));
    let config = ServerConfig::new("localhost", users).unwrap().starttls(certificates(&folder));
    let server = XmppServer::new(&reactor, config.archive(archive));
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    if !run(python, &folder, SCRIPT, &reactor, &[port.local().port()]) {
        return;
    }
    assert!(folder.0.join("archive/bob.archive").is_file());
}
