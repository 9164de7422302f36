//! Connections that two ways make at once: each has its own end, and those who wait for the component wait for the one that is there.

use std::{cell::RefCell, rc::Rc};

use sinew_chat::xmpp::component::{ComponentError, ComponentHandler, XmppComponent};
use sinew_transports::{endpoint::ClientEndpoint, names::ReactorNames, reactor::Deferred};

use super::script::{HEADER, Script, config};
use crate::never::never;

/// A component that has been offline once, whose next connection is up to the test. No name of a host is ever found.
fn offline() -> Script {
    let script = Script::online(config());
    script.wire.reset();
    script.advance(0);
    script.reactor.set_resolver(never);
    script
}

fn log_in(script: &Script) {
    script.receive(HEADER);
    script.receive("<handshake/>");
}

#[test]
fn an_attempt_that_fails_behind_a_faster_connection() {
    let mut script = offline();
    let nobody: ClientEndpoint = "memory:nobody".parse().unwrap();
    let slow = script.xmpp.connect(&script.reactor, nobody);
    let online = script.xmpp.when_online();
    script.reconnect();
    assert!(matches!(slow.take(), Some(Err(ComponentError::Connected))));
    assert!(!online.is_settled());
    log_in(&script);
    assert!(script.xmpp.is_online() && matches!(online.take(), Some(Ok(()))));
}

#[test]
fn an_attempt_that_is_given_up_behind_a_faster_connection() {
    let mut script = offline();
    let slow = script.xmpp.connect(&script.reactor, ("slow.example", 5347));
    let online = script.xmpp.when_online();
    script.reconnect();
    assert!(!slow.is_settled());
    drop(slow);
    script.advance(0);
    assert!(!online.is_settled());
    log_in(&script);
    assert!(script.xmpp.is_online() && matches!(online.take(), Some(Ok(()))));
}

#[test]
fn a_connection_that_fails_before_the_attempt() {
    let mut script = offline();
    let slow = script.xmpp.connect(&script.reactor, ("slow.example", 5347));
    let online = script.xmpp.when_online();
    script.reconnect();
    script.wire.reset();
    script.advance(0);
    assert!(matches!(online.take(), Some(Err(ComponentError::Lost { .. }))));
    // It still connects, and is told how that ends.
    assert!(!slow.is_settled());
    script.xmpp.quit();
    script.advance(0);
    assert!(matches!(slow.take(), Some(Err(ComponentError::Connect(_)))));
}

/// Waits again as soon as a handshake has failed.
struct WaitsAgain(Rc<RefCell<Option<Deferred<(), ComponentError>>>>);

impl ComponentHandler for WaitsAgain {
    fn handshake_failed(&mut self, xmpp: &XmppComponent, _: &ComponentError) {
        assert!(!xmpp.is_online());
        *self.0.borrow_mut() = Some(xmpp.when_online());
    }
}

#[test]
fn who_waits_in_a_handler_waits_for_the_next_connection() {
    let again = Rc::default();
    let script = Script::with(config(), WaitsAgain(Rc::clone(&again)));
    let first = script.xmpp.when_online();
    script.wire.reset();
    script.advance(0);
    assert!(matches!(first.take(), Some(Err(ComponentError::Lost { .. }))));
    assert!(!again.take().expect("the handshake has failed").is_settled());
}
