//! `sinew xmpp`: a whole server of XMPP for one domain: accounts, rooms, components, uploads over HTTP.
//!
//! | file | |
//! |---|---|
//! | `service.rs` | the service: its ports, what happens at its start and its end |
//! | `opening.rs`, `open_server.rs` | the storage is opened by one process at a time; the server, once that is done |
//! | `sources.rs` | files that are read again |
//! | `archive_sweep.rs` | archives of messages, whose limits are also those of accounts that nobody uses |
//! | `upload_site.rs`, `upload_folder.rs` | uploads: over HTTP, and in their folder |

mod archive_sweep;
mod open_server;
mod opening;
mod service;
mod sources;
mod upload_folder;
mod upload_site;

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    auth::{Authenticator, AuthenticatorConfig, PasswordFile},
    chat::xmpp::{
        codec::{Jid, XmlLimits},
        server::{
            ServerConfig,
            archive::{ArchiveConfig, FolderArchive},
            components::ComponentsConfig,
            upload::UploadConfig,
        },
    },
    reactor::Excerpt,
};

use super::{failed_logins::FailedLogins, ports::Certificate, secret_file::secret};
use crate::{
    arguments::{Endpoint, endpoints},
    quantity::{Interval, Size},
    run::{Context, ServerCommand, TlsUse, Wanted},
};
use service::XmppService;
use sources::Accounts;

/// A message is archived if it takes a quarter at most.
const ARCHIVE_SIZE_MIN: u64 = 64 << 10;

/// RFC 6120 13.12: a limit is not smaller than this.
const STANZA_MAX_MIN: u64 = 10_000;

