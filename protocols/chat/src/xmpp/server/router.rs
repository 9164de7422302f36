//! How stanzas get from one address to another: [`Router`].

use std::{fmt, rc::Weak};

use super::{bounce, xmpp_server::Core};
use crate::xmpp::codec::{Element, Jid, StanzaError};

/// Brings stanzas to where their `to` says: a bare or a full address of the domain, the domain itself, a service. A handle, which does not
/// keep the server alive.
///
/// Stanzas are routed one after the other, in the order in which they were given, from the loop: a call only puts the stanza in line, so
/// that it may be made from anywhere, also while another stanza is routed.
#[derive(Clone)]
pub struct Router(pub(super) Weak<Core>);

impl Router {
    /// Routes a stanza of `jabber:client`. The caller has set `from`, and answers for it: a service sends from its own domain only.
    ///
    /// A stanza that cannot be delivered is answered with an error to its `from`, unless it is an error or a result itself. One that is no
    /// stanza, or without an address in `from` and `to`, is dropped and logged.
    pub fn route(&self, stanza: Element) {
        if let Some(core) = self.0.upgrade() {
            core.route(stanza);
        }
    }

    /// Answers a stanza with an error, from its `to` to its `from`; nothing if it is an error or a result itself.
    pub fn refuse(&self, stanza: &Element, error: &StanzaError) {
        if let Some(error) = bounce::error_of(stanza, error) {
            self.route(error);
        }
    }

    /// The domain of the server.
    #[must_use]
    pub fn domain(&self) -> Option<Jid> {
        self.0.upgrade().map(|core| core.domain_jid())
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}
