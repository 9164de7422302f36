//! Rooms that are kept in a folder, and are there again in another server.

use std::{fs, path::PathBuf};

use sinew_chat::xmpp::server::{
    XmppServer,
    rooms::{RoomService, RoomStoreError, RoomsConfig},
};
use sinew_transports::reactor::Reactor;

use crate::kit::{Client, Site, config};

const DOMAIN: &str = "rooms.example.org";

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("sinew-rooms-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name).join("rooms"))
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).map_or(0, Iterator::count)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().unwrap());
    }
}

fn site(folder: &Folder) -> (Site, RoomService) {
    let reactor = Reactor::simulated(0);
    let rooms = RoomService::in_folder(
        &reactor,
        DOMAIN.parse().unwrap(),
        RoomsConfig::default(),
        &folder.0,
    );
    let rooms = rooms.unwrap();
    let config = config().service(DOMAIN, rooms.clone()).unwrap();
    let server = XmppServer::new(&reactor, config);
    (Site { reactor, server }, rooms)
}

/// Waits for the disk.
fn flush(site: &Site, rooms: &RoomService) {
    let flushed = rooms.flushed(&site.reactor);
    while !flushed.is_settled() {
        site.advance(1);
    }
    assert_eq!(rooms.report().unsaved, 0);
}

fn configure(client: &Client<'_>, is_persistent: &str) {
    let answer = client.ask(&format!(
        "<iq type='set' id='1' to='club@rooms.example.org'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_persistentroom'><value>{is_persistent}</value></field>\
         <field var='muc#roomconfig_roomname'><value>The Club</value></field></x></query></iq>"
    ));
    assert!(answer.contains("<iq type='result'"), "{answer}");
}

#[test]
fn rooms_outlive_a_server() {
    crate::watchdog::watch_this_test();
    let folder = Folder::new("outlive");
    let enter = "<presence to='club@rooms.example.org/Ann'><x xmlns='http://jabber.org/protocol/muc'/></presence>";
    {
        let (site, rooms) = site(&folder);
        let ann = site.online("ann", "desk");
        assert!(ann.ask(enter).contains("<status code='201'/>"));
        flush(&site, &rooms);
        assert_eq!(folder.files(), 0, "it is not to be kept yet");
        configure(&ann, "1");
        flush(&site, &rooms);
        assert_eq!((folder.files(), rooms.report().occupants), (1, 1));
        // The end of a session is the end of an occupant.
        ann.cut();
        assert_eq!((rooms.report().rooms, rooms.report().occupants), (1, 0));
    }
    let (site, rooms) = site(&folder);
    assert_eq!(rooms.report().rooms, 1);
    let ann = site.online("ann", "desk");
    let items = ann.ask("<iq type='get' id='2' to='rooms.example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    assert!(items.contains("<item jid='club@rooms.example.org' name='The Club'/>"), "{items}");
    let entered = ann.ask(enter);
    assert!(
        entered.contains("affiliation='owner'") && !entered.contains("code='201'"),
        "{entered}"
    );
    configure(&ann, "0");
    flush(&site, &rooms);
    assert_eq!(folder.files(), 0);
}

#[test]
fn files_that_are_no_rooms() {
    let folder = Folder::new("none");
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("left.xml.new"), "what a crash has left").unwrap();
    let open = |max| {
        let config = RoomsConfig::default().rooms_max(max);
        RoomService::in_folder(&Reactor::simulated(0), DOMAIN.parse().unwrap(), config, &folder.0)
    };
    open(1).unwrap();
    fs::write(folder.0.join("a.xml"), "no room").unwrap();
    let error = open(1).unwrap_err();
    assert!(
        matches!(&error, RoomStoreError::Record { path, .. } if path.ends_with("a.xml")),
        "{error}"
    );
    assert!(matches!(open(0), Err(RoomStoreError::TooMany { max: 0, .. })));
    fs::write(folder.0.join("a.xml"), [0xff]).unwrap();
    assert!(matches!(open(1), Err(RoomStoreError::Read { .. })));
}

#[test]
fn what_cannot_be_stored_is_tried_again() {
    crate::watchdog::watch_this_test();
    let folder = Folder::new("again");
    let (site, rooms) = site(&folder);
    // A file is where the folder is to be.
    fs::create_dir_all(folder.0.parent().unwrap()).unwrap();
    fs::write(&folder.0, "").unwrap();
    let ann = site.online("ann", "desk");
    ann.say("<presence to='club@rooms.example.org/Ann'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    configure(&ann, "1");
    for _ in 0..1_000 {
        site.advance(1);
    }
    assert_eq!(rooms.report().unsaved, 1);
    fs::remove_file(&folder.0).unwrap();
    flush(&site, &rooms);
    assert_eq!(folder.files(), 1);
}

/// The file of one room cannot be written: others are stored meanwhile, and who waits for all is told.
#[test]
fn a_room_that_cannot_be_stored_holds_up_no_other() {
    crate::watchdog::watch_this_test();
    let folder = Folder::new("others");
    let (site, rooms) = site(&folder);
    // By the hash of its name. A folder that is not empty is where the file is to be.
    let name = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest("club"));
    let place = folder.0.join(format!("{name}.xml"));
    fs::create_dir_all(place.join("x")).unwrap();
    let ann = site.online("ann", "desk");
    for room in ["club", "other", "third"] {
        let persistent = "<field var='muc#roomconfig_persistentroom'><value>1</value></field>";
        ann.say(&format!("<presence to='{room}@{DOMAIN}/Ann'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
        ann.say(&format!(
            "<iq type='set' id='1' to='{room}@{DOMAIN}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'>{persistent}</x></query></iq>"
        ));
    }
    let flushed = rooms.flushed(&site.reactor);
    while !flushed.is_settled() {
        site.advance(1);
    }
    let stored = |path: &fs::DirEntry| path.path().extension() == Some("xml".as_ref());
    let files = fs::read_dir(&folder.0).unwrap().map(Result::unwrap);
    let files = files.filter(|file| stored(file) && file.path().is_file()).count();
    assert_eq!((files, rooms.report().unsaved), (2, 1));
    fs::remove_dir_all(&place).unwrap();
    while rooms.report().unsaved > 0 {
        site.advance(1);
    }
    assert!(place.is_file());
}
