//! The options that all servers have: of the process, the log, the reactors, the limits, and the views into it. Each group is
//! one struct, which serves the command line (clap) and the file of `sinew run` (serde) alike.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer, SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use sinew::{
    prelude::*,
    reactor::Engine,
    transports::endpoint::{EndpointError, ServerEndpoint},
};

use crate::quantity::{Interval, Size};

/// All options of a server that runs by its own command, as `sinew echo`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) listen: ListenOptions,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reactor: ReactorOptions,
    #[command(flatten)]
    pub(crate) log: LogOptions,
    #[command(flatten)]
    pub(crate) process: ProcessOptions,
    #[command(flatten)]
    pub(crate) inspect: InspectOptions,
}

/// Where one service listens.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(crate) struct ListenOptions {
    /// Where to listen: an endpoint, as tcp:8000, tls:443:cert=c.pem:key=k.pem, unix:/run/x.sock or systemd:index=0. May be
    /// repeated
    #[arg(long, short, value_name = "ENDPOINT", help_heading = "Connections")]
    pub(crate) listen: Vec<Endpoint>,
}

/// Limits of the connections of one service.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// How many connections may be open at once, for each endpoint; further ones wait in the backlog
    #[arg(long, value_name = "N", help_heading = "Connections")]
    pub(crate) max_connections: Option<usize>,
    /// How many connections one address may have open; further ones are closed at once
    #[arg(long, value_name = "N", help_heading = "Connections")]
    pub(crate) max_per_ip: Option<usize>,
    /// Close a connection on which nothing was received or sent for so long
    #[arg(long, value_name = "DURATION", help_heading = "Connections")]
    pub(crate) idle_timeout: Option<Interval>,
}

/// The event loops.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReactorOptions {
    /// What the loop waits with: mio (epoll, kqueue), poll, select, uring or best
    #[arg(long, default_value_t, value_name = "ENGINE", help_heading = "Event loop")]
    pub(crate) engine: EngineName,
    /// How many reactors serve the connections, each on a thread of its own
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = reactors, help_heading = "Event loop")]
    #[serde(deserialize_with = "reactors_from_file")]
    pub(crate) reactors: usize,
    /// How long a stop waits for open connections to finish; then they are dropped
    #[arg(long, default_value_t = Interval::seconds(30), value_name = "DURATION", help_heading = "Event loop")]
    pub(crate) drain: Interval,
}

/// The log.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogOptions {
    /// The least important messages that are logged: error, warn, info, debug, trace or off
    #[arg(
        long = "log-level",
        id = "log_level",
        default_value_t,
        value_name = "LEVEL",
        help_heading = "Log"
    )]
    pub(crate) level: Level,
    /// How a message is written: text, json (an object a line), or journald (to systemd's journal, with its fields)
    #[arg(
        long = "log-format",
        id = "log_format",
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Log"
    )]
    pub(crate) format: LogFormat,
    /// Append the log to this file instead of standard error. SIGUSR1 and SIGHUP open it anew, after a rotation by size or by
    /// logrotate
    #[arg(long = "log-file", id = "log_file", value_name = "FILE", help_heading = "Log")]
    pub(crate) file: Option<PathBuf>,
    /// Rotate the log file before it grows over this size: FILE becomes FILE.1, that FILE.2, and so on; 0 for never
    #[arg(long = "log-max-size", id = "log_max_size", default_value_t = Size(10 << 20), value_name = "SIZE", help_heading = "Log")]
    pub(crate) max_size: Size,
    /// How many rotated log files are kept
    #[arg(
        long = "log-keep",
        id = "log_keep",
        default_value_t = 5,
        value_name = "N",
        help_heading = "Log"
    )]
    pub(crate) keep: u32,
}

/// The process.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProcessOptions {
    /// Write the process id to this file, and hold its lock. A file that a dead process left is taken over
    #[arg(long, value_name = "FILE", help_heading = "Process")]
    pub(crate) pidfile: Option<PathBuf>,
    /// Run in the background; returns when the server is ready, or with the reason why it is not
    #[arg(long, help_heading = "Process")]
    pub(crate) daemon: bool,
    /// Run as this user (a name or a number) once all sockets are open
    #[arg(long, value_name = "USER", help_heading = "Process")]
    pub(crate) user: Option<String>,
    /// Run as this group (a name or a number); by default the group of the user
    #[arg(long, value_name = "GROUP", help_heading = "Process")]
    pub(crate) group: Option<String>,
    /// Make this directory the root of the process before it listens
    #[arg(long, value_name = "DIR", help_heading = "Process")]
    pub(crate) chroot: Option<PathBuf>,
    /// Work in this directory: relative paths begin there
    #[arg(long, value_name = "DIR", help_heading = "Process")]
    pub(crate) chdir: Option<PathBuf>,
    /// The permissions that new files do not get, in octal; 077 by default with --daemon
    #[arg(long, value_name = "MASK", help_heading = "Process")]
    pub(crate) umask: Option<Umask>,
}

