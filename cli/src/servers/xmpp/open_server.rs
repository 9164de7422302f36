//! The server, once its storage is open: [`OpenServer`], in a [`ServerSlot`] that ports are given before.

use std::{cell::RefCell, fs::File, rc::Rc};

use sinew::{
    chat::xmpp::server::{
        XmppServer, XmppServerConnection, archive::FolderArchive, rooms::RoomService,
    },
    prelude::{Factory, Peer},
};

use crate::servers::held_folder::HeldFolder;

/// A server, and its storage.
pub(super) struct OpenServer {
    pub(super) server: XmppServer,
    pub(super) rooms: Option<RoomService>,
    pub(super) archive: Option<FolderArchive>,
    /// Locked until it is closed.
    pub(super) lock: File,
    pub(super) held: HeldFolder,
}

/// Where the server will be. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct ServerSlot(Rc<RefCell<Option<OpenServer>>>);

impl ServerSlot {
    pub(super) fn set(&self, open: OpenServer) {
        self.0.replace(Some(open));
    }

    /// The archives of the open server, if it has some.
    pub(super) fn archive(&self) -> Option<FolderArchive> {
        self.0.borrow().as_ref()?.archive.clone()
    }

    /// The server, if the storage is open.
    pub(super) fn server(&self) -> Option<XmppServer> {
        self.0.borrow().as_ref().map(|open| open.server.clone())
    }

    /// At the end.
    pub(super) fn take(&self) -> Option<OpenServer> {
        self.0.take()
    }
}

/// Clients; those that come too early or too late are refused.
impl Factory for ServerSlot {
    type Protocol = XmppServerConnection;

    fn build_protocol(&mut self, _: &Peer) -> Option<XmppServerConnection> {
        self.0.borrow().as_ref().map(|open| open.server.connection())
    }
}
