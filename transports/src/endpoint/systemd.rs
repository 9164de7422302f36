//! Endpoints for systemd socket activation: `systemd:name=NAME` and `systemd:index=N`, by the protocol of sd_listen_fds(3).

use std::{env, fmt, io, os::fd::RawFd, process};

use sinew_reactor::{Excerpt, Reactor};

use super::{Arguments, EndpointError, Listen, ServerEndpoint, fd, quote};
use crate::{Address, DynFactory, ListenConfig, ListenError, ListeningPort};

/// The first descriptor that is passed, `SD_LISTEN_FDS_START`.
const FIRST: RawFd = 3;

/// Maximum accepted for `LISTEN_FDS`.
const SOCKETS_MAX: usize = 4096;

/// Maximum names listed in an error.
const SHOWN_MAX: usize = 16;

/// A listening socket passed by systemd, TCP or Unix, by name (`FileDescriptorName=` of its unit, by default the unit's name) or
/// by index. It stays open, as with [`Descriptor`](super::Descriptor).
#[derive(Clone, Debug)]
pub struct Systemd(Selector);

#[derive(Clone, Debug)]
enum Selector {
    Name(String),
    Index(usize),
}

impl Systemd {
    /// The socket with that name.
    #[must_use]
    pub fn name(name: impl Into<String>) -> Self {
        Self(Selector::Name(name.into()))
    }

    /// The socket with that index, from 0.
    #[must_use]
    pub const fn index(index: usize) -> Self {
        Self(Selector::Index(index))
    }

    /// The descriptor among sockets with these names.
    fn find(&self, names: &[String]) -> Result<RawFd, String> {
        let index = match &self.0 {
            Selector::Index(index) if *index < names.len() => *index,
            Selector::Index(_) => {
                return Err(format!("systemd has passed {} sockets", names.len()));
            }
            Selector::Name(wanted) => {
                let mut found = (0..).zip(names).filter(|(_, name)| *name == wanted);
                match (found.next(), found.next()) {
                    (Some((index, _)), None) => index,
                    (Some(_), Some(_)) => {
                        return Err(
                            "several sockets have that name; choose one with index=".to_owned()
                        );
                    }
                    (None, _) => {
                        let names: Vec<_> =
                            names.iter().take(SHOWN_MAX).map(Excerpt::new).collect();
                        return Err(format!("systemd has passed sockets named {names:?}"));
                    }
                }
            }
        };
        Ok(FIRST + RawFd::try_from(index).expect("no more sockets than SOCKETS_MAX"))
    }
}

pub(super) fn server(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    if let Some(index) = arguments.named("index") {
        let selector = Selector::Index(index.parse("number")?);
        // A name and an index exclude each other.
        return match arguments.named("name") {
            Some(name) => Err(name.error("cannot be combined with index=")),
            None => Ok(ServerEndpoint::new(Systemd(selector))),
        };
    }
    let name = arguments.require("name")?;
    Ok(ServerEndpoint::new(Systemd::name(name.as_str())))
}

/// The names of the sockets passed to the process `pid`.
fn passed(pid: u32, variable: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, String> {
    let number = |name: &str| -> Result<usize, String> {
        let text = variable(name).ok_or_else(|| format!("{name} is not set in the environment"))?;
        text.parse().map_err(|_| {
            format!("{name}={} in the environment is not a number", Excerpt::new(&text))
        })
    };
    let expected_pid = number("LISTEN_PID")?;
    if usize::try_from(pid) != Ok(expected_pid) {
        return Err(format!("LISTEN_PID={expected_pid} is not this process, {pid}"));
    }
    let count = number("LISTEN_FDS")?;
    if count > SOCKETS_MAX {
        return Err(format!("LISTEN_FDS={count} exceeds the maximum of {SOCKETS_MAX}"));
    }
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    // Sockets without a name are "unknown", as in sd_listen_fds_with_names(3).
    let mut names =
        names.split(':').map(str::to_owned).chain(std::iter::repeat("unknown".to_owned()));
    Ok((0..count)
        .map(|_| names.next().filter(|name| !name.is_empty()).unwrap_or("unknown".to_owned()))
        .collect())
}

impl Listen for Systemd {
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        if config.handed_over.is_some() {
            return fd::listen(reactor, FIRST, self, config, factory);
        }
        let names = passed(process::id(), |name| env::var(name).ok());
        match names.and_then(|names| self.find(&names)) {
            Ok(fd) => fd::listen(reactor, fd, self, config, factory),
            Err(why) => {
                let source = io::Error::new(io::ErrorKind::NotFound, why);
                Err(fd::refused(reactor, self, source, factory))
            }
        }
    }
}

impl fmt::Display for Systemd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Selector::Name(name) => write!(f, "systemd:name={}", quote(name)),
            Selector::Index(index) => write!(f, "systemd:index={index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment of process 7, the socket wanted, and the result.
    #[test]
    fn sockets_by_name_and_by_index() {
        let full = [("LISTEN_PID", "7"), ("LISTEN_FDS", "3"), ("LISTEN_FDNAMES", "web:admin:web")];
        let nameless = [("LISTEN_PID", "7"), ("LISTEN_FDS", "2")];
        let (name, index) = (|name: &str| Systemd::name(name), Systemd::index);
        type Case<'a> = (&'a [(&'a str, &'a str)], Systemd, Result<RawFd, &'a str>);
        let cases: &[Case<'_>] = &[
            (&full, name("admin"), Ok(4)),
            (&full, index(0), Ok(3)),
            (&full, index(2), Ok(5)),
            (&full, index(3), Err("systemd has passed 3 sockets")),
            (&full, name("web"), Err("several sockets")),
            (&full, name("mail"), Err(r#"named ["web", "admin", "web"]"#)),
            (&nameless, index(1), Ok(4)),
            (&nameless, name("unknown"), Err("several")),
            (&[], index(0), Err("LISTEN_PID is not set")),
            (&[("LISTEN_PID", "8"), ("LISTEN_FDS", "1")], index(0), Err("not this process")),
            (
                &[("LISTEN_PID", "x")],
                index(0),
                Err("LISTEN_PID=x in the environment is not a number"),
            ),
            (&[("LISTEN_PID", "7"), ("LISTEN_FDS", "99999")], index(0), Err("maximum of 4096")),
        ];
        for (environment, selector, expected) in cases {
            let variable = |name: &str| {
                let found = environment.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let found = passed(7, variable).and_then(|names| selector.find(&names));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, *expected, "{selector}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{selector}: {why}"),
                (found, _) => panic!("{selector}: {found:?}"),
            }
        }
    }
}
