//! A simulated network with a server of both protocols, and tasks of clients.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_auth::Secret;
use sinew_chat::historical::{
    Event, Realm, ScreenName, SessionError, SignOnError,
    oscar::{OscarClient, OscarServer},
    toc::{TocClient, TocServer},
};
use sinew_testkit::sim::Network;
use sinew_transports::{ReactorTcp, reactor::Reactor};

pub(super) fn name(text: &str) -> ScreenName {
    text.parse().unwrap()
}

pub(super) fn realm() -> Realm {
    Realm::new(["Ann", "Bob", "Chat Fan"].map(|user| (name(user), Secret::from("secret"))))
}

/// Has the host `server` serve both.
pub(super) fn serve(network: &Network) -> Realm {
    let (server, realm) = (network.host("server"), realm());
    let served = realm.clone();
    server.boot(move |reactor| {
        drop(reactor.listen_tcp("0.0.0.0:5190", OscarServer::new(&served)).unwrap());
        drop(reactor.listen_tcp("0.0.0.0:9898", TocServer::new(&served)).unwrap());
    });
    realm
}

/// Runs a task on a host of this name, until it ends.
pub(super) fn run<T: 'static>(
    network: &Network,
    host: &str,
    task: impl AsyncFnOnce(Reactor) -> T + 'static,
) -> T {
    let place = Rc::new(RefCell::new(None));
    let (filled, reactor) = (Rc::clone(&place), network.host(host).reactor());
    let of_task = reactor.clone();
    reactor.spawn(async move { drop(filled.replace(Some(task(of_task).await))) }).detach();
    network.run_until(Duration::from_secs(10_000), || place.borrow().is_some()).unwrap();
    place.take().unwrap()
}

/// A client of either protocol.
pub(super) enum Client {
    Oscar(OscarClient),
    Toc(TocClient),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    Oscar,
    Toc,
}

impl Client {
    pub(super) async fn sign_on(reactor: &Reactor, by: By, user: &str) -> Self {
        Self::try_sign_on(reactor, by, user, "secret").await.unwrap()
    }

    pub(super) async fn try_sign_on(
        reactor: &Reactor,
        by: By,
        user: &str,
        password: &str,
    ) -> Result<Self, SignOnError> {
        let password = Secret::from(password);
        Ok(match by {
            By::Oscar => Self::Oscar(
                OscarClient::sign_on(reactor, "server:5190", &name(user), &password).await?,
            ),
            By::Toc => {
                Self::Toc(TocClient::sign_on(reactor, "server:9898", &name(user), &password).await?)
            }
        })
    }

    pub(super) async fn next(&mut self) -> Result<Event, SessionError> {
        match self {
            Self::Oscar(client) => client.next().await,
            Self::Toc(client) => client.next().await,
        }
    }

    pub(super) async fn send(&mut self, to: &str, text: &str) -> Result<(), SessionError> {
        match self {
            Self::Oscar(client) => client.send(&name(to), text).await,
            Self::Toc(client) => client.send(&name(to), text).await,
        }
    }

    pub(super) async fn add_buddy(&mut self, user: &str) {
        match self {
            Self::Oscar(client) => client.add_buddies(&[name(user)]).await.unwrap(),
            Self::Toc(client) => client.add_buddies(&[name(user)]).await.unwrap(),
        }
    }

    pub(super) async fn remove_buddy(&mut self, user: &str) {
        match self {
            Self::Oscar(client) => client.remove_buddies(&[name(user)]).await.unwrap(),
            Self::Toc(client) => client.remove_buddies(&[name(user)]).await.unwrap(),
        }
    }

    pub(super) async fn set_away(&mut self, message: Option<&str>) {
        match self {
            Self::Oscar(client) => client.set_away(message).await.unwrap(),
            Self::Toc(client) => client.set_away(message).await.unwrap(),
        }
    }

    pub(super) async fn sign_off(self) {
        match self {
            Self::Oscar(client) => client.sign_off().await,
            Self::Toc(client) => client.sign_off().await,
        }
    }
}
