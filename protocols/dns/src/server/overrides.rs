//! Names with fixed answers: [`Overrides`], for a hosts file, split views, and lists of names to block. Asked before other handlers.

use std::{cell::RefCell, collections::HashMap, fmt, net::IpAddr, rc::Rc};

use super::{Handled, Handler, Query, Response};
use crate::{
    codec::{Name, ResponseCode},
    zone::{
        name::{NameBuffer, WireName, parent},
        schema::{A, AAAA, ANY},
    },
};

/// Names with fixed addresses, and names that do not exist. All others are passed on. Cheap to clone: clones share the names, so that
/// they can be changed while a server runs.
///
/// # Examples
///
/// ```
/// use sinew_dns::server::{Chain, Overrides, Zones};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let overrides = Overrides::new();
/// overrides.add_hosts("192.0.2.1 printer.example printer # on the second floor\n");
/// overrides.block(&"ads.example.".parse()?);
/// assert_eq!(overrides.len(), 3);
/// let handler = Chain::new().then(overrides).then(Zones::new());
/// # drop(handler);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Overrides(Rc<RefCell<HashMap<Box<[u8]>, Fixed>>>);

/// TTL of fixed answers.
const TTL: u32 = 60;

enum Fixed {
    Addresses(Vec<IpAddr>),
    /// This name and all below it do not exist.
    Blocked,
}

impl Overrides {
    /// No names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an address to a name.
    pub fn add(&self, name: &Name, addr: IpAddr) {
        let mut names = self.0.borrow_mut();
        let fixed = names.entry(key(name)).or_insert_with(|| Fixed::Addresses(Vec::new()));
        match fixed {
            Fixed::Addresses(addrs) if addrs.contains(&addr) => {}
            Fixed::Addresses(addrs) => addrs.push(addr),
            Fixed::Blocked => *fixed = Fixed::Addresses(vec![addr]),
        }
    }

    /// Adds the lines of a hosts file: an address and names. In a line with `0.0.0.0` or `::`, as lists of names to block have them, the
    /// names are [blocked](Self::block), and so is a name that is alone in its line. Lines that cannot be read are left out; returns how
    /// many.
    pub fn add_hosts(&self, text: &str) -> usize {
        let mut unread = 0;
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            let Ok(addr) = first.parse::<IpAddr>() else {
                match (Name::from_ascii(first), words.next()) {
                    (Ok(name), None) => self.block(&name),
                    _ => unread += 1,
                }
                continue;
            };
            for name in words {
                match Name::from_ascii(name) {
                    Ok(name) if addr.is_unspecified() => self.block(&name),
                    Ok(name) => self.add(&name, addr),
                    Err(_) => unread += 1,
                }
            }
        }
        unread
    }

    /// Makes a name and all below it not exist (NXDOMAIN), except for names below it that have addresses here.
    pub fn block(&self, name: &Name) {
        self.0.borrow_mut().insert(key(name), Fixed::Blocked);
    }

    /// Removes a name.
    pub fn remove(&self, name: &Name) {
        self.0.borrow_mut().remove(&key(name));
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

fn key(name: &Name) -> Box<[u8]> {
    WireName::from_name(name).lowered().as_bytes().into()
}

impl Handler for Overrides {
    fn handle(&self, query: &Query<'_>) -> Handled {
        let names = self.0.borrow();
        if names.is_empty() {
            return Handled::Pass;
        }
        let name = NameBuffer::lowered(query.wire_name);
        if let Some(Fixed::Addresses(addrs)) = names.get(name.as_bytes()) {
            let is_asked = |addr: &IpAddr| match query.record_type {
                A => addr.is_ipv4(),
                AAAA => addr.is_ipv6(),
                ANY => true,
                _ => false,
            };
            let found = addrs.iter().filter(|addr| is_asked(addr));
            let response =
                found.fold(Response::new(), |it, addr| it.address(query.name(), TTL, *addr));
            return response.recursive(query.recursion_desired()).into();
        }
        let mut rest = Some(name.as_bytes());
        while let Some(name) = rest {
            if let Some(Fixed::Blocked) = names.get(name) {
                return Response::code(ResponseCode::NXDomain)
                    .recursive(query.recursion_desired())
                    .into();
            }
            rest = parent(name);
        }
        Handled::Pass
    }
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrides").field("names", &self.len()).finish()
    }
}
