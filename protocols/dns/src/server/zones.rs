//! Authoritative zones as a handler: [`Zones`]. A new version replaces the old one at once; transfers that run go on with the old.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    fmt,
    rc::Rc,
    sync::Arc,
};

use super::{Acl, Handled, Handler, Query, transfer::Changes};
use crate::{
    codec::Name,
    zone::{
        Zone,
        difference::Difference,
        name::{WireName, label_count, parent},
        schema::{AXFR, DS, IXFR},
    },
};

/// Zones that are served, by the longest name that a question ends in. Questions about other names are passed on. Cheap to clone: clones
/// share the zones.
///
/// # Examples
///
/// ```
/// use sinew_dns::{server::{DnsServer, Zones}, zone::Zone};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let zones = Zones::new();
/// zones.insert(Zone::parse("@ 60 SOA ns root 1 1 1 1 1\n A 192.0.2.1", &"example.".parse()?)?);
/// let server = DnsServer::new(zones.clone());
/// // While the server runs:
/// zones.insert(Zone::parse("@ 60 SOA ns root 2 1 1 1 1\n A 192.0.2.2", &"example.".parse()?)?);
/// assert_eq!(zones.get(&"example.".parse()?).map(|zone| zone.serial()), Some(2));
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Zones(Rc<Inner>);

#[derive(Default)]
struct Inner {
    /// By names in lower case.
    zones: RefCell<HashMap<Box<[u8]>, Served>>,
    /// Labels of the longest name. It does not shrink.
    depth_max: Cell<usize>,
    access: RefCell<Option<TransferAccess>>,
    journal: Cell<usize>,
}

/// A zone with what led to it.
struct Served {
    zone: Arc<Zone>,
    journal: VecDeque<Arc<Difference>>,
}

/// Maximum records of one step of the journal; beyond, the journal is emptied, and the whole zone is sent.
const DIFFERENCE_MAX: usize = 100_000;

/// Who may receive whole zones.
#[derive(Clone, Debug)]
#[must_use]
pub struct TransferAccess {
    acl: Acl,
    key: Option<Name>,
}

impl TransferAccess {
    /// Clients of these addresses, over TCP, where they are not forged.
    pub fn new(acl: Acl) -> Self {
        Self { acl, key: None }
    }

    /// Only with queries that are signed with the key of this name, which the server knows
    /// ([`ServerConfig::key`](super::ServerConfig::key)).
    pub fn key(mut self, name: Name) -> Self {
        self.key = Some(name);
        self
    }

    fn allows(&self, query: &Query<'_>) -> bool {
        let has_key = self.key.as_ref().is_none_or(|name| query.key() == Some(name));
        has_key && self.acl.allows_client(query.client().map(|addr| addr.ip()))
    }
}

impl Zones {
    /// No zones.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves a zone, instead of an older version of it, which is returned. Takes a [`Zone`], or an `Arc` of one that several
    /// reactors serve.
    pub fn insert(&self, zone: impl Into<Arc<Zone>>) -> Option<Arc<Zone>> {
        let zone = zone.into();
        let key = zone.wire_origin().to_ascii_lowercase();
        self.0.depth_max.set(self.0.depth_max.get().max(label_count(&key)));
        let mut zones = self.0.zones.borrow_mut();
        let old = zones.remove(key.as_slice());
        let mut journal = VecDeque::new();
        let old = old.map(|old| {
            journal = old.journal;
            old.zone
        });
        if let Some(old) = old.as_ref().filter(|_| self.0.journal.get() > 0) {
            let is_newer = (zone.serial().wrapping_sub(old.serial()) as i32) > 0;
            match Difference::between(old, &zone, DIFFERENCE_MAX).filter(|_| is_newer) {
                Some(difference) => journal.push_back(Arc::new(difference)),
                // Without this step, those before lead nowhere.
                None => journal.clear(),
            }
        }
        while journal.len() > self.0.journal.get() {
            journal.pop_front();
        }
        zones.insert(key.into(), Served { zone, journal });
        old
    }

