//! Whether mail for postmaster is accepted, as it has to be in every domain (RFC 5321 4.5.1): [`Postmaster`].

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew::{
    mail::{
        routing::Router,
        smtp::codec::{Recipient, Sender},
    },
    prelude::Reactor,
    reactor::Excerpt,
};

use crate::run::Context;

/// The domains, and who knows where mail in them goes. It cannot be known for good: users and aliases change while the server runs.
#[derive(Clone, Debug)]
pub(super) struct Postmaster {
    router: Router,
    domains: Vec<String>,
}

impl Postmaster {
    pub(super) fn new(router: Router, domains: &[String]) -> Self {
        Self { router, domains: domains.to_vec() }
    }

    /// A text for each domain in which mail for postmaster is refused.
    pub(super) async fn refused(&self, reactor: &Reactor) -> Vec<String> {
        let mut refused = Vec::new();
        for domain in &self.domains {
            let Ok(address) = format!("postmaster@{domain}").parse() else { continue };
            let to = Recipient::new(address);
            if let Err(error) = self.router.route(reactor, &to, &Sender::new(None)).await {
                let domain = Excerpt::new(domain);
                refused.push(format!(
                    "mail for postmaster@{domain} is refused: {error}. Every server has to accept it (RFC 5321 4.5.1): let \
                     postmaster be a user, an alias or an address elsewhere"
                ));
            }
        }
        refused
    }

    /// The same for `sinew check`, whose reactor does not run on its own. What needs a look at the mailboxes, as with a program for
    /// logins, is not known then, but when the server runs.
    pub(super) fn check(&self, context: &Context) {
        let (this, reactor, found) = (self.clone(), context.reactor().clone(), Rc::default());
        let place: Rc<RefCell<Vec<String>>> = Rc::clone(&found);
        let look = async move { drop(place.replace(this.refused(&reactor).await)) };
        let task = context.reactor().spawn(look);
        // What the router logs is in the texts. A failure says that it is not known now.
        let quiet = tracing::subscriber::NoSubscriber::default();
        let _ =
            tracing::subscriber::with_default(quiet, || context.reactor().advance(Duration::ZERO));
        drop(task);
        found.take().into_iter().for_each(|text| context.warn(text));
    }
}
