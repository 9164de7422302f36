//! The service: [`MailService`]. The queue is opened first; mail is accepted from then on.
//!
//! | call | what happens |
//! |---|---|
//! | `privileged_start` | all ports are opened |
//! | `start` | the folders are made, as the user of the process; mailboxes can be read; a task opens the queue, and waits for it as long as another process has it, as in an upgrade; then mail is accepted, and the server is ready. Clients wait in the backlog meanwhile, for 30 seconds at most: then they are told to come again |
//! | `stop` | ports close, connections are drained; the queue accepts nothing new, and writes down how far it has come |

use std::{
    cell::RefCell,
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use sinew::{
    application::{MultiService, Service, StartError, StopError},
    auth::{Authenticator, AuthenticatorConfig, Checker, Mechanism, Sessions},
    http::server::HttpServer,
    mail::{
        imap::server::{ImapServer, ServerConfig as ImapConfig},
        pop3::server::{Pop3Server, ServerConfig as Pop3Config, StoredMaildrops},
        queue::{Agents, Queue, QueueConfig, Relay, SMTP_AGENT, Spool},
        routing::{
            FILE_AGENT, FileAgent, MAILBOX_AGENT, MailboxAgent, PROGRAM_AGENT, ProgramAgent,
            REROUTE_AGENT, Reroute, Router, Rules,
        },
        smtp::server::{ServerConfig, SmtpServer},
        store::Store,
    },
    prelude::{Deferred, Peer, Reactor, StreamConfig},
    reactor::{Excerpt, Failure, with_causes},
    transports::endpoint::ServerEndpoint,
};

use super::{
    Mail, control,
    opening::Opening,
    queue_slot::{Places, QueueSlot},
    receiving::Receiving,
    sources::{Sources, Watching},
};
use crate::{
    arguments::Endpoint,
    run::Context,
    servers::{
        ports::{self, Certificate},
        public_ports::PublicPorts,
    },
};

/// Where mail of other servers is accepted by default.
const LISTEN: &str = "tcp:25";

/// How long attempts may go on when the service stops. The next one waits for that.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// What a service is made of.
pub(super) struct Parts {
    pub(super) hostname: String,
    pub(super) certificate: Option<Certificate>,
    pub(super) checker: Rc<dyn Checker>,
    pub(super) authenticator: Authenticator,
    /// Of those who read or submit mail.
    pub(super) sessions: Sessions,
    pub(super) store: Rc<dyn Store>,
    pub(super) router: Router,
    pub(super) relay: Relay,
    pub(super) sources: Sources,
}

pub(super) struct MailService {
    /// Ports that need the queue.
    receiving: MultiService,
    /// Ports that do not.
    reading: MultiService,
    opening: Rc<Opening>,
    slot: QueueSlot,
    /// Of the queue and the mailboxes.
    folders: Vec<PathBuf>,
    /// Until it is started.
    sources: RefCell<Option<Sources>>,
    watching: RefCell<Option<Watching>>,
}

impl MailService {
    pub(super) fn make(mail: &Mail, context: &Context, parts: Parts) -> Result<Self, StartError> {
        let slot = QueueSlot::default();
        let limits = limits(mail, context)?;
        let receiving = MultiService::new();
        let reading = MultiService::new();
        let ports = Ports { mail, context, parts: &parts, slot: &slot, limits };
        ports.receiving(&receiving)?;
        ports.reading(&reading)?;
        let opening = Rc::new(opening(mail, context, &parts, slot.clone(), receiving.clone())?);
        let folders = [&mail.queue, &mail.mailboxes].into_iter().flatten().cloned().collect();
        let (sources, watching) = (RefCell::new(Some(parts.sources)), RefCell::default());
        Ok(Self { receiving, reading, opening, slot, folders, sources, watching })
    }
}

/// The ports while they are made.
struct Ports<'a> {
    mail: &'a Mail,
    context: &'a Context,
    parts: &'a Parts,
    slot: &'a QueueSlot,
    limits: PublicPorts,
}

/// By default.
fn limits(mail: &Mail, context: &Context) -> Result<PublicPorts, StartError> {
    let Mail { submission, submissions, lmtp, pop3, pop3s, imap, imaps, control, .. } = mail;
    let own = [submission, submissions, lmtp, pop3, pop3s, imap, imaps, control];
    let own: usize = own.iter().map(|endpoints| endpoints.len()).sum();
    Ok(PublicPorts::new(context.endpoints(LISTEN)?.len() + own))
}

