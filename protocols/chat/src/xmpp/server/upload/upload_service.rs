//! Slots for uploads as a service of a server: [`UploadService`].

use std::{cell::RefCell, fmt};

use sinew_transports::reactor::{Reactor, WeakReactor, with_causes};

use super::{UploadConfig, Uploads};
use crate::xmpp::{
    codec::{Element, ErrorKind, Jid, StanzaCondition, StanzaError, ns},
    server::{Router, Service, bounce::auth},
};

/// Gives slots for uploads over HTTP (XEP-0363) at a domain of its own. Give it to
/// [`ServerConfig::service`](crate::xmpp::server::ServerConfig::service), with the same domain. Where the files go is said in the
/// [module](super).
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_chat::xmpp::server::{
///     ServerConfig,
///     upload::{UploadConfig, UploadKey, UploadService},
/// };
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let key = UploadKey::new("32 random bytes would be better..");
/// let config = UploadConfig::new("https://files.example.org/upload", key);
/// let domain = "upload.example.org";
/// let uploads = UploadService::new(&reactor, domain.parse()?, config);
/// let users = Users::new().user("ann", "secret");
/// let config = ServerConfig::new("example.org", users)?.service(domain, uploads)?;
/// # drop(config);
/// # Ok(())
/// # }
/// ```
pub struct UploadService {
    reactor: WeakReactor,
    uploads: RefCell<Uploads>,
}

impl UploadService {
    /// A service that has given no slots yet.
    #[must_use]
    pub fn new(reactor: &Reactor, domain: Jid, config: UploadConfig) -> Self {
        let uploads = RefCell::new(Uploads::new(domain, config));
        Self { reactor: reactor.downgrade(), uploads }
    }
}

impl Service for UploadService {
    fn stanza_received(&self, router: &Router, stanza: Element) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        // Slots are for accounts of the server: a component has as many addresses as it likes.
        let from = stanza.attribute("from").and_then(|from| from.parse::<Jid>().ok());
        let is_ours =
            from.zip(router.domain()).is_some_and(|(from, ours)| from.domain() == ours.domain());
        if !is_ours && stanza.child("request", ns::UPLOAD).is_some() {
            return router.refuse(&stanza, &auth(StanzaCondition::Forbidden));
        }
        let mut random = [0; 16];
        if let Err(error) = getrandom::fill(&mut random) {
            tracing::error!(error = %with_causes(&error), "the system has no random bytes for the address of an upload");
            let failed = StanzaError::new(ErrorKind::Wait, StanzaCondition::InternalServerError);
            return router.refuse(&stanza, &failed);
        }
        let random = u128::from_be_bytes(random);
        let mut uploads = self.uploads.borrow_mut();
        let answer = uploads.stanza_received(stanza, random, reactor.wall_clock());
        drop(uploads);
        if let Some(answer) = answer {
            router.route(answer);
        }
    }

    fn name(&self) -> String {
        self.uploads.borrow().name().to_owned()
    }
}

impl fmt::Debug for UploadService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadService").finish_non_exhaustive()
    }
}
