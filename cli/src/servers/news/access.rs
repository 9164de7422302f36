//! Who may read, post and feed: [`Rights`], by address or by login.

use sinew::{
    dns::server::Acl,
    news::nntp::server::{Access, NewsHandler, Session},
};

use crate::servers::dns::{Network, allowing};

#[derive(Clone, Debug)]
pub(super) struct Rights {
    read: Acl,
    post: Acl,
    feed: Acl,
}

impl Rights {
    pub(super) fn new(read: &[Network], post: &[Network], feed: &[Network]) -> Self {
        Self {
            read: allowing(Acl::loopback(), read),
            post: allowing(Acl::loopback(), post),
            feed: allowing(Acl::nobody(), feed),
        }
    }
}

impl NewsHandler for Rights {
    fn access(&self, session: &Session) -> Access {
        let ip = session.peer().ip();
        let is_in = |acl: &Acl| ip.is_some_and(|ip| acl.allows(ip));
        // A Unix socket is of this machine.
        let is_local = ip.is_none();
        let has_login = session.identity().is_some();
        let access = match () {
            () if has_login || is_local || is_in(&self.post) => Access::read_and_post(),
            () if is_in(&self.read) => Access::read(),
            () => Access::none(),
        };
        if is_in(&self.feed) { access.feeding() } else { access }
    }
}