impl Ports<'_> {
    fn receiving(&self, services: &MultiService) -> Result<(), StartError> {
        let (mail, certificate) = (self.mail, self.parts.certificate.as_ref());
        let exchanger = mail.exchanger();
        let config = self.with_starttls(self.smtp()?);
        let endpoints = self.context.endpoints(LISTEN)?;
        self.add(services, "", endpoints, self.server(config, &exchanger))?;
        let submission = self.smtp()?.auth(self.parts.authenticator.clone());
        let submission =
            submission.sessions(self.parts.sessions.clone()).auth_required(true).tls_required(true);
        let rules = Rules::submission();
        let submissions = ports::implicit(&mail.submissions, certificate, None)?;
        let server = self.server(submission.clone(), &rules);
        self.add(services, "submissions", submissions, server)?;
        let server = self.server(self.with_starttls(submission), &rules);
        self.add(services, "submission", ports::plain(&mail.submission), server)?;
        let local = self.server(self.smtp()?.lmtp(true), &Rules::exchanger());
        self.add(services, "lmtp", ports::plain(&mail.lmtp), local)
    }

    fn reading(&self, services: &MultiService) -> Result<(), StartError> {
        self.pop3(services)?;
        self.imap(services)?;
        let control = self.mail.control.iter().map(private).collect::<Result<Vec<_>, _>>()?;
        let server = HttpServer::new(control::routes(self.slot));
        self.add(services, "control", control, server)
    }

    fn pop3(&self, services: &MultiService) -> Result<(), StartError> {
        let (mail, Parts { certificate, authenticator, store, .. }) = (self.mail, self.parts);
        let maildrops = StoredMaildrops::new(Rc::clone(store));
        let config = Pop3Config::new(&self.parts.hostname, authenticator.clone());
        let config = config.map_err(StartError::other)?.tls_required(true);
        let config = config.sessions(self.parts.sessions.clone());
        let pop3s = ports::implicit(&mail.pop3s, certificate.as_ref(), None)?;
        let server = Pop3Server::new(config.clone(), maildrops.clone());
        self.add(services, "pop3s", pop3s, server)?;
        let config = match certificate {
            Some(certificate) => config.stls(certificate.starttls()),
            None => config,
        };
        let server = Pop3Server::new(config, maildrops);
        self.add(services, "pop3", ports::plain(&mail.pop3), server)
    }

    fn imap(&self, services: &MultiService) -> Result<(), StartError> {
        let (mail, Parts { certificate, authenticator, checker, store, .. }) =
            (self.mail, self.parts);
        let config = |authenticator| {
            let config = ImapConfig::new(authenticator, Rc::clone(store));
            config.append_max(mail.message_max.0).sessions(self.parts.sessions.clone())
        };
        let imaps = ports::implicit(&mail.imaps, certificate.as_ref(), None)?;
        let server = ImapServer::new(config(authenticator.clone()));
        self.add(services, "imaps", imaps, server)?;
        // What shows the password, and so is for TLS only: a login by others would be possible without.
        let only_over_tls =
            AuthenticatorConfig::default().mechanisms([Mechanism::Plain, Mechanism::Login]);
        let only_over_tls = only_over_tls.limiter(mail.failed_logins.limiter());
        let config = config(Authenticator::with(Rc::clone(checker), only_over_tls));
        let config = match certificate {
            Some(certificate) => config.starttls(certificate.starttls()),
            None => config,
        };
        self.add(services, "imap", ports::plain(&mail.imap), ImapServer::new(config))
    }

    fn smtp(&self) -> Result<ServerConfig, StartError> {
        let config = ServerConfig::new(&self.parts.hostname).map_err(StartError::other)?;
        Ok(config
            .size_max(self.mail.message_max.0)
            .recipients_max(self.mail.recipients_max)
            .refusals_max(self.mail.refusals_max)
            .idle_commands_max(self.mail.idle_commands_max))
    }

    fn with_starttls(&self, config: ServerConfig) -> ServerConfig {
        match &self.parts.certificate {
            Some(certificate) => config.starttls(certificate.starttls()),
            None => config,
        }
    }

    fn server(&self, config: ServerConfig, rules: &Rules) -> impl sinew::prelude::Factory + use<> {
        let (slot, rules) = (self.slot.clone(), rules.clone());
        let Parts { router, relay, store, .. } = self.parts;
        let limited = self.mail.quota.map(|_| Rc::clone(store));
        let places = Places { router: router.clone(), relay: relay.clone(), limited };
        SmtpServer::new(config, move |_: &Peer| Receiving::new(&slot, &places, &rules))
    }

    fn add(
        &self,
        services: &MultiService,
        group: &str,
        endpoints: Vec<ServerEndpoint>,
        factory: impl sinew::prelude::Factory,
    ) -> Result<(), StartError> {
        let config = match group {
            // For one server that brings the mail of many.
            "lmtp" => self.limits.config_without_clients(),
            _ => self.limits.config(),
        };
        let stream = StreamConfig::default();
        self.context.serve_group(
            services,
            group,
            endpoints,
            config,
            stream,
            factory,
            |_, server| server,
        )
    }
}

