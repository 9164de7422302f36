//! `sinew mail`: a whole mail server: SMTP with a queue and mailboxes, submission, LMTP, POP3 and IMAP.
//!
//! | file | |
//! |---|---|
//! | `names.rs` | who has a mailbox, by the file of users |
//! | `domains.rs` | the router: domains, aliases |
//! | `outgoing.rs` | mail to other hosts |
//! | `refusals.rs` | mail for postmaster, or of a catch-all, that is refused |
//! | `sources.rs` | files that are read again when they change |
//! | `queue_slot.rs` | the queue, once it is open |
//! | `opening.rs` | how the queue is opened, and what happens until then |
//! | `service.rs` | the service |
//! | `control.rs`, `queue_report.rs` | the queue as `sinew mailq` sees it |

mod control;
mod domains;
mod names;
mod opening;
mod outgoing;
mod queue_report;
mod queue_slot;
mod receiving;
mod refusals;
mod service;
mod sources;

use std::{net::IpAddr, path::PathBuf, process::Command, rc::Rc};

use nix::unistd;
use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    auth::{Authenticator, AuthenticatorConfig, Checker, PasswordFile, Program, Sessions},
    mail::{
        routing::{Router, Rules},
        store::{MaildirConfig, MaildirStore, Store, StoreLimits},
    },
    reactor::Excerpt,
};

use crate::{
    arguments::{Endpoint, endpoints},
    exit::Failure,
    quantity::{Interval, Size},
    run::{Context, ServerCommand, TlsUse, Wanted},
    sendmail::Tls,
    servers::{dns::Network, failed_logins::FailedLogins, ports::Certificate, users_file},
};
use names::Names;
pub(crate) use queue_report::{Page, QueuedReport, RecipientReport};
use refusals::Refusals;
use service::{MailService, Parts};
use sources::Sources;

/// The longest message, unless another limit is given.
const MESSAGE_MAX: u64 = 25 << 20;

