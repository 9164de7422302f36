//! Connections whose requests and answers are bytes of a stream: [`StreamClient`], the protocol around an
//! [`Exchange`].

use std::{cell::RefCell, rc::Rc};

use sinew::{prelude::*, transports::endpoint::ClientEndpoint};

use super::{
    exchange::{Exchange, Found},
    lane::{Lane, Wire},
    load::{Dial, Load},
    tally::Trouble,
};

/// What the protocol and the lane share.
struct StreamWire {
    transport: Transport,
    exchange: RefCell<Box<dyn Exchange>>,
    /// The request that is being written. Kept for its capacity.
    out: RefCell<Vec<u8>>,
}

impl Wire for StreamWire {
    fn send(&self) -> usize {
        let mut out = self.out.borrow_mut();
        out.clear();
        self.exchange.borrow_mut().request(&mut out);
        self.transport.write(&out[..]);
        out.len()
    }

    fn abort(&self) {
        self.transport.abort();
    }
}

/// The protocol of one connection.
struct StreamClient {
    load: Rc<Load>,
    lane: Rc<Lane>,
    exchange: Option<Box<dyn Exchange>>,
    wire: Option<Rc<StreamWire>>,
    /// Why this end has given up.
    trouble: Option<Trouble>,
}

/// Connections to `endpoint`, each with an exchange of its own.
pub(crate) fn dial(
    endpoint: ClientEndpoint,
    make: impl Fn() -> Box<dyn Exchange> + 'static,
) -> Dial {
    Box::new(move |reactor, load, lane| {
        let (own_load, own_lane, exchange) = (load.clone(), lane.clone(), make());
        let mut exchange = Some(exchange);
        let factory = move |_: &Peer| StreamClient {
            load: own_load.clone(),
            lane: own_lane.clone(),
            exchange: exchange.take(),
            wire: None,
            trouble: None,
        };
        let config = ConnectConfig::default().timeout(load.timeout());
        let (load, lane) = (load.clone(), lane.clone());
        endpoint.connect_with(reactor, config, factory).then(move |reactor, connected| {
            match connected {
                Ok(connection) => drop(connection),
                Err(error) => load.not_connected(reactor, &lane, error.to_string()),
            }
        });
    })
}

impl StreamClient {
    /// The lane has given this connection up, or never had it.
    fn is_stale(&self) -> bool {
        let wire = self.wire.clone().map(|wire| wire as Rc<dyn Wire>);
        !wire.is_some_and(|wire| self.lane.is_on(&wire))
    }

    fn give_up(&mut self, transport: &Transport, trouble: Trouble) {
        self.trouble = Some(trouble);
        transport.abort();
    }

    /// Passes on what was found. Returns whether the connection goes on.
    fn found(&self, reactor: &Reactor, transport: &Transport, found: Found) -> bool {
        let (is_last, failure) = match found {
            Found::Incomplete => return false,
            Found::Answer => (false, None),
            Found::LastAnswer => (true, None),
            Found::Failure(trouble) => (false, Some(trouble)),
            Found::LastFailure(trouble) => (true, Some(trouble)),
        };
        if is_last {
            self.load.answered_last(reactor, &self.lane, failure);
            transport.lose_connection();
        } else {
            self.load.answered(reactor, &self.lane, failure);
        }
        !is_last
    }
}

impl Protocol for StreamClient {
    fn connection_made(&mut self, transport: &Transport) {
        let (Some(exchange), Some(reactor)) = (self.exchange.take(), transport.reactor()) else {
            return transport.abort();
        };
        // A server that stops reading until its answers are read would wait for ever otherwise.
        transport.set_auto_pause(false);
        let wire = Rc::new(StreamWire {
            transport: transport.clone(),
            exchange: RefCell::new(exchange),
            out: RefCell::default(),
        });
        self.wire = Some(wire.clone());
        self.lane.connect(wire);
        self.load.connected(&reactor, &self.lane);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let (Some(wire), Some(reactor)) = (self.wire.clone(), transport.reactor()) else { return };
        if self.is_stale() {
            return;
        }
        self.load.received(data.len());
        let mut data = data;
        while !data.is_empty() {
            if self.lane.is_idle() {
                self.load.unasked();
                return self.give_up(transport, Trouble::Unasked);
            }
            let found = wire.exchange.borrow_mut().answer(&mut data);
            match found {
                Ok(found) => {
                    if !self.found(&reactor, transport, found) {
                        return;
                    }
                }
                Err(trouble) => return self.give_up(transport, trouble),
            }
        }
    }

    fn read_closed(&mut self, transport: &Transport) {
        let is_answer = !self.lane.is_idle() && !self.is_stale();
        if let (Some(wire), Some(reactor), true) = (&self.wire, transport.reactor(), is_answer) {
            let found = wire.exchange.borrow_mut().end_of_input();
            if let Some(found) = found {
                self.found(&reactor, transport, found);
            }
        }
        transport.lose_connection();
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        let Some(reactor) = transport.reactor() else { return };
        if self.wire.is_none() || self.is_stale() {
            return;
        }
        let unanswered = self.lane.disconnected();
        let trouble = self.trouble.take().unwrap_or_else(|| Trouble::Lost(reason.to_string()));
        self.load.lost(&reactor, &self.lane, unanswered, &trouble);
    }
}
