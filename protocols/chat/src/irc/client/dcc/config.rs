//! What is allowed by DCC: [`DccConfig`], with its limits. Pure.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use sinew_transports::{is_public_address, proxy::Subnet};

use super::DccError;

/// Lowest port that anybody can listen on without privileges.
const PORT_MIN: u16 = 1_024;

/// Which addresses a client may connect to by DCC, how it makes offers, and its limits.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`size_max`](Self::size_max): a file of others | 1 GiB | [`DccError::TooLarge`] |
/// | [`transfers_max`](Self::transfers_max): files and conversations, offered and running | 8 | [`DccError::TooMany`] |
/// | [`offer_timeout`](Self::offer_timeout): until the other has answered, or is there | 120 s | [`DccError::NotTaken`] |
/// | [`idle_timeout`](Self::idle_timeout): a transfer that does not go on | 60 s | [`DccError::Silent`] |
/// | [`rate_min`](Self::rate_min): a file, in each span of time | 60 KiB in 60 s | [`DccError::TooSlow`] |
/// | [`line_max`](Self::line_max): a line of a conversation | 16 KiB | the conversation ends |
/// | times that a file which is offered can be resumed, fixed | 3 | ignored |
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::client::{DccConfig, IrcConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let dcc = DccConfig::default().size_max(10 << 20).allow(["192.168.1.0/24".parse()?]);
/// let config = IrcConfig::new("filebot")?.dcc(dcc);
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DccConfig {
    allowed: Vec<Subnet>,
    low_ports: bool,
    match_host: bool,
    pub(super) address: Option<IpAddr>,
    pub(super) ports: Option<RangeInclusive<u16>>,
    pub(super) passive: bool,
    pub(super) size_max: u64,
    pub(super) transfers_max: usize,
    pub(super) offer_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) rate_min: (u64, Duration),
    pub(super) line_max: usize,
}

impl Default for DccConfig {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            low_ports: false,
            match_host: true,
            address: None,
            ports: None,
            passive: false,
            size_max: 1 << 30,
            transfers_max: 8,
            offer_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(60),
            rate_min: (60 * 1_024, Duration::from_secs(60)),
            line_max: 16 * 1_024,
        }
    }
}

impl DccConfig {
    /// Allows offers from further networks. By default only public addresses are: none of this machine, of a private network, of a
    /// link, or of a group.
    pub fn allow(mut self, subnets: impl IntoIterator<Item = Subnet>) -> Self {
        self.allowed.extend(subnets);
        self
    }

    /// Allows ports below 1,024, where other services listen. Default no.
    pub fn low_ports(mut self, allowed: bool) -> Self {
        self.low_ports = allowed;
        self
    }

    /// Whether an offer must come from the address that the server shows as the host of who makes it. Of a host that is no address,
    /// such as a name or a cloak, nothing is known, and nothing is demanded. Default yes.
    pub fn match_host(mut self, matches: bool) -> Self {
        self.match_host = matches;
        self
    }

    /// The address at which others can connect to this client. By default that of the connection to the server, which is not reachable
    /// behind a NAT.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// The ports that own offers listen on: those that a firewall lets in. By default any that is free.
    pub fn ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.ports = Some(ports);
        self
    }

    /// Makes own offers passive: the other opens a port, and this client connects to it. Default no.
    pub fn passive(mut self, passive: bool) -> Self {
        self.passive = passive;
        self
    }

    /// Longest file that is received, in bytes. Default 1 GiB.
    pub fn size_max(mut self, bytes: u64) -> Self {
        self.size_max = bytes;
        self
    }

    /// Most files and conversations at once, including own offers. Default 8.
    pub fn transfers_max(mut self, transfers: usize) -> Self {
        self.transfers_max = transfers;
        self
    }

    /// How long an own offer stands, and how long an answer or a connection may take. Default 120 s.
    pub fn offer_timeout(mut self, timeout: Duration) -> Self {
        self.offer_timeout = timeout;
        self
    }

    /// After how much silence a file is given up. Default 60 s. Conversations may be silent.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How far a file has to get in each span of time, in bytes and for both directions: what is received, or what the other has taken and
    /// acknowledged. So nobody holds a place for long with a byte now and then: a transfer ends after its size divided by this rate, and
    /// one span more. A slow disk of this machine does not count. Default 60 KiB in 60 s; 0 bytes demand nothing.
    pub fn rate_min(mut self, bytes: u64, within: Duration) -> Self {
        self.rate_min = (bytes, within);
        self
    }

    /// Longest line of a conversation, in bytes without its line end. Default 16 KiB.
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes;
        self
    }

    /// Whether a client may connect to an address that somebody from `host` has named.
    pub(super) fn check(&self, at: SocketAddr, host: Option<&[u8]>) -> Result<(), DccError> {
        let ip = at.ip().to_canonical();
        if !is_public_address(ip) && !self.allowed.iter().any(|subnet| subnet.contains(ip)) {
            return Err(DccError::NotAllowed { ip });
        }
        self.check_host(ip, host)?;
        match at.port() < PORT_MIN && !self.low_ports {
            true => Err(DccError::LowPort { at }),
            false => Ok(()),
        }
    }

    /// Whether an address is that of somebody from `host`, as far as that is known.
    pub(super) fn check_host(&self, ip: IpAddr, host: Option<&[u8]>) -> Result<(), DccError> {
        let ip = ip.to_canonical();
        let shown = host.filter(|_| self.match_host).and_then(address_of);
        match shown.filter(|shown| *shown != ip) {
            Some(host) => Err(DccError::OtherHost { ip, host }),
            None => Ok(()),
        }
    }
}

/// The address that a host is. Servers put a 0 before a colon at the front.
fn address_of(host: &[u8]) -> Option<IpAddr> {
    let ip: IpAddr = str::from_utf8(host).ok()?.parse().ok()?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_allowed_and_others() {
        let strict = DccConfig::default();
        let lenient = DccConfig::default()
            .allow(["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
            .low_ports(true)
            .match_host(false);
        for (at, host, is_strict, is_lenient) in [
            ("8.8.8.8:5000", "example.net", true, true),
            ("8.8.8.8:5000", "8.8.8.8", true, true),
            ("8.8.8.8:5000", "::ffff:8.8.8.8", true, true),
            ("8.8.8.8:5000", "9.9.9.9", false, true),
            ("[2a00::1]:5000", "2a00:0::1", true, true),
            ("[2a00::1]:5000", "0::2", false, true),
            ("8.8.8.8:25", "x", false, true),
            ("127.0.0.1:5000", "x", false, true),
            ("[::ffff:127.0.0.1]:5000", "x", false, true),
            ("[fd00::1]:5000", "x", false, true),
            ("10.0.0.1:5000", "x", false, false),
            ("169.254.169.254:5000", "x", false, false),
            ("224.0.0.1:5000", "x", false, false),
            ("0.0.0.0:5000", "x", false, false),
            ("255.255.255.255:5000", "x", false, false),
            ("[::]:5000", "x", false, false),
            ("[fe80::1]:5000", "x", false, false),
            ("[ff02::1]:5000", "x", false, false),
            ("[64:ff9b::a00:1]:5000", "x", false, false),
        ] {
            let found = [&strict, &lenient]
                .map(|config| config.check(at.parse().unwrap(), Some(host.as_bytes())).is_ok());
            assert_eq!(found, [is_strict, is_lenient], "{at} {host}");
        }
    }
}
