//! Where the root of DNS is: [`RootHints`]. The built-in ones are those of IANA (`named.root`) of 2024.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::Path,
    str::FromStr,
    sync::Arc,
};

use sinew_transports::reactor::Excerpt;

use super::delegation::ZoneServer;
use crate::codec::Name;

/// The root servers `a` to `m` of `root-servers.net`, by IPv4 and IPv6.
const ROOT: [([u8; 4], [u16; 8]); 13] = [
    ([198, 41, 0, 4], [0x2001, 0x503, 0xba3e, 0, 0, 0, 0x2, 0x30]),
    ([170, 247, 170, 2], [0x2801, 0x1b8, 0x10, 0, 0, 0, 0, 0xb]),
    ([192, 33, 4, 12], [0x2001, 0x500, 0x2, 0, 0, 0, 0, 0xc]),
    ([199, 7, 91, 13], [0x2001, 0x500, 0x2d, 0, 0, 0, 0, 0xd]),
    ([192, 203, 230, 10], [0x2001, 0x500, 0xa8, 0, 0, 0, 0, 0xe]),
    ([192, 5, 5, 241], [0x2001, 0x500, 0x2f, 0, 0, 0, 0, 0xf]),
    ([192, 112, 36, 4], [0x2001, 0x500, 0x12, 0, 0, 0, 0, 0xd0d]),
    ([198, 97, 190, 53], [0x2001, 0x500, 0x1, 0, 0, 0, 0, 0x53]),
    ([192, 36, 148, 17], [0x2001, 0x7fe, 0, 0, 0, 0, 0, 0x53]),
    ([192, 58, 128, 30], [0x2001, 0x503, 0xc27, 0, 0, 0, 0x2, 0x30]),
    ([193, 0, 14, 129], [0x2001, 0x7fd, 0, 0, 0, 0, 0, 0x1]),
    ([199, 7, 83, 42], [0x2001, 0x500, 0x9f, 0, 0, 0, 0, 0x42]),
    ([202, 12, 27, 33], [0x2001, 0xdc3, 0, 0, 0, 0, 0, 0x35]),
];

/// The servers that a recursive resolver asks first. They are asked who the root servers are now (RFC 8109).
///
/// # Examples
///
/// ```
/// use sinew_dns::recursive::RootHints;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// assert_eq!(RootHints::iana().addrs().len(), 26);
/// let own: RootHints = ". 3600 NS ns.root. ; ours\nns.root. 3600 A 192.0.2.1\n".parse()?;
/// assert_eq!(own.addrs()[0].ip().to_string(), "192.0.2.1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootHints {
    /// Port 0 stands for that of the configuration.
    addrs: Vec<SocketAddr>,
}

/// The hints cannot be used.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HintsError {
    /// The file cannot be read.
    #[error("could not read the root hints {path:?}")]
    Read {
        /// The file.
        path: Box<Path>,
        /// Why.
        source: Arc<io::Error>,
    },
    /// A line is no record of a server or of its address.
    #[error("line {line} of the root hints, {:?}, is not an NS, A or AAAA record", Excerpt::new(.text.as_bytes()))]
    Line {
        /// Its number, from 1.
        line: usize,
        /// The line.
        text: Box<str>,
    },
    /// No server has an address.
    #[error("the root hints have no server with an address")]
    Empty,
}

sinew_transports::reactor::error_debug!(HintsError);

impl Default for RootHints {
    fn default() -> Self {
        Self::iana()
    }
}

impl RootHints {
    /// The 13 root servers of the internet, with IPv4 and IPv6.
    #[must_use]
    pub fn iana() -> Self {
        Self::at(ROOT.iter().flat_map(|(v4, v6)| {
            [SocketAddr::new((*v4).into(), 0), SocketAddr::new((*v6).into(), 0)]
        }))
    }

    /// Servers at these addresses, such as those of a root of one's own. Port 0 stands for that of the configuration
    /// ([`RecursiveConfig::port`](super::RecursiveConfig::port)).
    #[must_use]
    pub fn at(addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { addrs: addrs.into_iter().collect() }
    }

    /// Reads a file like [`named.root`](https://www.internic.net/domain/named.root). Blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// [`HintsError`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, HintsError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .map_err(|error| HintsError::Read { path: path.into(), source: Arc::new(error) })?;
        text.parse()
    }

    /// The addresses.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The servers, asked at this port unless they have one.
    pub(super) fn servers(&self, port: u16) -> Vec<ZoneServer> {
        let mut addrs = self.addrs.clone();
        addrs.iter_mut().filter(|addr| addr.port() == 0).for_each(|addr| addr.set_port(port));
        // Nobody asks for a server by its name whose address is known.
        vec![ZoneServer { name: Name::root(), addrs }]
    }
}

impl FromStr for RootHints {
    type Err = HintsError;

    /// Reads text like that of `named.root`: a record in each line, with or without TTL and class.
    fn from_str(text: &str) -> Result<Self, HintsError> {
        let (mut servers, mut addrs) = (Vec::new(), Vec::new());
        for (at, whole) in text.lines().enumerate() {
            let record = whole.split(';').next().unwrap_or_default();
            let words: Vec<_> = record.split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            let error = || HintsError::Line { line: at + 1, text: whole.into() };
            let [owner, .., record_type, data] = words[..] else { return Err(error()) };
            let owner = absolute(owner).ok_or_else(error)?;
            match record_type.to_ascii_uppercase().as_str() {
                "NS" if owner.is_root() => servers.push(absolute(data).ok_or_else(error)?),
                "A" | "AAAA" => {
                    let ip: IpAddr = data.parse().map_err(|_| error())?;
                    addrs.push((owner, SocketAddr::new(ip, 0)));
                }
                _ => return Err(error()),
            }
        }
        let of_servers = addrs.into_iter().filter(|(owner, _)| servers.contains(owner));
        let hints = Self::at(of_servers.map(|(_, addr)| addr));
        if hints.addrs.is_empty() { Err(HintsError::Empty) } else { Ok(hints) }
    }
}

fn absolute(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::{super::delegation::may_be_asked, *};

    #[test]
    fn the_roots_have_addresses_of_both_families() {
        let mut addrs = RootHints::iana().servers(53)[0].addrs.clone();
        assert!(addrs.iter().all(|addr| addr.port() == 53 && may_be_asked(addr.ip(), false)));
        addrs.sort();
        addrs.dedup();
        assert_eq!(addrs.iter().filter(|addr| addr.is_ipv4()).count(), 13);
        assert_eq!(addrs.iter().filter(|addr| addr.is_ipv6()).count(), 13);
        assert_eq!(addrs[0].ip().to_string(), "170.247.170.2");
        assert_eq!(addrs[13].ip().to_string(), "2001:500:1::53");
    }

    #[test]
    fn a_file_of_hints() {
        let text = "; a comment\n.  3600000  IN  NS  A.Root.\n\nA.ROOT. 3600000 A 192.0.2.1\n\
                    a.root. AAAA 2001:db8::1 ; another\n. NS b.root.\nother. A 192.0.2.2\n";
        let hints: RootHints = text.parse().unwrap();
        let shown: Vec<_> = hints.servers(5300)[0].addrs.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.1:5300", "[2001:db8::1]:5300"]);
        let error = |text: &str| text.parse::<RootHints>().unwrap_err().to_string();
        assert!(error(". NS a.\na. A 1.2.3\n").contains("line 2"));
        assert!(error("test. NS a.\n").contains("line 1"));
        assert!(error("nonsense").contains("line 1"));
        assert!(error("").contains("no server"));
        assert!(RootHints::from_file("/nonexistent/hints").is_err());
    }
}
