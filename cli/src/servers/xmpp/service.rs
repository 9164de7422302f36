//! The service: [`XmppService`].
//!
//! | call | what happens |
//! |---|---|
//! | `privileged_start` | all ports are opened |
//! | `start` | the folders are made, as the user of the process; a task opens the storage, and waits as long as another process has it, as in an upgrade; then connections are accepted. Clients wait in the backlog meanwhile |
//! | `stop` | ports close, sessions end, and what has changed is stored; then the next process can have the storage, though connections of this one may go on |

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use sinew::{
    application::{MultiService, Service, StartError, StopError},
    auth::PasswordFile,
    chat::xmpp::server::components::ComponentPort,
    http::server::HttpServer,
    prelude::{Deferred, Factory, Reactor, StreamConfig, Task},
    reactor::{Excerpt, Failure, with_causes},
    transports::endpoint::ServerEndpoint,
};

use super::{
    Xmpp,
    archive_sweep::sweep,
    open_server::ServerSlot,
    opening::{Opening, Uploads, make},
    sources::{Accounts, Sources, Watching},
    upload_folder::UploadFolder,
    upload_path,
    upload_site::UploadSite,
};
use crate::{
    run::Context,
    servers::{
        ports::{self, Certificate},
        public_ports::PublicPorts,
        read_again::Stamp,
        users_file,
    },
};

/// Where clients connect by default.
const LISTEN: &str = "tcp:5222";
/// For TLS from the start (XEP-0368).
const ALPN: &str = "xmpp-client";

pub(super) struct XmppService {
    ports: MultiService,
    opening: Rc<Opening>,
    folders: Vec<PathBuf>,
    /// Until it is started.
    sources: RefCell<Option<Sources>>,
    running: RefCell<Option<Running>>,
}

/// What ends with the service.
struct Running {
    _opening: Task<()>,
    _sources: Watching,
    _sweeping: Option<Task<()>>,
}

impl XmppService {
    pub(super) fn make(xmpp: &Xmpp, context: &Context) -> Result<Self, StartError> {
        xmpp.check_domains()?;
        let certificate = xmpp.certificate()?;
        let accounts = Accounts::default();
        let users = xmpp.users.clone().unwrap_or_default();
        let seen = Stamp::of(&users);
        let names = users_file::names(&users);
        users_file::warn(context, &users);
        accounts.replace(
            names.map_err(|error| {
                StartError::other(format!("{}: {error}", Excerpt::path(&users)))
            })?,
        );
        let passwords = Rc::new(PasswordFile::open(&users).map_err(StartError::other)?);
        let mut config = xmpp.config(context, Rc::clone(&passwords), &accounts)?;
        if let Some(certificate) = &certificate {
            config = config.starttls(certificate.starttls());
        }
        let opening = Rc::new(Opening {
            xmpp: xmpp.clone(),
            config,
            storage: xmpp.storage().to_owned(),
            has_predecessor: context.has_predecessor(),
            rooms: xmpp.rooms_domain()?,
            components: ComponentPort::new(xmpp.components()?),
            uploads: uploads(xmpp)?,
            slot: ServerSlot::default(),
        });
        let ports = MultiService::new();
        let limits = limits(xmpp, context)?;
        Ports { xmpp, context, services: &ports, limits }.all(&opening, certificate.as_ref())?;
        let folders = [
            Some(opening.storage.clone()),
            opening.uploads.as_ref().map(|uploads| uploads.site.folder().to_owned()),
        ];
        let certificate = certificate.as_ref().map(Certificate::reloader);
        let (slot, every) = (opening.slot.clone(), xmpp.watch.0);
        let sources = Sources { accounts, passwords, users, seen, certificate, slot, every };
        Ok(Self {
            ports,
            opening,
            folders: folders.into_iter().flatten().collect(),
            sources: RefCell::new(Some(sources)),
            running: RefCell::default(),
        })
    }
}

fn uploads(xmpp: &Xmpp) -> Result<Option<Uploads>, StartError> {
    let (Some(url), Some(domain)) = (&xmpp.upload_url, xmpp.upload_domain()?) else {
        return Ok(None);
    };
    let folder = xmpp.storage().join("uploads");
    let site = UploadSite::new(UploadFolder::new(folder), xmpp.upload_total.0, xmpp.upload_keep.0);
    Ok(Some(Uploads { domain, url: url.clone(), site }))
}

