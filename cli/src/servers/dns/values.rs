//! Values of the options of `sinew dns`: networks, servers, zones with their files or servers. Pure.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, de};
use sinew::{
    dns::{client::NameServer, codec::Name},
    reactor::Excerpt,
    transports::proxy::{BadSubnet, Subnet},
};

use crate::arguments::deserialize_from_str;

/// Addresses with a common prefix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Network(pub(in crate::servers) Subnet);

/// A server to ask or to tell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server(pub(super) NameServer);

/// Who is asked about other names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Upstream {
    /// The servers of /etc/resolv.conf.
    System,
    Server(NameServer),
}

/// A zone, and its file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ZoneFile {
    pub(super) origin: Name,
    pub(super) path: PathBuf,
}

/// A zone, and the servers that it is received from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ZoneServers {
    pub(super) origin: Name,
    pub(super) servers: Vec<NameServer>,
}

deserialize_from_str!(Network, Server, Upstream, ZoneFile, ZoneServers);

impl FromStr for Network {
    type Err = BadSubnet;

    fn from_str(text: &str) -> Result<Self, BadSubnet> {
        text.parse().map(Self)
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let shown = Excerpt::new(text);
            format!(
                "{shown:?} is no server, as 192.0.2.53, 192.0.2.53:53, tcp:192.0.2.53 or tls:192.0.2.53#dns.example"
            )
        };
        let server = match (text.strip_prefix("tcp:"), text.strip_prefix("tls:")) {
            (Some(addr), _) => NameServer::tcp(address(addr, 53).ok_or_else(wrong)?),
            (_, Some(rest)) => {
                let (addr, name) =
                    rest.split_once('#').filter(|(_, name)| !name.is_empty()).ok_or_else(wrong)?;
                NameServer::tls(address(addr, 853).ok_or_else(wrong)?, name)
            }
            _ => NameServer::new(address(text, 53).ok_or_else(wrong)?),
        };
        Ok(Self(server))
    }
}

/// An address, with a port or not.
fn address(text: &str, port: u16) -> Option<SocketAddr> {
    let ip = || text.parse::<IpAddr>().ok().map(|ip| (ip, port).into());
    text.parse().ok().or_else(ip)
}

impl FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "system" {
            return Ok(Self::System);
        }
        text.parse().map(|Server(server)| Self::Server(server))
    }
}

/// The name of a zone, and what follows the equals sign.
fn split<'a>(text: &'a str, what: &str) -> Result<(Name, &'a str), String> {
    let wrong = |why: &str| format!("{:?}: {why}", Excerpt::new(text));
    let split = text.split_once('=').filter(|(name, rest)| !name.is_empty() && !rest.is_empty());
    let (name, rest) = split.ok_or_else(|| wrong(&format!("write the zone, = and {what}")))?;
    let read = if name.is_ascii() { Name::from_ascii(name) } else { Name::from_utf8(name) };
    let mut name = read.map_err(|error| wrong(&error.to_string()))?;
    name.set_fqdn(true);
    Ok((name, rest))
}

impl FromStr for ZoneFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (origin, path) = split(text, "its file")?;
        Ok(Self { origin, path: path.into() })
    }
}

impl FromStr for ZoneServers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (origin, servers) = split(text, "the addresses of its servers")?;
        let servers = servers.split(',').map(|text| text.parse().map(|Server(server)| server));
        Ok(Self { origin, servers: servers.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        for (text, shown) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5300", "192.0.2.53:5300"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("tcp:[2001:db8::1]:54", "tcp:[2001:db8::1]:54"),
            ("tls:192.0.2.53#dns.example", "tls:192.0.2.53:853#dns.example"),
        ] {
            assert_eq!(text.parse::<Server>().unwrap().0.to_string(), shown);
        }
        assert_eq!("system".parse(), Ok(Upstream::System));
        for text in ["", "dns.example", "tls:192.0.2.53", "tls:192.0.2.53#", "udp:1.2.3.4"] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
    }

    #[test]
    fn zones() {
        let file: ZoneFile = "Example.org=/a=b".parse().unwrap();
        assert_eq!((file.origin.to_ascii().as_str(), file.path), ("Example.org.", "/a=b".into()));
        let zone: ZoneServers = "example.org.=192.0.2.1,tcp:192.0.2.2".parse().unwrap();
        assert_eq!(zone.servers.len(), 2);
        for text in ["", "=a", "a=", "a..b=c", "example.org"] {
            assert!(text.parse::<ZoneFile>().is_err(), "{text}");
        }
        assert!("a=192.0.2.1,".parse::<ZoneServers>().is_err());
    }
}
