//! The server: [`IrcServer`], a [`Factory`] for ports of any kind. It runs commands, and what they leave for later.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    rc::Rc,
};

use data_encoding::BASE64;
use sinew_auth::{Credentials, SaslError, SaslServer, ServerStep};
use sinew_transports::{
    Factory, Peer,
    reactor::{Deferred, Excerpt, Failure, Promise, Reactor, with_causes},
};

use super::{
    IrcServerConnection, ServerConfig, ServerReport,
    channel::{Channel, MAPPING},
    commands, connection,
    files::{FileError, Paths, Texts},
    network::{Later, Network},
    outgoing::Outgoing,
    registry,
    retry::{Retry, Wait},
    user::UserId,
};
use crate::{
    irc::codec::{Message, sasl_pieces},
    replace_file,
};

/// A server of IRC, as a factory for any port: TCP, TLS, a Unix socket, memory, behind the PROXY protocol, in a network simulation. Clones
/// share everything, and may serve several ports of one reactor. It is of one reactor: servers of others are other servers, for no two
/// servers are linked.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::server::{IrcServer, ServerConfig};
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let server = IrcServer::new(&reactor, ServerConfig::new("irc.example.net")?);
/// let port = reactor.listen_tcp("127.0.0.1:0", server)?;
/// println!("{}", port.local());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct IrcServer(Rc<Core>);

struct Core {
    network: Rc<RefCell<Network>>,
    /// The file of channels is being written.
    is_saving: Cell<bool>,
    retry: Retry,
    is_saving_bans: Cell<bool>,
    must_save_bans: Cell<bool>,
    retry_bans: Retry,
    /// Those who wait until it is.
    waiting: RefCell<Vec<Promise<(), Failure>>>,
}

impl IrcServer {
    /// A server without files: those of the configuration are not read, but written. [`load`](Self::load) reads them.
    #[must_use]
    pub fn new(reactor: &Reactor, config: ServerConfig) -> Self {
        let (config, now, instant) = (Rc::new(config), reactor.wall_clock(), reactor.now());
        let network =
            Rc::new_cyclic(|this| RefCell::new(Network::new(this.clone(), config, now, instant)));
        Self(Rc::new(Core {
            network,
            is_saving: Cell::new(false),
            retry: Retry::default(),
            is_saving_bans: Cell::new(false),
            must_save_bans: Cell::new(false),
            retry_bans: Retry::default(),
            waiting: RefCell::default(),
        }))
    }

    /// A server with what its files say: the message of the day, bans, registered channels.
    ///
    /// # Errors
    ///
    /// [`FileError`]: a file cannot be read, or has a line that cannot be understood.
    pub fn load(reactor: &Reactor, config: ServerConfig) -> Deferred<Self, FileError> {
        let server = Self::new(reactor, config);
        let paths = server.paths();
        let read =
            reactor.defer_to_thread(move || Ok((paths.read_texts()?, paths.read_channels()?)));
        read.map(move |read: Result<Result<_, FileError>, Failure>| {
            let (texts, channels) = read??;
            server.filled(texts, channels);
            Ok(server)
        })
    }