/// The ports while they are made.
struct Ports<'a> {
    xmpp: &'a Xmpp,
    context: &'a Context,
    services: &'a MultiService,
    limits: PublicPorts,
}

/// By default.
fn limits(xmpp: &Xmpp, context: &Context) -> Result<PublicPorts, StartError> {
    let Xmpp { direct_tls, component_port, upload_https, upload_http, .. } = xmpp;
    let own = [direct_tls, component_port, upload_https, upload_http];
    let own: usize = own.iter().map(|endpoints| endpoints.len()).sum();
    Ok(PublicPorts::new(context.endpoints(LISTEN)?.len() + own))
}

impl Ports<'_> {
    fn all(&self, opening: &Opening, certificate: Option<&Certificate>) -> Result<(), StartError> {
        let xmpp = self.xmpp;
        self.add("", self.context.endpoints(LISTEN)?, opening.slot.clone())?;
        let direct = ports::implicit(&xmpp.direct_tls, certificate, Some(ALPN))?;
        self.add("direct_tls", direct, opening.slot.clone())?;
        self.add("component_port", ports::plain(&xmpp.component_port), opening.components.clone())?;
        let (Some(url), Some(uploads)) = (&xmpp.upload_url, &opening.uploads) else {
            return Ok(());
        };
        let path = upload_path(url).unwrap_or_default();
        let server = HttpServer::new(uploads.site.handler(path));
        let https = ports::implicit(&xmpp.upload_https, certificate, Some("http/1.1"))?;
        self.add("upload_https", https, server.clone())?;
        self.add("upload_http", ports::plain(&xmpp.upload_http), server)
    }

    fn add(
        &self,
        group: &str,
        endpoints: Vec<ServerEndpoint>,
        factory: impl Factory,
    ) -> Result<(), StartError> {
        let config = match group {
            // From one machine: several components, or a proxy.
            "component_port" | "upload_http" => self.limits.config_without_clients(),
            _ => self.limits.config(),
        };
        let stream = StreamConfig::default();
        self.context.serve_group(
            self.services,
            group,
            endpoints,
            config,
            stream,
            factory,
            |_, port| port,
        )
    }
}

impl Service for XmppService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.ports.privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.folders.iter().map(PathBuf::as_path).try_for_each(make)?;
        self.opening.check()?;
        let Some(sources) = self.sources.take() else { return Err(StartError::AlreadyStarted) };
        let sources = sources.watch(reactor)?;
        let opening = accept(Rc::clone(&self.opening), reactor.clone(), self.ports.clone());
        let sweeping = self.opening.uploads.as_ref().map(|uploads| uploads.site.sweep(reactor));
        let running = Running {
            _opening: reactor.spawn(opening),
            _sources: sources,
            _sweeping: sweeping.map(|sweep| reactor.spawn(sweep)),
        };
        self.running.replace(Some(running));
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        drop(self.running.take());
        let open = self.opening.slot.take();
        let stopped = self.ports.stop(reactor);
        let (promise, closed) = reactor.promise::<(), Failure>();
        let handle = reactor.clone();
        let closing = async move {
            if let Some(open) = open {
                // Errors say that the reactor has ended.
                drop(open.server.stop(&handle).await);
                if let Some(rooms) = &open.rooms {
                    drop(rooms.flushed(&handle).await);
                }
                if let Some(archive) = &open.archive {
                    drop(archive.end_sweep(&handle).await);
                }
                // The next process can have the storage now.
                drop((open.lock, open.held));
            }
            promise.resolve(());
        };
        reactor.spawn(closing).detach();
        let (promise, done) = reactor.promise();
        let task = async move {
            let stopped = stopped.await;
            drop(closed.await);
            promise.settle(stopped);
        };
        reactor.spawn(task).detach();
        done
    }
}

/// Accepts connections once the storage is open, and looks at the archives from time to time.
async fn accept(opening: Rc<Opening>, reactor: Reactor, ports: MultiService) {
    Rc::clone(&opening).run(reactor.clone()).await;
    match ports.start(&reactor) {
        Ok(()) => tracing::info!("the storage is open: clients are accepted"),
        Err(error) => tracing::error!(error = %with_causes(&error), "clients cannot be accepted"),
    }
    if let Some(archive) = opening.slot.archive() {
        let config = opening.xmpp.archive_config(archive.clone());
        sweep(reactor, archive, config).await;
    }
}