/// Views into the running server.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InspectOptions {
    /// Serve the state of connections, ports and loops here, for `sinew top` and `sinew status`: unix:/run/x.sock
    #[arg(long, value_name = "ENDPOINT", help_heading = "Inspection")]
    pub(crate) status: Option<Endpoint>,
    /// Serve numbers for Prometheus here: tcp:127.0.0.1:9100
    #[arg(long, value_name = "ENDPOINT", help_heading = "Inspection")]
    pub(crate) metrics: Option<Endpoint>,
    /// Serve a live page here: tcp:127.0.0.1:9101
    #[arg(long, value_name = "ENDPOINT", help_heading = "Inspection")]
    pub(crate) dashboard: Option<Endpoint>,
    /// Ask for a password at the metrics and the page: a file, readable by its owner alone, with a line NAME:PASSWORD for each user
    #[arg(
        long = "inspect-users",
        id = "inspect_users",
        value_name = "FILE",
        help_heading = "Inspection"
    )]
    pub(crate) users: Option<PathBuf>,
    /// Allow addresses of metrics and page that other machines can reach; the page needs users then
    #[arg(long = "inspect-remote", id = "inspect_remote", help_heading = "Inspection")]
    pub(crate) remote: bool,
    /// A host name under which metrics and page are reached, besides localhost and addresses. May be repeated
    #[arg(
        long = "inspect-host",
        id = "inspect_host",
        value_name = "NAME",
        help_heading = "Inspection"
    )]
    pub(crate) host: Vec<String>,
}

/// An endpoint, and the string that it was parsed from.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) endpoint: ServerEndpoint,
    pub(crate) text: String,
}

/// An engine, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EngineName(pub(crate) Engine);

/// The least important level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level(pub(crate) tracing::level_filters::LevelFilter);

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
    Journald,
}

/// A file mode creation mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Umask(pub(crate) u32);

/// The most reactors of one process.
pub(crate) const REACTORS_MAX: usize = 1_024;

impl Default for ReactorOptions {
    fn default() -> Self {
        Self { engine: EngineName::default(), reactors: 1, drain: Interval::seconds(30) }
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            level: Level::default(),
            format: LogFormat::default(),
            file: None,
            max_size: Size(10 << 20),
            keep: 5,
        }
    }
}

impl Default for Level {
    fn default() -> Self {
        Self(tracing::level_filters::LevelFilter::INFO)
    }
}

impl Limits {
    /// These limits, and those of `general` where these say nothing.
    pub(crate) fn or(&self, general: &Self) -> Self {
        Self {
            max_connections: self.max_connections.or(general.max_connections),
            max_per_ip: self.max_per_ip.or(general.max_per_ip),
            idle_timeout: self.idle_timeout.or(general.idle_timeout),
        }
    }

    /// The configuration of a listening port with these limits, in the place of those that the server has.
    pub(crate) fn applied_to(&self, config: ListenConfig, stream: StreamConfig) -> ListenConfig {
        let (mut config, mut stream) = (config, stream);
        if let Some(Interval(timeout)) = self.idle_timeout {
            stream = stream.idle_timeout(timeout);
        }
        if let Some(max) = self.max_connections {
            config = config.max_connections(max);
        }
        if let Some(max) = self.max_per_ip {
            config = config.max_per_ip(max);
        }
        config.stream(stream)
    }
}

fn check_reactors(number: usize) -> Result<usize, String> {
    if (1..=REACTORS_MAX).contains(&number) {
        return Ok(number);
    }
    Err(format!("the number of reactors must be between 1 and {REACTORS_MAX}"))
}

fn reactors(text: &str) -> Result<usize, String> {
    check_reactors(text.parse().map_err(|_| "write a number".to_owned())?)
}

fn reactors_from_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    check_reactors(usize::deserialize(deserializer)?).map_err(de::Error::custom)
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Also takes `tcp:127.0.0.1:9100`, an address and a port, as it is written for clients.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let addr = text.strip_prefix("tcp:").and_then(|addr| addr.parse::<SocketAddr>().ok());
        let endpoint = addr.map_or_else(|| text.parse(), |addr| Ok(addr.into()))?;
        Ok(Self { endpoint, text: text.to_owned() })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for EngineName {
    type Err = <Engine as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = text.parse().ok().filter(|_| !text.chars().any(|c| c.is_ascii_digit()));
        level
            .map(Self)
            .ok_or_else(|| "the levels are error, warn, info, debug, trace and off".to_owned())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Umask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = !text.is_empty() && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        let mask = digits.then(|| u32::from_str_radix(text, 8).ok()).flatten();
        mask.filter(|mask| *mask <= 0o777)
            .map(Self)
            .ok_or_else(|| "a mask is an octal number up to 777, as 027".to_owned())
    }
}

impl fmt::Display for Umask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03o}", self.0)
    }
}

/// Reads a string of the file with the same parser as the command line.
macro_rules! deserialize_from_str {
    ($($type:ty),+) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

pub(crate) use deserialize_from_str;

deserialize_from_str!(EngineName, Level, Umask);

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // On one line: the file has a mark of its own.
        let one_line = |error: EndpointError| {
            de::Error::custom(format_args!("{}, at column {}", error.problem(), error.column()))
        };
        text.parse().map_err(one_line)
    }
}

/// One endpoint, or a list of them, as a key of the file: `#[serde(deserialize_with = "endpoints")]`.
pub(crate) fn endpoints<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Endpoint>, D::Error> {
    struct Endpoints;

    impl<'de> Visitor<'de> for Endpoints {
        type Value = Vec<Endpoint>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an endpoint in quotes, as \"tcp:8000\", or a list of them")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<Endpoint>, E> {
            Endpoint::deserialize(text.into_deserializer()).map(|endpoint| vec![endpoint])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<Endpoint>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }

    deserializer.deserialize_any(Endpoints)
}