/// The arguments of `sinew mail`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mail {
    /// The name of this server, as other servers see it; by default the host name
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// Accept mail for this domain, for the users and the aliases; by default for the name of this server. May be repeated
    #[arg(long, value_name = "DOMAIN", help_heading = "Mailboxes")]
    pub(crate) domain: Vec<String>,
    /// The folder with a Maildir for each user
    #[arg(long, value_name = "DIR", help_heading = "Mailboxes")]
    pub(crate) mailboxes: Option<PathBuf>,
    /// The users: a file with a line NAME:HASH for each, which `sinew password` or `htpasswd -B` makes. NAME is a name in all domains, or
    /// an address
    #[arg(long, value_name = "FILE", help_heading = "Mailboxes")]
    pub(crate) users: Option<PathBuf>,
    /// Have this program check passwords, in the manner of checkpassword, instead of a file of users. Who has a Maildir in the
    /// folder of the mailboxes has a mailbox
    #[arg(long, value_name = "PROGRAM", conflicts_with = "users", help_heading = "Mailboxes")]
    pub(crate) login_program: Option<PathBuf>,
    /// After how many failed logins an address, and a user, is refused, and within which time; none is no limit. Many addresses together can
    /// keep a user out
    #[arg(long, default_value_t = FailedLogins::default(), value_name = "ADDRESS/USER/TIME", help_heading = "Mailboxes")]
    pub(crate) failed_logins: FailedLogins,
    /// Other names for users and addresses: a file with lines NAME: TARGET, ..., as /etc/aliases
    #[arg(long, value_name = "FILE", help_heading = "Mailboxes")]
    pub(crate) aliases: Option<PathBuf>,
    /// Let aliases run programs (|command) and write to files (/file), with the rights of this server
    #[arg(long, requires = "aliases", help_heading = "Mailboxes")]
    pub(crate) alias_programs: bool,
    /// Who receives the mail for postmaster, which every server has to take: a user or an address
    #[arg(long, value_name = "USER", help_heading = "Mailboxes")]
    pub(crate) postmaster: Option<String>,
    /// How much mail a user may have
    #[arg(long, value_name = "SIZE", help_heading = "Mailboxes")]
    pub(crate) quota: Option<Size>,
    /// Where users submit mail, after STARTTLS and a login, as tcp:587. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Ports")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) submission: Vec<Endpoint>,
    /// Where they submit it over TLS from the start, as tcp:465. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Ports")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) submissions: Vec<Endpoint>,
    /// Where another server on this machine delivers mail for the domains, by LMTP, as unix:/run/sinew/lmtp.sock. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Ports")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) lmtp: Vec<Endpoint>,
    /// Where users fetch mail by POP3, with STARTTLS, as tcp:110. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Ports")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) pop3: Vec<Endpoint>,
    /// Where they fetch it by POP3 over TLS from the start, as tcp:995. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Ports")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) pop3s: Vec<Endpoint>,
    /// Where users read mail by IMAP, with STARTTLS, as tcp:143. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Ports")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) imap: Vec<Endpoint>,
    /// Where they read it by IMAP over TLS from the start, as tcp:993. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Ports")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) imaps: Vec<Endpoint>,
    /// The certificate of the server with its chain (PEM), for STARTTLS and TLS
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Ports")]
    pub(crate) cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Ports")]
    pub(crate) key: Option<PathBuf>,
    /// Where `sinew mailq` finds the queue: unix:/run/sinew/mail.sock. Its file is for this user alone, unless it says mode=.
    /// May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Queue")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) control: Vec<Endpoint>,
    /// The folder of the queue
    #[arg(long, value_name = "DIR", help_heading = "Queue")]
    pub(crate) queue: Option<PathBuf>,
    /// When a delivery that has failed is tried again for the first time; the time is doubled from then on
    #[arg(long, default_value_t = Interval::seconds(15 * 60), value_name = "DURATION", help_heading = "Queue")]
    pub(crate) retry_first: Interval,
    /// The longest time between two attempts
    #[arg(long, default_value_t = Interval::seconds(4 * 3600), value_name = "DURATION", help_heading = "Queue")]
    pub(crate) retry_max: Interval,
    /// How old a message becomes before its sender is told that it was not delivered
    #[arg(long, default_value_t = Interval::seconds(5 * 86400), value_name = "DURATION", help_heading = "Queue")]
    pub(crate) expiry: Interval,
    /// After which time the sender is told that a message is late
    #[arg(long, value_name = "DURATION", help_heading = "Queue")]
    pub(crate) delay_warning: Option<Interval>,
    /// Send all mail for other domains to this server: HOST, HOST:PORT or an endpoint. Otherwise it goes to the mail servers of each
    /// domain (MX)
    #[arg(long, value_name = "SERVER", help_heading = "Other servers")]
    pub(crate) smart_host: Option<String>,
    /// Log in there with this name
    #[arg(
        long,
        value_name = "NAME",
        requires = "smart_host_password_file",
        help_heading = "Other servers"
    )]
    pub(crate) smart_host_user: Option<String>,
    /// The file whose first line is the password for that. Only its owner may read it
    #[arg(long, value_name = "FILE", requires = "smart_host_user", help_heading = "Other servers")]
    pub(crate) smart_host_password_file: Option<PathBuf>,
    /// When TLS is used there, as with sinew sendmail: starttls, implicit, if-offered or none
    #[arg(long, value_enum, value_name = "WHEN", help_heading = "Other servers")]
    pub(crate) smart_host_tls: Option<Tls>,
    /// Trust the certificates of this file (PEM) there, instead of those of the system
    #[arg(long, value_name = "FILE", help_heading = "Other servers")]
    pub(crate) smart_host_ca: Option<PathBuf>,
    /// Send mail of a domain to a server of its own, as example.net=10.0.0.1:25. May be repeated
    #[arg(long, value_name = "DOMAIN=SERVER", help_heading = "Other servers")]
    pub(crate) route: Vec<String>,
    /// Accept mail for this domain from anyone, and pass it on: for whose mail this is a second server. May be repeated
    #[arg(long, value_name = "DOMAIN", help_heading = "Other servers")]
    pub(crate) relay_domain: Vec<String>,
    /// Who may send mail to other domains without a login, as 192.168.0.0/16. By default nobody. May be repeated
    #[arg(long, value_name = "SUBNET", help_heading = "Other servers")]
    pub(crate) relay_from: Vec<Network>,
    /// Addresses that mail may be sent to though they are private, and only the DNS or an address literal names them, as 10.0.0.0/8. By
    /// default none; a route and the smart host need no permission. May be repeated
    #[arg(long, value_name = "SUBNET", help_heading = "Other servers")]
    pub(crate) relay_to: Vec<Network>,
    /// Send mail of this domain over TLS only, also if that means that it is returned in the end. May be repeated
    #[arg(long, value_name = "DOMAIN", help_heading = "Other servers")]
    pub(crate) tls_required: Vec<String>,
    /// An address of this server that its interfaces do not have, as the public one of a router with NAT in front of it: mail is not
    /// sent there, since it would come back. May be repeated
    #[arg(long, value_name = "ADDRESS", help_heading = "Other servers")]
    pub(crate) own_address: Vec<IpAddr>,
    /// The longest message
    #[arg(long, default_value_t = Size(MESSAGE_MAX), value_name = "SIZE")]
    pub(crate) message_max: Size,
    /// The most recipients of a message
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) recipients_max: usize,
    /// The most senders and recipients of a client without a login that are refused, as those without a mailbox, before a message of it is
    /// accepted; then it is disconnected
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) refusals_max: usize,
    /// The most commands without a message (HELO, EHLO, RSET, NOOP, HELP, VRFY) before a message of the client is accepted; then it is
    /// disconnected
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) idle_commands_max: usize,
    /// How often the files of users and aliases are looked at; those that have changed are read again. SIGHUP reads all at once
    #[arg(long, default_value_t = Interval::seconds(5), value_name = "DURATION")]
    pub(crate) watch: Interval,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            hostname: None,
            domain: Vec::new(),
            mailboxes: None,
            users: None,
            login_program: None,
            failed_logins: FailedLogins::default(),
            aliases: None,
            alias_programs: false,
            postmaster: None,
            quota: None,
            submission: Vec::new(),
            submissions: Vec::new(),
            lmtp: Vec::new(),
            pop3: Vec::new(),
            pop3s: Vec::new(),
            imap: Vec::new(),
            imaps: Vec::new(),
            cert: None,
            key: None,
            control: Vec::new(),
            queue: None,
            retry_first: Interval::seconds(15 * 60),
            retry_max: Interval::seconds(4 * 3600),
            expiry: Interval::seconds(5 * 86400),
            delay_warning: None,
            smart_host: None,
            smart_host_user: None,
            smart_host_password_file: None,
            smart_host_tls: None,
            smart_host_ca: None,
            route: Vec::new(),
            relay_domain: Vec::new(),
            relay_from: Vec::new(),
            relay_to: Vec::new(),
            tls_required: Vec::new(),
            own_address: Vec::new(),
            message_max: Size(MESSAGE_MAX),
            recipients_max: 100,
            refusals_max: 20,
            idle_commands_max: 100,
            watch: Interval::seconds(5),
        }
    }
}