    /// Stops serving a zone, and returns it.
    pub fn remove(&self, origin: &Name) -> Option<Arc<Zone>> {
        let key = WireName::from_name(origin).lowered();
        self.0.zones.borrow_mut().remove(key.as_bytes()).map(|served| served.zone)
    }

    /// The zone of this name.
    #[must_use]
    pub fn get(&self, origin: &Name) -> Option<Arc<Zone>> {
        let key = WireName::from_name(origin).lowered();
        self.0.zones.borrow().get(key.as_bytes()).map(|served| served.zone.clone())
    }

    /// How many zones there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.zones.borrow().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.zones.borrow().is_empty()
    }

    /// Who may receive whole zones (AXFR, IXFR). Default: nobody, transfers are refused.
    pub fn allow_transfers(&self, access: TransferAccess) {
        *self.0.access.borrow_mut() = Some(access);
    }

    /// Keeps what has changed in the last `versions` of each zone, at most 100,000 records each, for incremental transfers (IXFR).
    /// Comparing a new version with the one before takes time in the loop, about a microsecond a record. Default 0: whole zones are
    /// sent.
    pub fn journal(&self, versions: usize) {
        self.0.journal.set(versions);
    }

    /// The zone that a name on the wire, in lower case, ends in.
    fn find(&self, name: &[u8]) -> Option<Arc<Zone>> {
        let zones = self.0.zones.borrow();
        let (mut labels, mut rest) = (label_count(name), Some(name));
        while let Some(name) = rest {
            if labels <= self.0.depth_max.get()
                && let Some(served) = zones.get(name)
            {
                return Some(served.zone.clone());
            }
            labels = labels.saturating_sub(1);
            rest = parent(name);
        }
        None
    }

    fn transfer(&self, query: &Query<'_>, name: &[u8]) -> Handled {
        let zones = self.0.zones.borrow();
        let Some(served) = zones.get(name) else { return Handled::Pass };
        let access = self.0.access.borrow();
        if !access.as_ref().is_some_and(|access| access.allows(query)) {
            return crate::codec::ResponseCode::Refused.into();
        }
        let zone = served.zone.clone();
        match query.serial().filter(|_| query.record_type == IXFR) {
            None => Handled::Transfer(zone),
            // Nothing newer (RFC 1995, section 2).
            Some(serial) if (zone.serial().wrapping_sub(serial) as i32) <= 0 => {
                Handled::Changes(Changes::since(zone, Vec::new()))
            }
            Some(serial) => {
                let known = served.journal.iter().position(|it| it.from() == serial);
                let is_whole = served.journal.back().is_none_or(|it| it.to() != zone.serial());
                match known.filter(|_| !is_whole) {
                    Some(at) => {
                        let steps = served.journal.iter().skip(at).cloned().collect();
                        Handled::Changes(Changes::since(zone, steps))
                    }
                    None => Handled::Transfer(zone),
                }
            }
        }
    }
}

impl Handler for Zones {
    fn handle(&self, query: &Query<'_>) -> Handled {
        let name = crate::zone::name::NameBuffer::lowered(query.wire_name);
        let name = name.as_bytes();
        if matches!(query.record_type, AXFR | IXFR) {
            return self.transfer(query, name);
        }
        let Some(zone) = self.find(name) else { return Handled::Pass };
        // The DS records of a zone are in the zone above it (RFC 4035, section 3.1.4.1).
        if query.record_type == DS
            && zone.wire_origin().len() == name.len()
            && let Some(above) = parent(name).and_then(|name| self.find(name))
        {
            return Handled::Zone(above);
        }
        Handled::Zone(zone)
    }
}

impl fmt::Debug for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zones = self.0.zones.borrow();
        f.debug_list().entries(zones.values().map(|served| &served.zone)).finish()
    }
}
