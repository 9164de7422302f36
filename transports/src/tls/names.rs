//! Which certificate a client is shown: [`Identities`], all that a server has, to be changed while it runs.

use std::{
    cell::Cell,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    client::verify_server_name,
    pki_types::ServerName,
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::Identity;

thread_local! {
    /// The name that the last client asked for on this thread.
    static ASKED: Cell<Option<Box<str>>> = const { Cell::new(None) };
}

/// The name that was asked for since this was last called. rustls tells it to the one who chooses the certificate, and to nobody
/// else as long as the buffers are ours; both are on the same thread, and one after the other.
pub(super) fn take_asked() -> Option<Box<str>> {
    ASKED.take()
}

/// The certificates of a server. The one place here with a lock in it: rustls wants what it asks to be `Sync`, and one
/// configuration may serve the reactors of many threads.
pub(super) struct Identities {
    all: RwLock<Vec<Identity>>,
    /// Nobody is served who asks for a name that is on no certificate.
    is_strict: bool,
}

impl Identities {
    pub(super) const fn new(all: Vec<Identity>, is_strict: bool) -> Self {
        Self { all: RwLock::new(all), is_strict }
    }

    pub(super) fn replace(&self, all: Vec<Identity>) {
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    pub(super) const fn is_strict(&self) -> bool {
        self.is_strict
    }

    pub(super) fn all(&self) -> Vec<Identity> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let named = name.and_then(|name| all.iter().find(|identity| identity.is_for(name)));
        let first = || all.first().filter(|_| !self.is_strict || name.is_none());
        named.or_else(first).map(Identity::certified_key)
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        ASKED.set(name.map(Box::from));
        self.choose(name)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

impl Identity {
    /// Whether the certificate is for a server of this name.
    fn is_for(&self, name: &str) -> bool {
        let key = self.certified_key();
        let (Some(der), Ok(name)) = (key.cert.first(), ServerName::try_from(name)) else {
            return false;
        };
        ParsedCertificate::try_from(der)
            .is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }
}
