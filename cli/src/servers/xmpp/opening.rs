//! How the storage is opened: [`Opening`]. One process has it at a time: in an upgrade, the next one waits until this one has stored
//! everything.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
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

/// How long to wait for the storage of another process, and after a failure.
const IN_USE_WAIT: Duration = Duration::from_millis(100);
const FAILED_WAIT: Duration = Duration::from_secs(10);

/// What a server is made of.
pub(super) struct Opening {
    pub(super) xmpp: Xmpp,
    pub(super) config: ServerConfig,
    pub(super) storage: PathBuf,
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
        let mut is_reported = false;
        let open = loop {
            let wait = match self.open(&reactor) {
                Ok(open) => break open,
                Err(Failed::InUse) => {
                    if !std::mem::replace(&mut is_reported, true) {
                        tracing::info!(
                            "another process has the storage; clients are served when it has ended"
                        );
                    }
                    IN_USE_WAIT
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

    fn open(&self, reactor: &Reactor) -> Result<OpenServer, Failed> {
        let other = |error: StartError| Failed::Otherwise(error);
        let lock = lock(&self.storage)?;
        let mut config = self.config.clone().store(FolderStore::new(self.storage.join("accounts")));
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
        Ok(OpenServer { server: XmppServer::new(reactor, config), rooms, lock })
    }
}

/// Locks a folder, until the file is closed.
fn lock(folder: &Path) -> Result<File, Failed> {
    let path = folder.join("lock");
    let failed = |error: io::Error| {
        Failed::Otherwise(StartError::other(format!("{}: {error}", Excerpt::path(&path))))
    };
    let file =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
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