/// The arguments of `sinew xmpp`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Xmpp {
    /// The domain: the addresses of the users are NAME@DOMAIN
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// The folder with the accounts, the rooms and the uploads
    #[arg(long, value_name = "DIR")]
    pub(crate) storage: Option<PathBuf>,
    /// The users: a file with a line NAME:HASH for each, which `sinew password` makes; names are in small letters. With hashes of
    /// `htpasswd -B`, clients have to send passwords, over TLS
    #[arg(long, value_name = "FILE", help_heading = "Logins")]
    pub(crate) users: Option<PathBuf>,
    /// After how many failed logins an address, and a user, is refused, and within which time; none is no limit. Many addresses together can
    /// keep a user out
    #[arg(long, default_value_t = FailedLogins::default(), value_name = "ADDRESS/USER/TIME", help_heading = "Logins")]
    pub(crate) failed_logins: FailedLogins,
    /// Let clients log in over connections that are not encrypted
    #[arg(long, help_heading = "Logins")]
    pub(crate) plaintext_logins: bool,
    /// Most resources, which are clients, of an account
    #[arg(long, default_value_t = 10, value_name = "N", help_heading = "Logins")]
    pub(crate) resources_max: usize,
    /// How long a client may be away without losing its session; 0 for not at all
    #[arg(long, default_value_t = Interval::seconds(300), value_name = "DURATION", help_heading = "Logins")]
    pub(crate) resume_within: Interval,
    /// Where clients connect with TLS from the start, as tcp:5223. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Ports")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) direct_tls: Vec<Endpoint>,
    /// The certificate of the domain with its chain (PEM). SIGHUP reads it again
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Ports")]
    pub(crate) cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Ports")]
    pub(crate) key: Option<PathBuf>,
    /// A component: its domain, and a file whose first line is its secret, as irc.example.org=/etc/sinew/irc.secret. May be repeated
    #[arg(long, value_name = "DOMAIN=FILE", help_heading = "Ports")]
    pub(crate) component: Vec<String>,
    /// Where components connect, as tcp:127.0.0.1:5347, which is not encrypted. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "Ports")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) component_port: Vec<Endpoint>,
    /// The domain of the rooms; by default rooms.DOMAIN
    #[arg(long, value_name = "DOMAIN", help_heading = "Rooms")]
    pub(crate) rooms: Option<String>,
    /// Have no rooms
    #[arg(long, conflicts_with = "rooms", help_heading = "Rooms")]
    pub(crate) no_rooms: bool,
    /// Let clients upload files. The address below which they are found, as https://files.example.org/upload
    #[arg(long, value_name = "URL", help_heading = "Uploads")]
    pub(crate) upload_url: Option<String>,
    /// The domain of that service; by default upload.DOMAIN
    #[arg(long, value_name = "DOMAIN", requires = "upload_url", help_heading = "Uploads")]
    pub(crate) upload_domain: Option<String>,
    /// Where they are uploaded and downloaded over HTTPS, with the same certificate, as tcp:5443. May be repeated
    #[arg(long, value_name = "ENDPOINT", requires = "upload_url", help_heading = "Uploads")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) upload_https: Vec<Endpoint>,
    /// Where that is done over HTTP, for a proxy that has the certificate of the address, as tcp:127.0.0.1:5280. May be repeated
    #[arg(long, value_name = "ENDPOINT", requires = "upload_url", help_heading = "Uploads")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) upload_http: Vec<Endpoint>,
    /// The largest file
    #[arg(long, default_value_t = Size(10 << 20), value_name = "SIZE", help_heading = "Uploads")]
    pub(crate) upload_max: Size,
    /// How much an account may upload in a day
    #[arg(long, default_value_t = Size(100 << 20), value_name = "SIZE", help_heading = "Uploads")]
    pub(crate) upload_per_day: Size,
    /// How much all files may take, each with 12 KiB beside its bytes. More is refused
    #[arg(long, default_value_t = Size(10 << 30), value_name = "SIZE", help_heading = "Uploads")]
    pub(crate) upload_total: Size,
    /// How long a file is kept
    #[arg(long, default_value_t = Interval::seconds(30 * 86_400), value_name = "DURATION", help_heading = "Uploads")]
    pub(crate) upload_keep: Interval,
    /// Keep the messages of the accounts, so that their clients can read them again
    #[arg(long, help_heading = "Archive")]
    pub(crate) archive: bool,
    /// Most messages of an account that are kept
    #[arg(long, default_value_t = 10_000, value_name = "N", help_heading = "Archive")]
    pub(crate) archive_max: usize,
    /// How much of the messages of an account is kept
    #[arg(long, default_value_t = Size(16 << 20), value_name = "SIZE", help_heading = "Archive")]
    pub(crate) archive_size: Size,
    /// How long they are kept
    #[arg(long, default_value_t = Interval::seconds(30 * 86_400), value_name = "DURATION", help_heading = "Archive")]
    pub(crate) archive_keep: Interval,
    /// The longest message, or other stanza
    #[arg(long, default_value_t = Size(256 << 10), value_name = "SIZE")]
    pub(crate) stanza_max: Size,
    /// Most contacts of an account
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    pub(crate) roster_max: usize,
    /// Most messages that wait for an account without clients
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) offline_max: usize,
    /// Drop a client for which so much waits to be sent: one that does not read
    #[arg(long, default_value_t = Size(4 << 20), value_name = "SIZE")]
    pub(crate) max_unread: Size,
    /// How much may wait for all clients together, offline messages included. With more, those go for which most waits
    #[arg(long, default_value_t = Size(256 << 20), value_name = "SIZE")]
    pub(crate) max_unread_total: Size,
    /// How often the file of users is looked at; it is read again when it has changed. SIGHUP does that at once
    #[arg(long, default_value_t = Interval::seconds(5), value_name = "DURATION")]
    pub(crate) watch: Interval,
}

