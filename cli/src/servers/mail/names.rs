//! Who has a mailbox: [`Names`], the names in the file of users, without their passwords.

use std::{cell::RefCell, collections::HashMap, io, path::Path, rc::Rc};

use sinew::{
    mail::routing::{RouteError, User, Users},
    reactor::{Deferred, Reactor},
};

use crate::servers::users_file;

/// The names of a file, which another reading replaces. Clones are the same.
///
/// `ann` has a mailbox in every domain, `ann@example.org` in that one. Capitals of ASCII do not matter in addresses; the account has the name as
/// it is in the file, which is that of the login.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Rc<RefCell<HashMap<String, String>>>);

/// What was read, on its way from a thread.
#[derive(Debug)]
pub(super) struct ReadNames(HashMap<String, String>);

impl Names {
    pub(super) fn replace(&self, read: ReadNames) {
        self.0.replace(read.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// The account of an address.
    fn account(&self, local: &str, domain: &str) -> Option<String> {
        let names = self.0.borrow();
        let (local, domain) = (local.to_ascii_lowercase(), domain.to_ascii_lowercase());
        names.get(&format!("{local}@{domain}")).or_else(|| names.get(&local)).cloned()
    }
}

/// Reads the names, which blocks. Whether the hashes are any is for those who check passwords.
pub(super) fn read(path: &Path) -> io::Result<ReadNames> {
    users_file::names(path).map(ReadNames::new)
}

impl ReadNames {
    fn new(names: Vec<String>) -> Self {
        Self(names.into_iter().map(|name| (name.to_ascii_lowercase(), name)).collect())
    }
}

impl Users for Names {
    fn find(
        &self,
        reactor: &Reactor,
        local: &str,
        domain: &str,
    ) -> Deferred<Option<User>, RouteError> {
        Deferred::ready_on(reactor, self.account(local, domain).map(User::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_domains() {
        let names = Names::default();
        names.replace(ReadNames::new(vec!["Ann".to_owned(), "bob@Example.org".to_owned()]));
        for (local, domain, expected) in [
            ("ann", "example.org", Some("Ann")),
            ("ANN", "example.net", Some("Ann")),
            ("bob", "EXAMPLE.ORG", Some("bob@Example.org")),
            ("bob", "example.net", None),
            ("", "example.org", None),
        ] {
            assert_eq!(names.account(local, domain).as_deref(), expected, "{local}@{domain}");
        }
        assert_eq!(names.len(), 2);
    }
}