impl ServerCommand for Mail {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        self.check().map_err(StartError::other)?;
        let reactor = context.reactor();
        let hostname = self.name_of_host();
        let certificate = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some(Certificate::read(cert.clone(), key.clone())?),
            _ => None,
        };
        let names = Names::default();
        if let Some(path) = &self.users {
            users_file::warn(context, path);
            names.replace(
                names::read(path).map_err(|error| {
                    StartError::other(format!("{}: {error}", Excerpt::path(path)))
                })?,
            );
        }
        let passwords = self.users.as_ref().map(PasswordFile::open).transpose();
        let passwords = passwords.map_err(StartError::other)?.map(Rc::new);
        let checker = self.checker(passwords.as_ref())?;
        let sessions = Sessions::default();
        let store = self.store(&hostname)?;
        let router = self.router(&hostname, &names, &store)?;
        let refusals = Refusals::new(router.clone(), &self.domains(&hostname));
        if context.is_check() {
            refusals.check(context);
        }
        let relay = outgoing::relay(self, reactor, &hostname)?;
        let sources = Sources {
            names,
            users: self.users.clone(),
            passwords,
            sessions: sessions.clone(),
            router: router.clone(),
            refusals,
            aliases: self.aliases.clone(),
            rules: domains::alias_rules(self.alias_programs),
            certificate: certificate.as_ref().map(Certificate::reloader),
            every: self.watch.0,
        };
        let logins = AuthenticatorConfig::default().limiter(self.failed_logins.limiter());
        let authenticator = Authenticator::with(Rc::clone(&checker), logins);
        let parts = Parts {
            hostname,
            certificate,
            checker,
            authenticator,
            sessions,
            store,
            router,
            relay,
            sources,
        };
        MailService::make(self, context, parts).map(|service| Box::new(service) as Box<dyn Service>)
    }

    /// There is one queue.
    fn on_all_reactors(&self) -> bool {
        false
    }

    /// Users set their programs up with the name of the host, whatever the domain of their addresses is (RFC 7817 3).
    fn tls(&self, listen: &[Endpoint]) -> TlsUse {
        let hostname = self.name_of_host();
        let wanted = || [Wanted::new("hostname", &hostname)];
        let ports = [&self.submissions, &self.submission, &self.pop3s, &self.pop3];
        let ports = ports.into_iter().chain([&self.imaps, &self.imap]).map(Vec::as_slice);
        let tls = ports.fold(TlsUse::default().endpoints(listen, wanted()), |tls, endpoints| {
            tls.endpoints(endpoints, wanted())
        });
        tls.endpoints(&self.lmtp, None).file(self.cert.as_ref(), wanted())
    }
}