/// The endpoint of the queue's control: a Unix socket, for the user of this process alone unless it says otherwise.
fn private(endpoint: &Endpoint) -> Result<ServerEndpoint, StartError> {
    let text = endpoint.endpoint.to_string();
    if !text.starts_with("unix:") {
        let text = Excerpt::new(&text);
        return Err(StartError::other(format!(
            "control: {text} is not a Unix socket, and anyone could use it"
        )));
    }
    match text.contains(":mode=") {
        true => Ok(endpoint.endpoint.clone()),
        false => format!("{text}:mode=600").parse().map_err(StartError::other),
    }
}

/// How the queue of this server is opened.
fn opening(
    mail: &Mail,
    context: &Context,
    parts: &Parts,
    slot: QueueSlot,
    receiving: MultiService,
) -> Result<Opening, StartError> {
    let mut agents = Agents::default()
        .with(SMTP_AGENT, parts.relay.clone())
        .with(MAILBOX_AGENT, MailboxAgent::new(Rc::clone(&parts.store)));
    if mail.alias_programs {
        agents = agents
            .with(PROGRAM_AGENT, ProgramAgent::default())
            .with(FILE_AGENT, FileAgent::default());
    }
    let reroute = Reroute::new(parts.router.clone(), agents.clone());
    let agents = agents.with(REROUTE_AGENT, reroute.clone());
    let config = QueueConfig::new(&parts.hostname)
        .map_err(StartError::other)?
        .size_max(mail.message_max.0.saturating_add(65_536))
        .retry_first(mail.retry_first.0)
        .retry_max(mail.retry_max.0)
        .expiry(mail.expiry.0)
        .delay_warning(mail.delay_warning.map(|after| after.0))
        .stop_grace(STOP_GRACE)
        .report_agent(REROUTE_AGENT);
    let spool = Spool::in_folder(mail.queue.clone().unwrap_or_default());
    let opened = move |queue: Queue| {
        reroute.set_queue(&queue);
        slot.set(queue);
    };
    let wait = context.wait_for("its queue");
    Ok(Opening::new(spool, config, agents, receiving, wait, opened))
}

impl Service for MailService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.receiving.privileged_start(reactor)?;
        self.reading.privileged_start(reactor).inspect_err(|_| {
            self.receiving.stop(reactor).detach();
        })
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.folders.iter().try_for_each(|folder| make(folder))?;
        self.reading.start(reactor)?;
        let Some(sources) = self.sources.take() else { return Err(StartError::AlreadyStarted) };
        let sources = sources.watch(reactor)?;
        self.opening.begin(reactor);
        self.watching.replace(Some(sources));
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        drop(self.watching.take());
        self.opening.end();
        let queue = self.slot.take();
        // All begin to stop at once.
        let (receiving, reading) = (self.receiving.stop(reactor), self.reading.stop(reactor));
        let (promise, closed) = reactor.promise::<(), Failure>();
        let closing = async move {
            if let Some(queue) = queue
                && let Err(error) = queue.stop().await
            {
                tracing::error!(error = %with_causes(&error), "the queue did not stop as it should");
            }
            // The next service can open it now, though connections of this one may go on.
            promise.resolve(());
        };
        reactor.spawn(closing).detach();
        let (promise, stopped) = reactor.promise();
        let task = async move {
            let (received, read) = (receiving.await, reading.await);
            // An error says that the reactor has ended.
            drop(closed.await);
            promise.settle(received.and(read));
        };
        reactor.spawn(task).detach();
        stopped
    }
}

/// Makes a folder, unless it is there: for the user of this process alone, since mail is in it.
fn make(folder: &Path) -> Result<(), StartError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| StartError::other(format!("{}: {error}", Excerpt::path(folder))))
}
