//! A static table of names: [`Hosts`], in the format of hosts(5) or built in code. Makes no queries.

use std::{collections::BTreeMap, fmt, fs, io, net::IpAddr, path::Path, rc::Rc, sync::Arc};

use sinew_reactor::{Deferred, Excerpt, Reactor};

use super::{Lookup, Resolve, ResolveError, failed, key, literal::Literal, lookup};

/// Names and their addresses, with an optional fallback resolver. Without one it is a resolver for tests.
#[derive(Clone, Default)]
pub struct Hosts {
    table: BTreeMap<String, Vec<Literal>>,
    fallback: Option<Rc<dyn Resolve>>,
}

/// A hosts table could not be read.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HostsError {
    /// A line does not begin with an address.
    #[error("line {line}: {:?} is not an address", Excerpt::new(.text))]
    NoAddress {
        /// The line, counted from 1.
        line: usize,
        /// The text in its place.
        text: String,
    },
    /// A line has an address, but no name.
    #[error("line {line}: {ip} has no name")]
    NoName {
        /// The line, counted from 1.
        line: usize,
        /// The address, without its scope.
        ip: IpAddr,
    },
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

sinew_reactor::error_debug!(HostsError);

impl Hosts {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds addresses of a name.
    #[must_use]
    pub fn with(mut self, name: &str, ips: impl IntoIterator<Item = IpAddr>) -> Self {
        self.add(name, ips.into_iter().map(|ip| Literal::Addr((ip, 0).into())));
        self
    }

    /// Parses the text of a file like `/etc/hosts`: an address and its names on each line, `#` begins a comment. A link-local
    /// address may have an interface, as in `fe80::1%lo0`, which is looked up together with the name.
    ///
    /// # Errors
    ///
    /// [`HostsError`] for the first invalid line.
    pub fn parse(text: &str) -> Result<Self, HostsError> {
        let mut hosts = Self::new();
        for (line, text) in (1..).zip(text.lines()) {
            let mut words = text.split('#').next().unwrap_or_default().split_whitespace();
            let Some(first) = words.next() else { continue };
            let no_address = || HostsError::NoAddress { line, text: first.to_owned() };
            let literal = Literal::parse(first).ok_or_else(no_address)?;
            let mut words = words.peekable();
            if words.peek().is_none() {
                return Err(HostsError::NoName { line, ip: literal.ip() });
            }
            words.for_each(|name| hosts.add(name, [literal.clone()]));
        }
        Ok(hosts)
    }

    /// Reads a file like `/etc/hosts`. This may block; it is done once, not for each lookup.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), or if the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, HostsError> {
        Self::parse(&fs::read_to_string(path)?)
    }

    /// Sets the fallback resolver, for names that are not in the table.
    #[must_use]
    pub fn fallback(mut self, resolver: impl Resolve) -> Self {
        self.fallback = Some(Rc::new(resolver));
        self
    }

    fn add(&mut self, name: &str, literals: impl IntoIterator<Item = Literal>) {
        self.table.entry(key(name)).or_default().extend(literals);
    }
}

impl Resolve for Hosts {
    fn resolve(&self, reactor: &Reactor, host: &str) -> Lookup {
        match (self.table.get(&key(host)), &self.fallback) {
            (Some(literals), _) if literals.is_empty() => failed(reactor, ResolveError::NoAddress),
            (Some(literals), _) => {
                let addrs =
                    literals.iter().map(|literal| lookup::literal_addr(reactor, literal, 0));
                match addrs.collect::<io::Result<_>>() {
                    Ok(addrs) => Deferred::ready_on(reactor, addrs),
                    Err(error) => failed(reactor, ResolveError::System(Arc::new(error))),
                }
            }
            (None, Some(fallback)) => fallback.resolve(reactor, host),
            (None, None) => failed(reactor, ResolveError::NoSuchName),
        }
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosts")
            .field("table", &self.table)
            .field("fallback", &self.fallback.is_some())
            .finish()
    }
}