impl Default for Xmpp {
    fn default() -> Self {
        Self {
            domain: None,
            storage: None,
            users: None,
            failed_logins: FailedLogins::default(),
            plaintext_logins: false,
            resources_max: 10,
            resume_within: Interval::seconds(300),
            direct_tls: Vec::new(),
            cert: None,
            key: None,
            component: Vec::new(),
            component_port: Vec::new(),
            rooms: None,
            no_rooms: false,
            upload_url: None,
            upload_domain: None,
            upload_https: Vec::new(),
            upload_http: Vec::new(),
            upload_max: Size(10 << 20),
            upload_per_day: Size(100 << 20),
            upload_total: Size(10 << 30),
            upload_keep: Interval::seconds(30 * 86_400),
            archive: false,
            archive_max: 10_000,
            archive_size: Size(16 << 20),
            archive_keep: Interval::seconds(30 * 86_400),
            stanza_max: Size(256 << 10),
            roster_max: 2_000,
            offline_max: 100,
            max_unread: Size(4 << 20),
            max_unread_total: Size(256 << 20),
            watch: Interval::seconds(5),
        }
    }
}

impl ServerCommand for Xmpp {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        self.check().map_err(StartError::other)?;
        XmppService::make(self, context).map(|service| Box::new(service) as Box<dyn Service>)
    }

    /// There is one domain.
    fn on_all_reactors(&self) -> bool {
        false
    }

    fn files(&self) -> Vec<PathBuf> {
        self.component
            .iter()
            .filter_map(|text| text.split_once('='))
            .map(|(_, file)| file.into())
            .collect()
    }

    /// Clients connect to the domain (RFC 6120 13.7.2.1), and to the host of uploads. They reach rooms, and the other domains of the server,
    /// through that connection.
    fn tls(&self, listen: &[Endpoint]) -> TlsUse {
        let domain = || [Wanted::new("domain", self.domain())];
        let host = self.upload_url.as_deref().and_then(upload_host);
        let host = host.map(|host| Wanted::new("upload_url", host));
        let uses_host =
            self.upload_https.iter().any(|endpoint| endpoint.endpoint.identities().is_empty());
        let of_file = domain().into_iter().chain(host.clone().filter(|_| uses_host));
        TlsUse::default()
            .endpoints(listen, domain())
            .endpoints(&self.direct_tls, domain())
            .endpoints(&self.upload_https, host)
            .endpoints(&self.upload_http, None)
            .endpoints(&self.component_port, None)
            .file(self.cert.as_ref(), of_file)
    }
}

impl Xmpp {
    /// What is missing, and what does not go together.
    fn check(&self) -> Result<(), String> {
        let missing = [
            ("domain", self.domain.is_none(), "the domain of the addresses"),
            ("storage", self.storage.is_none(), "the folder with the accounts"),
            ("users", self.users.is_none(), "who may log in"),
        ];
        if let Some((key, _, what)) = missing.iter().find(|(_, is_missing, _)| *is_missing) {
            return Err(format!("{key} is missing: {what}"));
        }
        if self.cert.is_some() != self.key.is_some() {
            return Err("cert and key go together".to_owned());
        }
        if self.cert.is_none() && !self.plaintext_logins {
            return Err(
                "there is no login without TLS: give cert and key, or plaintext_logins".to_owned()
            );
        }
        self.check_limits()?;
        if self.component.is_empty() != self.component_port.is_empty() {
            return Err("component and component_port go together".to_owned());
        }
        if self.no_rooms && self.rooms.is_some() {
            return Err("there is a domain of rooms, or there are no_rooms, not both".to_owned());
        }
        let has_upload_port = !self.upload_https.is_empty() || !self.upload_http.is_empty();
        match (&self.upload_url, has_upload_port) {
            (Some(_), false) => {
                Err("upload_url needs upload_https or upload_http: where files are uploaded"
                    .to_owned())
            }
            (None, true) => {
                Err("upload_url is missing: the address of uploads, as clients see it".to_owned())
            }
            (None, false) if self.upload_domain.is_some() => {
                Err("upload_domain is for uploads, and there is no upload_url".to_owned())
            }
            (Some(url), true) if upload_path(url).is_none() => Err(format!(
                "upload_url: {:?} is no address: it begins with https:// or http://, and has no query",
                Excerpt::new(url)
            )),
            _ => Ok(()),
        }
    }

