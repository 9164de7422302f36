//! Where mail goes and how: [`Settings`], of the command line or of a file, with the same names. Reading and checking only.

use std::{
    env, fs,
    io::{self, Read},
    net::{IpAddr, Ipv6Addr},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sinew::{
    mail::smtp::client::Security,
    reactor::Excerpt,
    transports::endpoint::{ClientEndpoint, quote},
};

use crate::{
    destination::TlsOptions,
    exit::{Code, Failure},
    quantity::{Interval, Size},
};

/// The longest message, unless another limit is given.
const MESSAGE_MAX: u64 = 1 << 30;

/// The longest file of settings.
const FILE_MAX: u64 = 1 << 20;

/// The server, the login, and the names that are used.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The mail server: HOST, HOST:PORT, or an endpoint, as unix:/run/lmtp.sock. By default the port is 25, or 587 with --user, 465 with
    /// --tls implicit, 24 with --lmtp [default: localhost]
    #[arg(long, short = 's', value_name = "SERVER", help_heading = "Server")]
    pub(crate) server: Option<String>,
    /// Send the message to the mail servers of each recipient's domain (MX), instead of to one server
    #[arg(long, conflicts_with_all = ["server", "user", "lmtp"], help_heading = "Server")]
    pub(crate) to_domain: bool,
    /// Speak LMTP, in which the server replies for each recipient
    #[arg(long, help_heading = "Server")]
    pub(crate) lmtp: bool,
    /// The port, if --server does not say it; with --to-domain, that of all servers
    #[arg(long, value_name = "PORT", help_heading = "Server")]
    pub(crate) port: Option<u16>,
    /// When TLS is used. By default it is required, and begins with STARTTLS, or with the connection at port 465. Not for a server on
    /// this machine, and with --to-domain only if it is offered
    #[arg(long, value_enum, value_name = "WHEN", help_heading = "TLS")]
    pub(crate) tls: Option<Tls>,
    /// Trust the certificates of this file (PEM) instead of those of the system
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) ca: Option<PathBuf>,
    /// The name that the certificate has to be for; by default the host's
    #[arg(long, value_name = "NAME", help_heading = "TLS")]
    pub(crate) server_name: Option<String>,
    /// Do not verify the certificate: anyone on the path can read and change what is sent
    #[arg(long, conflicts_with = "ca", help_heading = "TLS")]
    pub(crate) insecure: bool,
    /// Log in with this name. The password is asked for, unless a file or a variable has it
    #[arg(long, short = 'u', value_name = "NAME", help_heading = "Login")]
    pub(crate) user: Option<String>,
    /// The file whose first line is the password. Only its owner may read it
    #[arg(long, value_name = "FILE", requires = "user", help_heading = "Login")]
    pub(crate) password_file: Option<PathBuf>,
    /// The variable of the environment that has the password
    #[arg(
        long,
        value_name = "NAME",
        requires = "user",
        conflicts_with = "password_file",
        help_heading = "Login"
    )]
    pub(crate) password_env: Option<String>,
    /// From whom the message is: who is told if it cannot be delivered. <> or an empty word for nobody. By default the author in the
    /// header, else the user of this process
    #[arg(long, short = 'f', short_alias = 'r', value_name = "ADDRESS")]
    pub(crate) from: Option<String>,
    /// The domain of addresses that have none; by default the host name
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// The name that is said to the server; by default the host name
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    pub(crate) hostname: Option<String>,
    /// How long the connection and each reply may take; by default as long as RFC 5321 says, which is minutes. The reply to the whole
    /// message may take ten minutes in any case
    #[arg(long, value_name = "DURATION", help_heading = "Server")]
    pub(crate) timeout: Option<Interval>,
    /// The longest message [default: 1G]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<Size>,
}

/// When a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tls {
    /// With STARTTLS, which the server has to offer
    Starttls,
    /// From the start
    Implicit,
    /// With STARTTLS if the server offers it
    IfOffered,
    /// Never
    None,
}

/// The server of the settings.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) endpoint: ClientEndpoint,
    pub(super) security: Security,
}

