//! Certificate selection by SNI: [`Identities`], the certificates of a server, which can be replaced while it runs.

use std::{
    cell::Cell,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::Identity;

thread_local! {
    /// The choice for the last ClientHello processed on this thread.
    static CHOICE: Cell<Option<Choice>> = const { Cell::new(None) };
}

/// What a client has asked for, and what it gets.
#[derive(Default)]
pub(super) struct Choice {
    /// The SNI name.
    pub(super) name: Option<Box<str>>,
    /// The certificate.
    pub(super) key: Option<Arc<CertifiedKey>>,
}

/// Takes the choice made since the last call. With unbuffered connections, rustls has the SNI name only for the certificate
/// resolver, and does not say what that has chosen; it runs on the same thread, within the call that processes the ClientHello.
pub(super) fn take_choice() -> Option<Choice> {
    CHOICE.take()
}

/// The certificates of a server. Behind a lock, since rustls requires a resolver to be `Sync`, and one configuration may serve
/// the reactors of many threads.
pub(super) struct Identities {
    all: RwLock<Vec<Identity>>,
    /// Clients that ask for an unknown name are refused.
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
        let named =
            name.and_then(|name| all.iter().find(|identity| identity.certificate().is_for(name)));
        let first = || all.first().filter(|_| !self.is_strict || name.is_none());
        named.or_else(first).map(Identity::certified_key)
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        let key = self.choose(name);
        CHOICE.set(Some(Choice { name: name.map(Box::from), key: key.clone() }));
        key
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}
