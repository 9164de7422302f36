//! `sinew news`: a news server on a spool, which feeds others.
//!
//! | file | |
//! |---|---|
//! | `values.rs` | values of the options, pure |
//! | `access.rs` | who may read, post and feed |
//! | `service.rs` | the service: opens the spool, feeds peers, removes old articles |

mod access;
mod service;
mod values;

use std::path::PathBuf;

use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    auth::{Authenticator, AuthenticatorConfig, Sessions},
    news::nntp::{codec::ArticleLimits, server::ServerConfig},
    transports::tls::{Identity, TlsServerConfig},
};

use super::{dns::Network, failed_logins::FailedLogins, user_changes::UsersFile};
use crate::{
    arguments::Endpoint,
    quantity::{Interval, Size},
    run::{Context, ServerCommand, TlsUse, Wanted},
};
use access::Rights;
use service::{NewsService, Plan};
use values::{Group, Moderator, Peer};

/// The arguments of `sinew news`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct News {
    /// The folder of the spool, which is created if it is not there
    #[arg(value_name = "DIR", default_value = "news")]
    pub(crate) spool: PathBuf,
    /// The name of this server, in its greeting and in Path; no other server may have it
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true)]
    pub(crate) name: String,
    /// A group, which is created if it is not there, as misc.test, misc.news:m for a moderated one, or misc.test=DESCRIPTION. May be
    /// repeated
    #[arg(long, value_name = "GROUP", help_heading = "Articles")]
    pub(crate) newsgroup: Vec<Group>,
    /// Remove articles after so long
    #[arg(long, default_value_t = Interval::seconds(30 * 86_400), value_name = "DURATION", help_heading = "Articles")]
    pub(crate) keep: Interval,
    /// Longest article
    #[arg(long, default_value_t = Size(1_000_000), value_name = "BYTES", help_heading = "Articles")]
    pub(crate) max_article: Size,
    /// Who may read without a login, besides this machine, as 192.168.0.0/16. May be repeated
    #[arg(long, value_name = "SUBNET", help_heading = "Access")]
    pub(crate) read: Vec<Network>,
    /// Who may read and post without a login, besides this machine. May be repeated
    #[arg(long, value_name = "SUBNET", help_heading = "Access")]
    pub(crate) post: Vec<Network>,
    /// Servers that may send articles of others, by IHAVE, CHECK and TAKETHIS. May be repeated
    #[arg(long, value_name = "SUBNET", help_heading = "Access")]
    pub(crate) accept: Vec<Network>,
    /// Let in who is in this file, which `htpasswd -B` makes, to read and post. Names and passwords are asked for over TLS only. Who is
    /// removed from it, or has another password, loses the sessions
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    pub(crate) users: Option<PathBuf>,
    /// How often the file of users is looked at; it is read again if it has changed. SIGHUP reads it at once
    #[arg(long, default_value_t = Interval::seconds(5), value_name = "DURATION", help_heading = "Access")]
    pub(crate) watch: Interval,
    /// After how many failed logins an address, and a user, is refused, and within which time; none is no limit. Many addresses together can
    /// keep a user out
    #[arg(long, default_value_t = FailedLogins::default(), value_name = "ADDRESS/USER/TIME", help_heading = "Access")]
    pub(crate) failed_logins: FailedLogins,
    /// A user who may post articles with Approved to moderated groups, as ann, or ann=misc.* for some groups. May be repeated
    #[arg(long, requires = "users", value_name = "NAME", help_heading = "Access")]
    pub(crate) moderator: Vec<Moderator>,
    /// Offer STARTTLS, with this certificate (PEM)
    #[arg(long, requires = "key", value_name = "FILE", help_heading = "Access")]
    pub(crate) cert: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, requires = "cert", value_name = "FILE", help_heading = "Access")]
    pub(crate) key: Option<PathBuf>,
    /// Send articles on to a server, as news.example.net=tcp:news.example.net:119; its name is that in Path. May be repeated
    #[arg(long, value_name = "NAME=ENDPOINT", help_heading = "Feeds")]
    pub(crate) feed: Vec<Peer>,
    /// Send on articles of these groups only, as '*,!local.*'
    #[arg(long, default_value = "*", value_name = "WILDMAT", help_heading = "Feeds")]
    pub(crate) feed_groups: String,
    /// Compress what is sent on, to servers that offer it
    #[arg(long, help_heading = "Feeds")]
    pub(crate) feed_compress: bool,
}