    /// With less, nobody could use the server.
    fn check_limits(&self) -> Result<(), String> {
        if self.stanza_max.0 < STANZA_MAX_MIN {
            return Err(format!(
                "stanza_max: a server takes stanzas of {STANZA_MAX_MIN} bytes at least"
            ));
        }
        if self.max_unread.0 < self.stanza_max.0 {
            return Err("max_unread: less than stanza_max".to_owned());
        }
        if self.max_unread_total.0 < self.max_unread.0 {
            return Err("max_unread_total: less than max_unread".to_owned());
        }
        if self.resources_max == 0 {
            return Err("resources_max: nobody could log in".to_owned());
        }
        if self.archive && self.archive_max == 0 {
            return Err("archive_max: nothing could be kept; leave archive out".to_owned());
        }
        if self.archive && self.archive_size.0 < ARCHIVE_SIZE_MIN {
            return Err(format!("archive_size: less than {}", Size(ARCHIVE_SIZE_MIN)));
        }
        Ok(())
    }

    fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or_default()
    }

    fn storage(&self) -> &Path {
        self.storage.as_deref().unwrap_or(Path::new(""))
    }

    /// The domain of rooms, if there are any.
    fn rooms_domain(&self) -> Result<Option<Jid>, StartError> {
        let default = || format!("rooms.{}", self.domain());
        let domain = (!self.no_rooms).then(|| self.rooms.clone().unwrap_or_else(default));
        domain.map(|domain| domain_of("rooms", &domain)).transpose()
    }

    /// The domain of uploads, if there are any.
    fn upload_domain(&self) -> Result<Option<Jid>, StartError> {
        let default = || format!("upload.{}", self.domain());
        let domain =
            self.upload_url.is_some().then(|| self.upload_domain.clone().unwrap_or_else(default));
        domain.map(|domain| domain_of("upload_domain", &domain)).transpose()
    }

    /// Each domain is that of one thing.
    fn check_domains(&self) -> Result<(), StartError> {
        let mut known = vec![domain_of("domain", self.domain())?];
        let rooms = self.rooms_domain()?.map(|domain| ("rooms", domain));
        let uploads = self.upload_domain()?.map(|domain| ("upload_domain", domain));
        let mut more: Vec<_> = rooms.into_iter().chain(uploads).collect();
        for (domain, _) in self.component.iter().filter_map(|text| text.split_once('=')) {
            more.push(("component", domain_of("component", domain)?));
        }
        for (key, domain) in more {
            if known.contains(&domain) {
                return Err(StartError::other(format!(
                    "{key}: {domain} is the domain of something else already"
                )));
            }
            known.push(domain);
        }
        Ok(())
    }

    fn certificate(&self) -> Result<Option<Certificate>, StartError> {
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Certificate::read(cert.clone(), key.clone()).map(Some),
            _ => Ok(None),
        }
    }

    fn components(&self) -> Result<ComponentsConfig, StartError> {
        let xml = self.xml();
        let mut config = ComponentsConfig::default().xml(xml);
        for text in &self.component {
            let wrong = |why: &str| {
                StartError::other(format!("component: {:?}: {why}", Excerpt::new(text)))
            };
            let (domain, file) = text
                .split_once('=')
                .ok_or_else(|| wrong("write a domain, = and the file of its secret"))?;
            let secret = secret(Path::new(file))?;
            config = config
                .component(domain, secret.as_str())
                .map_err(|error| wrong(&error.to_string()))?;
        }
        Ok(config)
    }

    fn xml(&self) -> XmlLimits {
        XmlLimits::default().stanza_max(usize::try_from(self.stanza_max.0).unwrap_or(usize::MAX))
    }

    /// The configuration without store and services, which are opened later.
    fn config(
        &self,
        context: &Context,
        users: Rc<PasswordFile>,
        accounts: &Accounts,
    ) -> Result<ServerConfig, StartError> {
        let rules = AuthenticatorConfig::default()
            .allow_plaintext(self.plaintext_logins)
            .limiter(self.failed_logins.limiter());
        let config = ServerConfig::new(self.domain(), Authenticator::with(users, rules)).map_err(
            |error| {
                StartError::other(format!("domain: {:?}: {error}", Excerpt::new(self.domain())))
            },
        )?;
        let accounts = accounts.clone();
        let mut config = config
            .has_account(move |name| accounts.has(name))
            .requires_tls(!self.plaintext_logins)
            .xml(self.xml())
            .resources_max(self.resources_max)
            .resume_within(self.resume_within.0)
            .roster_max(self.roster_max)
            .offline_max(self.offline_max)
            .send_queue_max(usize::try_from(self.max_unread.0).unwrap_or(usize::MAX))
            .unread_total_max(usize::try_from(self.max_unread_total.0).unwrap_or(usize::MAX));
        if let Some(Interval(timeout)) = context.limits().idle_timeout {
            config = config.ping_after(timeout);
        }
        if let Some(max) = context.limits().max_connections {
            config = config.connections_max(max);
        }
        Ok(config)
    }

    /// The limits of archives, if there are any.
    fn archive_config(&self, store: FolderArchive) -> ArchiveConfig {
        ArchiveConfig::new(store)
            .messages_max(self.archive_max)
            .bytes_max(self.archive_size.0)
            .age_max(Some(self.archive_keep.0))
    }

    fn upload_config(&self, config: UploadConfig) -> UploadConfig {
        config.size_max(self.upload_max.0).bytes_per_day(self.upload_per_day.0)
    }
}

