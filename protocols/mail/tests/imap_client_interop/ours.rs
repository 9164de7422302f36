//! The same session with the server of this crate.

use std::rc::Rc;

use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_mail::{
    imap::server::{ImapServer, ServerConfig},
    store::MemoryStore,
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::session::play;

#[test]
fn our_server_and_this_client() {
    crate::watchdog::watch_this_test();
    let store = MemoryStore::default();
    store.create_account("ann").unwrap();
    let config = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Authenticator::with(Users::new().user("ann", "secret"), config);
    let reactor = Reactor::new().unwrap();
    let server = ImapServer::new(ServerConfig::new(users, Rc::new(store)));
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let done = reactor.run_until(play(reactor.clone(), port.local().to_string()));
    if let Err(error) = done.unwrap() {
        panic!("{error:?}");
    }
}