impl Settings {
    /// These, or, if they name no server, those of the file: the one that is given, else the user's, else the system's. What these say
    /// besides takes the place of what the file says.
    pub(super) fn or_of_file(self, given: Option<&Path>) -> Result<Self, Failure> {
        if self.server.is_some() || self.to_domain {
            return Ok(self);
        }
        let candidates = match given {
            Some(path) => vec![path.to_owned()],
            None => default_files(),
        };
        for path in candidates {
            match read(&path) {
                Ok(Some(file)) => return self.over(file).checked(&path),
                Ok(None) if given.is_none() => {}
                Ok(None) => {
                    let why = format!("{} does not exist", Excerpt::path(&path));
                    return Err(Failure::new(Code::NoInput, why));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(self)
    }

    /// What these do not say is as in `file`.
    fn over(self, file: Self) -> Self {
        let has_password = self.password_file.is_some() || self.password_env.is_some();
        Self {
            server: self.server.or(file.server),
            to_domain: self.to_domain || file.to_domain,
            lmtp: self.lmtp || file.lmtp,
            port: self.port.or(file.port),
            tls: self.tls.or(file.tls),
            ca: self.ca.or(file.ca),
            server_name: self.server_name.or(file.server_name),
            insecure: self.insecure || file.insecure,
            user: self.user.or(file.user),
            password_file: self.password_file.or(file.password_file.filter(|_| !has_password)),
            password_env: self.password_env.or(file.password_env.filter(|_| !has_password)),
            from: self.from.or(file.from),
            domain: self.domain.or(file.domain),
            hostname: self.hostname.or(file.hostname),
            timeout: self.timeout.or(file.timeout),
            max_size: self.max_size.or(file.max_size),
        }
    }

    /// What clap checks for the command line.
    fn checked(self, path: &Path) -> Result<Self, Failure> {
        let has_password = self.password_file.is_some() || self.password_env.is_some();
        let wrong = match () {
            () if self.to_domain && (self.server.is_some() || self.user.is_some() || self.lmtp) => {
                "to_domain does not go together with server, user and lmtp"
            }
            () if self.insecure && self.ca.is_some() => "insecure and ca contradict each other",
            () if self.password_file.is_some() && self.password_env.is_some() => {
                "the password is in a file or in a variable, not in both"
            }
            () if has_password && self.user.is_none() => "a password is of no use without user",
            () => return Ok(self),
        };
        Err(Failure::new(Code::Config, format!("{}: {wrong}", Excerpt::path(path))))
    }

    pub(super) fn message_max(&self) -> u64 {
        self.max_size.map_or(MESSAGE_MAX, |size| size.0)
    }

    /// The options of TLS.
    pub(super) fn tls_options(&self, tls: bool) -> TlsOptions {
        let Self { ca, server_name, insecure, .. } = self.clone();
        TlsOptions { tls, ca, server_name, insecure }
    }

    /// When STARTTLS is used for the servers of domains.
    pub(super) fn security_of_domains(&self) -> Result<Security, Failure> {
        match self.tls {
            None | Some(Tls::IfOffered) => Ok(Security::IfOffered),
            Some(Tls::Starttls) => Ok(Security::Required),
            Some(Tls::None) => Ok(Security::None),
            Some(Tls::Implicit) => {
                Err(Failure::new(Code::Usage, "the mail servers of domains begin without TLS"))
            }
        }
    }

    /// The server.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        let text = self.server.as_deref().unwrap_or("localhost");
        let kind = text.split_once(':').map_or("", |(kind, _)| kind);
        let (endpoint, tls) = match kind {
            "tls" => (text.to_owned(), self.tls.unwrap_or(Tls::Implicit)),
            "unix" | "process" | "fd" | "stdio" => (text.to_owned(), self.tls.unwrap_or(Tls::None)),
            _ => self.of_host(text.strip_prefix("tcp:").unwrap_or(text))?,
        };
        let is_implicit = tls == Tls::Implicit;
        if kind == "tls" && !is_implicit {
            return Err(Failure::new(Code::Usage, "an endpoint with tls: is TLS from the start"));
        }
        let endpoint = match is_implicit {
            true => self.tls_options(true).endpoint(&endpoint)?,
            false => TlsOptions::default().endpoint(&endpoint)?,
        };
        let security = match tls {
            Tls::Starttls => Security::Required,
            Tls::IfOffered => Security::IfOffered,
            Tls::Implicit | Tls::None => Security::None,
        };
        Ok(Place { endpoint, security })
    }

    /// An endpoint of TCP, and when TLS is used.
    fn of_host(&self, text: &str) -> Result<(String, Tls), Failure> {
        let wrong = || {
            let why = format!("{:?} is no server; write HOST or HOST:PORT", Excerpt::new(text));
            Failure::new(Code::Usage, why)
        };
        // What follows a port are options of the endpoint.
        let (host, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            None if text.parse::<Ipv6Addr>().is_ok() => (text, ""),
            None => text.split_once(':').unwrap_or((text, "")),
        };
        let (port, options) = rest.split_once(':').unwrap_or((rest, ""));
        let port = match port {
            "" => self.port,
            port => Some(port.parse().map_err(|_| wrong())?),
        };
        if host.is_empty() {
            return Err(wrong());
        }
        let by_default = match port {
            Some(465) => Tls::Implicit,
            _ if is_local(host) => Tls::None,
            _ => Tls::Starttls,
        };
        let tls = self.tls.unwrap_or(by_default);
        let port = port.unwrap_or(match () {
            () if tls == Tls::Implicit => 465,
            () if self.lmtp => 24,
            () if self.user.is_some() => 587,
            () => 25,
        });
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => quote(host).to_string(),
        };
        let options = if options.is_empty() { String::new() } else { format!(":{options}") };
        Ok((format!("tcp:{host}:{port}{options}"), tls))
    }
}

/// Whether a host is this machine.
fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The files that are looked for, in this order.
fn default_files() -> Vec<PathBuf> {
    let user = match env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty()) {
        Some(path) => Some(PathBuf::from(path)),
        None => env::var_os("HOME").map(|home| Path::new(&home).join(".config")),
    };
    let user = user.filter(|folder| folder.is_absolute());
    let folders = user.into_iter().map(|folder| folder.join("sinew"));
    folders.chain(["/etc/sinew".into()]).map(|folder| folder.join("sendmail.toml")).collect()
}

