//! A component and two clients of slixmpp: the port for components, rooms, a slot for an upload.

use std::fs;

use sinew_auth::Users;
use sinew_chat::xmpp::server::{
    ServerConfig, XmppServer,
    components::{ComponentPort, ComponentsConfig},
    rooms::{RoomService, RoomsConfig},
    upload::{UploadConfig, UploadKey, UploadService},
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::slixmpp::{Folder, certificates, run};
use crate::{program, watchdog};

const SCRIPT: &str = include_str!("services.py");

fn config(reactor: &Reactor, folder: &Folder) -> (ServerConfig, ComponentPort) {
    let components = ComponentsConfig::default().component("echo.localhost", "the secret").unwrap();
    let components = ComponentPort::new(components);
    let (rooms, upload) = ("rooms.localhost", "upload.localhost");
    let folder_of_rooms = folder.0.join("rooms");
    let of_rooms = RoomsConfig::default();
    let of_rooms =
        RoomService::in_folder(reactor, rooms.parse().unwrap(), of_rooms, folder_of_rooms);
    let key = UploadKey::new("a key of many random bytes");
    let of_upload = UploadConfig::new("https://files.localhost/up", key).size_max(1_000);
    let of_upload = UploadService::new(reactor, upload.parse().unwrap(), of_upload);
    let users = Users::new().user("ann", "secret of ann").user("bob", "secret of bob");
    let config = ServerConfig::new("localhost", users).unwrap().starttls(certificates(folder));
    let config = config.service(rooms, of_rooms.unwrap()).unwrap();
    (components.register(config.service(upload, of_upload).unwrap()).unwrap(), components)
}

#[test]
fn a_component_and_rooms() {
    watchdog::watch_this_test();
    let Some(python) = program::python("slixmpp") else { return };
    let folder =
        Folder(std::env::temp_dir().join(format!("sinew-xmpp-services-{}", std::process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    let reactor = Reactor::new().unwrap();
    let (config, components) = config(&reactor, &folder);
    let server = XmppServer::new(&reactor, config);
    components.attach(&server);
    let clients = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let components = reactor.listen_tcp("127.0.0.1:0", components).unwrap();
    let ports = [clients.local().port(), components.local().port()];
    assert!(run(python, &folder, SCRIPT, &reactor, &ports));
}