    /// As [`load`](Self::load), at once: it blocks while it reads. For the start of a program.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    pub fn open(reactor: &Reactor, config: ServerConfig) -> Result<Self, FileError> {
        let server = Self::new(reactor, config);
        let paths = server.paths();
        let (texts, channels) = (paths.read_texts()?, paths.read_channels()?);
        server.filled(texts, channels);
        Ok(server)
    }

    fn filled(&self, texts: Texts, channels: Vec<Channel>) {
        let mut network = self.0.network.borrow_mut();
        set_texts(&mut network, texts);
        for channel in channels {
            network.channels.insert(MAPPING.fold(&channel.name), channel);
        }
    }

    /// Tells clients with `cap-notify` if other mechanisms of SASL are offered than they know: call it when the checker of the accounts has
    /// other users.
    pub fn tell_mechanisms(&self, reactor: &Reactor) {
        self.with(reactor, Network::tell_mechanisms);
    }

    /// Reads the message of the day and the bans again, as the command REHASH does.
    ///
    /// # Errors
    ///
    /// [`FileError`]; nothing changes then.
    pub fn rehash(&self, reactor: &Reactor) -> Deferred<(), FileError> {
        let (paths, this) = (self.paths(), self.clone());
        reactor.defer_to_thread(move || paths.read_texts()).map(move |read| {
            let mut network = this.0.network.borrow_mut();
            set_texts(&mut network, read??);
            network.end_doomed();
            Ok(())
        })
    }

    /// Ends the connections of all clients that have logged in to an account, and returns how many there were: for an account that may not
    /// be used any more, or has another password. Others see them quit. Logins to the account that have begun before are refused.
    ///
    /// Call it once the authenticator knows of the change.
    pub fn end_sessions(&self, reactor: &Reactor, account: &str) -> usize {
        self.with(reactor, |network| {
            let ended = network.revoking.accounts.end(account);
            for id in &ended {
                network.leave(*id, b"The credentials are not valid any more", true);
            }
            ended.len()
        })
    }

    /// Those who have become operators of the server by this name (OPER) are none any more, and are told so by MODE; returns how many there were.
    /// The clients stay. An OPER by the name that has begun before is refused.
    ///
    /// Call it once the authenticator of operators knows of the change.
    pub fn end_operators(&self, reactor: &Reactor, name: &str) -> usize {
        self.with(reactor, |network| {
            let ended = network.revoking.operators.end(name);
            ended.into_iter().filter(|id| network.end_operator(*id)).count()
        })
    }

    /// Resolves when all that is to be remembered is on the disk, or could not be written now, which is logged. Wait for it at the end of
    /// a program.
    pub fn flushed(&self, reactor: &Reactor) -> Deferred<()> {
        let (promise, flushed) = reactor.promise();
        self.0.waiting.borrow_mut().push(promise);
        self.0.retry.begin();
        self.save(reactor);
        self.0.retry_bans.begin();
        if self.0.must_save_bans.take() {
            self.save_bans(reactor);
        }
        self.settle();
        flushed
    }

    /// How many clients and channels there are.
    #[must_use]
    pub fn report(&self) -> ServerReport {
        let network = self.0.network.borrow();
        ServerReport {
            connections: network.users.len(),
            clients: network.users.values().filter(|user| user.is_registered).count(),
            clients_most: network.most_users,
            channels: network
                .channels
                .values()
                .filter(|channel| !channel.members.is_empty())
                .count(),
            registered_channels: network
                .channels
                .values()
                .filter(|channel| channel.founder.is_some())
                .count(),
        }
    }

    /// A connection of this server with a client, for callers that establish connections themselves.
    #[must_use]
    pub fn connection(&self) -> IrcServerConnection {
        connection::new(self.clone())
    }

    /// Something of the configuration.
    pub(super) fn limits<R>(&self, f: impl FnOnce(&ServerConfig) -> R) -> R {
        f(&self.0.network.borrow().config)
    }

    pub(super) fn is_registered(&self, id: UserId) -> bool {
        self.0.network.borrow().users.get(&id).is_some_and(|user| user.is_registered)
    }

    /// Something of the network, with the time of the loop.
    pub(super) fn with<R>(&self, reactor: &Reactor, f: impl FnOnce(&mut Network) -> R) -> R {
        let mut network = self.0.network.borrow_mut();
        network.now = reactor.wall_clock();
        network.instant = reactor.now();
        let result = f(&mut network);
        network.end_doomed();
        drop(network);
        self.after(reactor);
        result
    }

    /// Carries out a line of a client.
    pub(super) fn run(&self, reactor: &Reactor, id: UserId, line: &[u8]) {
        let message = match Message::parse(line) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "a line of a client of IRC is no message");
                return;
            }
        };
        self.with(reactor, |network| commands::run(network, id, &message));
    }

    /// Does what commands have left.
    fn after(&self, reactor: &Reactor) {
        let later = std::mem::take(&mut self.0.network.borrow_mut().later);
        for later in later {
            match later {
                Later::Sasl { id, mechanism, text } => self.sasl(reactor, id, mechanism, text),
                Later::Oper { id, name, password } => self.oper(reactor, id, name, password),
                Later::Rehash(id) => self.rehash_for(reactor, id),
                Later::SaveBans => self.save_bans(reactor),
            }
        }
        if self.0.network.borrow().is_changed {
            self.save(reactor);
        }
    }

    /// A step of a login. Nothing more is read of the client until it is taken.
    fn sasl(
        &self,
        reactor: &Reactor,
        id: UserId,
        mechanism: Option<String>,
        text: Option<Vec<u8>>,
    ) {
        let mut network = self.0.network.borrow_mut();
        let Some(accounts) = network.config.accounts.clone() else { return };
        let Network { users, revoking, .. } = &mut *network;
        let Some(user) = users.get_mut(&id) else { return };
        let channel = user.wire.channel();
        let begin = || (SaslServer::new(&accounts, channel), revoking.accounts.begin());
        let sasl = user.sasl.get_or_insert_with(begin).0.clone();
        user.wire.pause();
        drop(network);
        let step = match (mechanism, text) {
            (Some(mechanism), _) => sasl.start(reactor, &mechanism, None),
            (None, text) => sasl.respond_encoded(reactor, &text.unwrap_or_default()),
        };
        let this = self.clone();
        step.then(move |reactor, step| this.sasl_step(reactor, id, step));
    }

    fn sasl_step(&self, reactor: &Reactor, id: UserId, step: Result<ServerStep, SaslError>) {
        self.with(reactor, |network| {
            match step {
                Ok(ServerStep::Challenge(challenge)) => {
                    for piece in sasl_pieces(&BASE64.encode(&challenge)) {
                        let message = Outgoing::new(b"", "AUTHENTICATE").param(piece);
                        network.send(id, &message);
                    }
                }
                Ok(ServerStep::Done { identity, .. }) => network.logged_in(id, &identity),
                Ok(_) => commands::sasl_failed(network, id, &SaslError::OutOfOrder),
                Err(error) => commands::sasl_failed(network, id, &error),
            }
            if let Some(user) = network.users.get(&id) {
                user.wire.resume();
            }
        });
    }

    fn oper(&self, reactor: &Reactor, id: UserId, name: String, password: Vec<u8>) {
        let network = self.0.network.borrow();
        let (Some(operators), Some(user)) =
            (network.config.operators.clone(), network.users.get(&id))
        else {
            return;
        };
        let channel = user.wire.channel().mechanism("OPER");
        user.wire.pause();
        let begun = network.revoking.operators.begin();
        drop(network);
        let this = self.clone();
        operators.check(reactor, &channel, Credentials::password(name.as_str(), password)).then(
            move |reactor, checked| {
                this.with(reactor, |network| {
                    network.oper_checked(id, &name, begun, checked.ok());
                    if let Some(user) = network.users.get(&id) {
                        user.wire.resume();
                    }
                });
            },
        );
    }

    fn rehash_for(&self, reactor: &Reactor, id: UserId) {
        let this = self.clone();
        self.rehash(reactor).then(move |reactor, read| {
            let text = match read {
                Ok(()) => "The files were read again".to_owned(),
                Err(error) => {
                    tracing::error!(error = %with_causes(&error), "the files of the IRC server were not read again");
                    Excerpt::new(&error.to_string()).to_string()
                }
            };
            this.with(reactor, |network| network.notice(id, text));
        });
    }

    fn paths(&self) -> Paths {
        Paths::of(&self.0.network.borrow().config)
    }

    /// Writes the registered channels, if they have changed. Changes while it writes are written next.
    fn save(&self, reactor: &Reactor) {
        let mut network = self.0.network.borrow_mut();
        if !network.is_changed || self.0.is_saving.get() || self.0.retry.is_waiting() {
            return;
        }
        network.is_changed = false;
        let Some(path) = network.config.channels_file.clone() else { return };
        let text = registry::encode(network.channels.values());
        drop(network);
        if text.len() as u64 > registry::FILE_MAX {
            // It could not be read again.
            return tracing::error!(
                path = %Excerpt::path(&path),
                max = registry::FILE_MAX,
                "the registered channels of the IRC server are too many to be stored"
            );
        }
        self.0.is_saving.set(true);
        let (shown, this) = (path.clone(), self.clone());
        reactor.defer_to_thread(move || replace_file::replace(&path, &text)).then(
            move |reactor, written| {
                this.0.is_saving.set(false);
                if is_written(&shown, written) {
                    this.0.retry.succeeded();
                    this.save(reactor);
                } else {
                    this.0.network.borrow_mut().is_changed = true;
                    let wait = this.0.retry.failed();
                    this.later(reactor, wait, move |this, reactor| {
                        if this.0.retry.passed(wait) {
                            this.save(reactor);
                        }
                    });
                }
                this.settle();
            },
        );
    }

    fn save_bans(&self, reactor: &Reactor) {
        if self.0.is_saving_bans.get() || self.0.retry_bans.is_waiting() {
            return self.0.must_save_bans.set(true);
        }
        let network = self.0.network.borrow();
        let Some(path) = network.config.bans_file.clone() else { return };
        let text = network.bans.encode();
        drop(network);
        self.0.is_saving_bans.set(true);
        let (shown, this) = (path.clone(), self.clone());
        reactor.defer_to_thread(move || replace_file::replace(&path, &text)).then(
            move |reactor, written| {
                this.0.is_saving_bans.set(false);
                if !is_written(&shown, written) {
                    this.0.must_save_bans.set(true);
                    let wait = this.0.retry_bans.failed();
                    this.later(reactor, wait, move |this, reactor| {
                        if this.0.retry_bans.passed(wait) && this.0.must_save_bans.take() {
                            this.save_bans(reactor);
                        }
                    });
                } else {
                    this.0.retry_bans.succeeded();
                    if this.0.must_save_bans.take() {
                        this.save_bans(reactor);
                    }
                }
                this.settle();
            },
        );
    }

    /// Calls `again` after a wait, if the server is still there.
    fn later(&self, reactor: &Reactor, wait: Wait, again: impl FnOnce(&Self, &Reactor) + 'static) {
        let core = Rc::downgrade(&self.0);
        reactor.call_later(wait.delay, move |reactor| {
            if let Some(this) = core.upgrade().map(Self) {
                again(&this, reactor);
            }
        });
    }

    /// Tells those who wait, if nothing is being written.
    fn settle(&self) {
        if !self.0.is_saving.get() && !self.0.is_saving_bans.get() {
            self.0.waiting.take().into_iter().for_each(|promise| promise.resolve(()));
        }
    }
}

fn set_texts(network: &mut Network, texts: Texts) {
    network.motd = texts.motd;
    if let Some(bans) = texts.bans {
        network.bans = bans;
    }
}

/// Whether a file was written. If not, that is logged.
fn is_written(path: &std::path::Path, written: Result<io::Result<()>, Failure>) -> bool {
    let error = match written {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(failure) => failure.to_string(),
    };
    tracing::error!(path = %Excerpt::path(path), error, "a file of the IRC server was not written");
    false
}

impl Factory for IrcServer {
    type Protocol = IrcServerConnection;

    fn build_protocol(&mut self, _: &Peer) -> Option<IrcServerConnection> {
        Some(self.connection())
    }
}

impl fmt::Debug for IrcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrcServer").finish_non_exhaustive()
    }
}