impl Default for News {
    fn default() -> Self {
        Self {
            spool: "news".into(),
            name: String::new(),
            newsgroup: Vec::new(),
            keep: Interval::seconds(30 * 86_400),
            max_article: Size(1_000_000),
            read: Vec::new(),
            post: Vec::new(),
            accept: Vec::new(),
            users: None,
            watch: Interval::seconds(5),
            failed_logins: FailedLogins::default(),
            moderator: Vec::new(),
            cert: None,
            key: None,
            feed: Vec::new(),
            feed_groups: "*".to_owned(),
            feed_compress: false,
        }
    }
}

impl News {
    /// Of articles, as they arrive and as they are sent on.
    fn limits(&self) -> ArticleLimits {
        let bytes = usize::try_from(self.max_article.0).unwrap_or(usize::MAX);
        ArticleLimits::default().bytes_max(bytes)
    }

    fn config(&self, users: Option<&UsersFile>) -> Result<ServerConfig, StartError> {
        if self.name.is_empty() {
            return Err(StartError::other("name is missing: that of the server in Path"));
        }
        let mut config = ServerConfig::new(&self.name)
            .map_err(|error| StartError::other(format!("the name of the server: {error}")))?;
        config = config.article_limits(self.limits());
        if let Some(users) = users {
            let logins = AuthenticatorConfig::default().limiter(self.failed_logins.limiter());
            config = config.auth(Authenticator::with(users.passwords(), logins));
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let identity = Identity::from_pem_files(cert, key).map_err(StartError::other)?;
            config = config.starttls(TlsServerConfig::new(identity));
        }
        Ok(config)
    }
}

impl ServerCommand for News {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        if self.cert.is_some() != self.key.is_some() {
            return Err(StartError::other(
                "a certificate needs its key, and a key its certificate",
            ));
        }
        if !self.moderator.is_empty() && self.users.is_none() {
            return Err(StartError::other("moderator needs users: the file with their passwords"));
        }
        let feed_groups = self
            .feed_groups
            .parse()
            .map_err(|error| StartError::other(format!("the groups of feeds: {error}")))?;
        let users = self.users.as_ref().map(|file| UsersFile::open(context, "users", file));
        let users = users.transpose().map_err(StartError::other)?;
        let sessions = Sessions::default();
        let plan = Plan {
            spool: self.spool.clone(),
            config: self.config(users.as_ref())?.sessions(sessions.clone()),
            sessions,
            users,
            watch: self.watch.0,
            limits: self.limits(),
            rights: Rights::new(&self.read, &self.post, &self.accept, &self.moderator),
            groups: self.newsgroup.clone(),
            keep: self.keep.0,
            feeds: self.feed.clone(),
            feed_groups,
            compresses_feeds: self.feed_compress,
        };
        Ok(Box::new(NewsService::new(context, plan)?))
    }

    /// A spool is open once.
    fn on_all_reactors(&self) -> bool {
        false
    }

    fn tls(&self, listen: &[Endpoint]) -> TlsUse {
        let name = || [Wanted::new("name", &self.name)];
        TlsUse::default().endpoints(listen, name()).file(self.cert.as_ref(), name())
    }

    fn files(&self) -> Vec<PathBuf> {
        [&self.cert, &self.key].into_iter().flatten().cloned().collect()
    }
}