/// Reads a file; `None` if it does not exist.
fn read(path: &Path) -> Result<Option<Settings>, Failure> {
    let failed = |error| Failure::io(Code::NoInput, Excerpt::path(path), &error);
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut text = String::new();
    file.take(FILE_MAX).read_to_string(&mut text).map_err(failed)?;
    let settings = toml::from_str(&text);
    settings
        .map(Some)
        .map_err(|error| Failure::new(Code::Config, format!("{}: {error}", Excerpt::path(path))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        let file = |text: &str| toml::from_str::<Settings>(text).unwrap();
        for (text, endpoint, security) in [
            ("", "tcp:localhost:25", Security::None),
            ("server = '127.0.0.1:2525'", "tcp:127.0.0.1:2525", Security::None),
            (
                "server = 'tcp:127.0.0.1:2525:timeout=3'",
                "tcp:127.0.0.1:2525:timeout=3",
                Security::None,
            ),
            ("server = '::1'", r"tcp:\:\:1:25", Security::None),
            ("server = '[2001:db8::1]:26'", r"tcp:2001\:db8\:\:1:26", Security::Required),
            ("server = 'mail.example'", "tcp:mail.example:25", Security::Required),
            ("server = 'mail.example'\nuser = 'ann'", "tcp:mail.example:587", Security::Required),
            (
                "server = 'mail.example'\ntls = 'if-offered'",
                "tcp:mail.example:25",
                Security::IfOffered,
            ),
            (
                "server = 'mail.example'\nport = 2525\ntls = 'none'",
                "tcp:mail.example:2525",
                Security::None,
            ),
            ("server = 'localhost'\nlmtp = true", "tcp:localhost:24", Security::None),
            ("server = 'unix:/run/lmtp.sock'", "unix:/run/lmtp.sock", Security::None),
        ] {
            let place = file(text).place().unwrap();
            assert_eq!(
                (place.endpoint.to_string().as_str(), place.security),
                (endpoint, security),
                "{text}"
            );
        }
        for text in
            ["server = ''", "server = 'a:b'", "server = ':25'", "server = 'tls:a:1'\ntls = 'none'"]
        {
            assert!(file(text).place().is_err(), "{text}");
        }
        let insecure = "server = 'mail.example'\ninsecure = true\n";
        for text in ["tls = 'implicit'", "port = 465"] {
            let place = file(&format!("{insecure}{text}")).place().unwrap();
            let expected = "tls:mail.example:465:insecure_without_verification=yes";
            assert_eq!(
                (place.endpoint.to_string().as_str(), place.security),
                (expected, Security::None)
            );
        }
    }

    /// A password must not go to another server than that of the file.
    #[test]
    fn the_file_is_for_its_own_server() {
        let of_file: Settings =
            toml::from_str("server = 'a'\nuser = 'ann'\npassword_env = 'SECRET'\nfrom = 'ann@x'")
                .unwrap();
        let other = Settings { from: Some("bob@x".into()), ..Settings::default() };
        let merged = other.over(of_file.clone());
        assert_eq!((merged.user.as_deref(), merged.from.as_deref()), (Some("ann"), Some("bob@x")));
        let password = Settings { password_file: Some("p".into()), ..Settings::default() };
        assert_eq!(password.over(of_file).password_env, None);
        let named = Settings { server: Some("b".into()), ..Settings::default() };
        assert_eq!(named.clone().or_of_file(Some(Path::new("/nowhere"))).unwrap(), named);
    }
}