impl Mail {
    /// What is missing, and what does not go together.
    fn check(&self) -> Result<(), String> {
        let missing = [
            ("mailboxes", self.mailboxes.is_none(), "the folder with the mailboxes"),
            ("queue", self.queue.is_none(), "the folder of the queue"),
            ("postmaster", self.postmaster.is_none(), "who receives the mail for postmaster"),
            (
                "users",
                self.users.is_none() && self.login_program.is_none(),
                "the users, or a program for logins",
            ),
        ];
        if let Some((key, _, what)) = missing.iter().find(|(_, is_missing, _)| *is_missing) {
            return Err(format!("{key} is missing: {what}"));
        }
        if self.users.is_some() && self.login_program.is_some() {
            return Err("the users are in a file, or a program knows them, not both".to_owned());
        }
        if self.cert.is_some() != self.key.is_some() {
            return Err("cert and key go together".to_owned());
        }
        let has_plain = [&self.submission, &self.pop3, &self.imap].iter().any(|at| !at.is_empty());
        if has_plain && self.cert.is_none() {
            return Err("there is no login without TLS: give cert and key".to_owned());
        }
        if self.smart_host_user.is_some() != self.smart_host_password_file.is_some() {
            return Err("smart_host_user and smart_host_password_file go together".to_owned());
        }
        let of_smart_host = self.smart_host_user.is_some()
            || self.smart_host_tls.is_some()
            || self.smart_host_ca.is_some();
        if self.smart_host.is_none() && of_smart_host {
            return Err("there is no smart_host to log in to, or to begin TLS with".to_owned());
        }
        if self.alias_programs && self.aliases.is_none() {
            return Err("alias_programs is for aliases, and there are none".to_owned());
        }
        Ok(())
    }

    fn name_of_host(&self) -> String {
        let of_system = || unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let name = self.hostname.clone().or_else(of_system);
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
    }

    /// Those whose mail is delivered here.
    fn domains(&self, hostname: &str) -> Vec<String> {
        match self.domain.is_empty() {
            true => vec![hostname.to_owned()],
            false => self.domain.clone(),
        }
    }

    fn checker(&self, users: Option<&Rc<PasswordFile>>) -> Result<Rc<dyn Checker>, StartError> {
        match (users, &self.login_program) {
            (Some(users), _) => Ok(Rc::<PasswordFile>::clone(users)),
            (None, Some(program)) => {
                let program = program.clone();
                Ok(Rc::new(Program::new(move || Command::new(&program))))
            }
            (None, None) => Err(StartError::other("there are no users")),
        }
    }

    fn store(&self, hostname: &str) -> Result<Rc<dyn Store>, StartError> {
        let limits =
            StoreLimits::default().message_len_max(self.message_max.0.saturating_add(65_536));
        let limits = match self.quota {
            Some(quota) => limits.quota_bytes(quota.0),
            None => limits,
        };
        // Only those in the file of users receive mail or log in.
        let config = MaildirConfig::default()
            .limits(limits)
            .host_name(hostname)
            .create_accounts(self.users.is_some());
        let folder = self.mailboxes.clone().unwrap_or_default();
        Ok(Rc::new(MaildirStore::new(folder, config)))
    }

    fn router(
        &self,
        hostname: &str,
        names: &Names,
        store: &Rc<dyn Store>,
    ) -> Result<Router, StartError> {
        let users = self.users.is_some().then(|| names.clone());
        domains::router(self, hostname, users, store)
    }

    /// Who may send what through the port of other servers.
    fn exchanger(&self) -> Rules {
        let networks = self.relay_from.iter().map(|network| network.0);
        let rules = Rules::exchanger().networks(networks);
        self.relay_domain.iter().fold(rules, |rules, domain| rules.relay_domain(domain))
    }
}

/// A failure of a part that is used by other commands, too.
fn of_failure(failure: &Failure) -> StartError {
    StartError::other(failure.to_string())
}