fn domain_of(key: &str, text: &str) -> Result<Jid, StartError> {
    let wrong = |why: &dyn std::fmt::Display| {
        StartError::other(format!("{key}: {:?}: {why}", Excerpt::new(text)))
    };
    let jid: Jid = text.parse().map_err(|error| wrong(&error))?;
    match jid == jid.of_domain() {
        true => Ok(jid),
        false => Err(wrong(&"it is no domain")),
    }
}

/// The path of an address, without a slash at its end; `None` if it is no address of the web.
fn upload_path(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let is_good = !rest.starts_with('/')
        && rest.bytes().all(|byte| byte.is_ascii_graphic())
        && !rest.contains(['?', '#', '{', '}', '%', '\\'])
        && !rest.is_empty();
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    is_good.then(|| path.trim_end_matches('/'))
}

/// The host of an address of HTTPS, a name or an IP address, without a port.
fn upload_host(url: &str) -> Option<&str> {
    let authority = url.strip_prefix("https://")?.split('/').next()?;
    let host = authority.rsplit('@').next()?;
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => host.split(':').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_addresses() {
        for (url, expected) in [
            ("https://files.example.org", Some("files.example.org")),
            ("https://files.example.org:5443/upload", Some("files.example.org")),
            ("https://192.0.2.7/a", Some("192.0.2.7")),
            ("https://[2001:db8::7]:5443/a", Some("2001:db8::7")),
            ("https://ann@files.example.org/a@b", Some("files.example.org")),
            ("http://files.example.org", None),
        ] {
            assert_eq!(upload_host(url), expected, "{url}");
        }
    }

    #[test]
    fn paths_of_addresses() {
        for (url, expected) in [
            ("https://files.example.org", Some("")),
            ("https://files.example.org/", Some("")),
            ("http://localhost:8080/a/b/", Some("/a/b")),
            ("files.example.org", None),
            ("https://", None),
            ("https:///x", None),
            ("https://x/a?b", None),
            ("https://x/ a", None),
        ] {
            assert_eq!(upload_path(url), expected, "{url}");
        }
    }
}
