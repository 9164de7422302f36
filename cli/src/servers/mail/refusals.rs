//! Mail that is refused though it should not be: [`Refusals`]. That for postmaster has to be accepted in every domain (RFC 5321 4.5.1), and a
//! catch-all is there to have mail accepted.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew::{
    mail::{
        routing::{RouteError, Router},
        smtp::codec::{Recipient, Sender},
    },
    prelude::Reactor,
    reactor::Excerpt,
};

use crate::run::Context;

/// The name of nobody, which stands for those that only a catch-all has.
const NOBODY: &str = "sinew-check.nobody-has-this-name";

/// The domains, and who knows where mail in them goes. It cannot be known for good: users and aliases change while the server runs.
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    router: Router,
    domains: Vec<String>,
}

impl Refusals {
    pub(super) fn new(router: Router, domains: &[String]) -> Self {
        Self { router, domains: domains.to_vec() }
    }

    /// A text for each domain in which mail for postmaster is refused, and for each catch-all that leads nowhere.
    pub(super) async fn texts(&self, reactor: &Reactor) -> Vec<String> {
        let mut texts = Vec::new();
        for domain in &self.domains {
            if let Some(error) = self.error(reactor, "postmaster", domain).await {
                let domain = Excerpt::new(domain);
                texts.push(format!(
                    "mail for postmaster@{domain} is refused: {error}. Every server has to accept it (RFC 5321 4.5.1): let \
                     postmaster be a user, an alias or an address elsewhere"
                ));
            }
        }
        let is_local =
            |domain: &String| self.domains.iter().any(|local| local.eq_ignore_ascii_case(domain));
        let (local, others): (Vec<_>, Vec<_>) =
            self.router.catch_all_domains().into_iter().partition(is_local);
        for domain in local {
            if let Some(error) = self.error(reactor, NOBODY, &domain).await {
                let domain = Excerpt::new(&domain);
                texts.push(format!("what the alias @{domain} catches is refused: {error}"));
            }
        }
        // One text for all: there may be many.
        if let Some(first) = others.first() {
            let (first, count) = (Excerpt::new(first), others.len());
            texts.push(format!(
                "the alias @{first} catches nothing, since {first} is no domain of this server; there are {count} of this kind"
            ));
        }
        texts
    }

    async fn error(&self, reactor: &Reactor, local: &str, domain: &str) -> Option<RouteError> {
        let to = Recipient::new(format!("{local}@{domain}").parse().ok()?);
        self.router.route(reactor, &to, &Sender::new(None)).await.err()
    }

    /// The same for `sinew check`, whose reactor does not run on its own. What needs a look at the mailboxes, as with a program for
    /// logins, is not known then, but when the server runs.
    pub(super) fn check(&self, context: &Context) {
        let (this, reactor, found) = (self.clone(), context.reactor().clone(), Rc::default());
        let place: Rc<RefCell<Vec<String>>> = Rc::clone(&found);
        let look = async move { drop(place.replace(this.texts(&reactor).await)) };
        let task = context.reactor().spawn(look);
        // What the router logs is in the texts. A failure says that it is not known now.
        let quiet = tracing::subscriber::NoSubscriber::default();
        let _ =
            tracing::subscriber::with_default(quiet, || context.reactor().advance(Duration::ZERO));
        drop(task);
        found.take().into_iter().for_each(|text| context.warn(text));
    }
}
