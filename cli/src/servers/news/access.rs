//! Who may read, post and feed: [`Rights`], by address or by login.

use sinew::{
    dns::server::Acl,
    news::nntp::{
        codec::{Article, GroupName},
        server::{Access, NewsHandler, Refusal, Session, Verdict},
    },
};

use super::values::Moderator;
use crate::servers::dns::{Network, allowing};

#[derive(Clone, Debug)]
pub(super) struct Rights {
    read: Acl,
    post: Acl,
    feed: Acl,
    moderators: Vec<Moderator>,
}

impl Rights {
    pub(super) fn new(
        read: &[Network],
        post: &[Network],
        feed: &[Network],
        moderators: &[Moderator],
    ) -> Self {
        Self {
            read: allowing(Acl::loopback(), read),
            post: allowing(Acl::loopback(), post),
            feed: allowing(Acl::nobody(), feed),
            moderators: moderators.to_vec(),
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
        let name = session.identity().map(sinew::auth::Identity::name);
        let moderator = self.moderators.iter().find(|moderator| name == Some(moderator.name()));
        let access = match moderator {
            Some(moderator) => access.approving(moderator.groups().clone()),
            None => access,
        };
        if is_in(&self.feed) { access.feeding() } else { access }
    }

    /// Articles are not sent to moderators by mail: those who moderate log in.
    fn moderated(&self, _: &Session, group: &GroupName, _: &Article) -> Verdict {
        let text = format!("{group} is moderated: only its moderators post to it, with Approved");
        // The name of a group has no line end.
        Verdict::refuse(Refusal::new(text).unwrap_or_else(|_| Refusal::try_later()))
    }
}
