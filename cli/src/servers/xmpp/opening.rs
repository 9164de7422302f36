//! How the storage is opened: [`Opening`]. One process has it at a time: in an upgrade, the next one waits until this one has stored
//! everything.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use sinew::{
    application::StartError,
    chat::xmpp::{
        codec::Jid,
        server::{
            FolderStore, ServerConfig, XmppServer,
            archive::FolderArchive,
            components::ComponentPort,
            rooms::{RoomService, RoomsConfig},
            upload::{UploadConfig, UploadService},
        },
    },
    prelude::Reactor,
    reactor::Excerpt,
};

use super::{
    Xmpp,
    open_server::{OpenServer, ServerSlot},
    upload_site::UploadSite,
};
use crate::servers::held_folder::HeldFolder;

/// How long to wait until the storage is asked for again while another process has it, after which time that is an error, and how long to
/// wait then, and after a failure.
const IN_USE_WAIT: Duration = Duration::from_millis(100);
const IN_USE_MAX: Duration = Duration::from_secs(60);
const FAILED_WAIT: Duration = Duration::from_secs(10);

/// What a server is made of.
pub(super) struct Opening {
    pub(super) xmpp: Xmpp,
    pub(super) config: ServerConfig,
    pub(super) storage: PathBuf,
    /// An earlier process may still have the storage.
    pub(super) has_predecessor: bool,
    pub(super) rooms: Option<Jid>,
    pub(super) components: ComponentPort,
    pub(super) uploads: Option<Uploads>,
    pub(super) slot: ServerSlot,
}

/// Where slots of uploads are given, and where files go.
pub(super) struct Uploads {
    pub(super) domain: Jid,
    pub(super) url: String,
    pub(super) site: UploadSite,
}

/// Why the storage is not open.
enum Failed {
    InUse,
    Otherwise(StartError),
}

impl Opening {
    /// Opens the storage, and returns when that is done.
    pub(super) async fn run(self: Rc<Self>, reactor: Reactor) {
        let mut since = None;
        let open = loop {
            let wait = match self.open(&reactor) {
                Ok(open) => break open,
                Err(Failed::InUse) => {
                    let since = *since.get_or_insert_with(|| {
                        tracing::info!("the storage is in use; clients are served when it is free");
                        reactor.now()
                    });
                    if reactor.now().saturating_duration_since(since) > IN_USE_MAX {
                        tracing::error!("the storage is in use for too long");
                        FAILED_WAIT
                    } else {
                        IN_USE_WAIT
                    }
                }
                Err(Failed::Otherwise(error)) => {
                    tracing::error!("the storage could not be opened: {error}");
                    FAILED_WAIT
                }
            };
            reactor.sleep(wait).await;
        };
        self.components.attach(&open.server);
        self.slot.set(open);
    }

    /// Makes sure that nobody has the storage who will not let it go.
    ///
    /// # Errors
    ///
    /// Another process has it, which is not the one before this in an upgrade. In any other case opening it is tried again later.
    pub(super) fn check(&self) -> Result<(), StartError> {
        match lock(&self.storage) {
            Err(Failed::InUse) if !self.has_predecessor && !HeldFolder::is(&self.storage) => {
                let path = Excerpt::path(&self.storage);
                Err(StartError::other(format!("{path}: another process has the storage")))
            }
            Err(Failed::Otherwise(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn open(&self, reactor: &Reactor) -> Result<OpenServer, Failed> {
        let other = |error: StartError| Failed::Otherwise(error);
        let lock = lock(&self.storage)?;
        let mut config = self.config.clone().store(FolderStore::new(self.storage.join("accounts")));
        let archive = self.xmpp.archive.then(|| FolderArchive::new(self.storage.join("archive")));
        if let Some(archive) = &archive {
            config = config.archive(self.xmpp.archive_config(archive.clone()));
        }
        let mut rooms = None;
        if let Some(domain) = &self.rooms {
            // It blocks, and nobody is served yet.
            let folder = self.storage.join("rooms");
            let open =
                RoomService::in_folder(reactor, domain.clone(), RoomsConfig::default(), folder);
            let open = open.map_err(|error| other(StartError::other(error)))?;
            config = config
                .service(domain.domain(), open.clone())
                .map_err(|error| other(StartError::other(error)))?;
            rooms = Some(open);
        }
        if let Some(Uploads { domain, url, site }) = &self.uploads {
            let key = site.open().map_err(other)?;
            let slots = self.xmpp.upload_config(UploadConfig::new(url.as_str(), key));
            let service = UploadService::new(reactor, domain.clone(), slots);
            config = config
                .service(domain.domain(), service)
                .map_err(|error| other(StartError::other(error)))?;
        }
        let config =
            self.components.register(config).map_err(|error| other(StartError::other(error)))?;
        let held = HeldFolder::new(&self.storage);
        Ok(OpenServer { server: XmppServer::new(reactor, config), rooms, archive, lock, held })
    }
}

/// Locks a folder, until the file is closed.
fn lock(folder: &Path) -> Result<File, Failed> {
    let path = folder.join("lock");
    let failed = |error: io::Error| {
        Failed::Otherwise(StartError::other(format!("{}: {error}", Excerpt::path(&path))))
    };
    // Others could lock a file that they can read.
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Failed::InUse),
        Err(error) => Err(failed(error.into())),
    }
}

/// Makes a folder, unless it is there: for the user of this process alone, since messages are in it.
pub(super) fn make(folder: &Path) -> Result<(), StartError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| StartError::other(format!("{}: {error}", Excerpt::path(folder))))
}
