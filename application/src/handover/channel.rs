//! The connection between the two processes on a reactor: [`Channel`], the protocol of both ends. What the messages mean is
//! decided by a [`Side`].

use std::{os::fd::OwnedFd, rc::Rc, time::Duration};

use sinew_reactor::Reactor;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport};

use super::message::{Decoder, Malformed, Message};

/// The wait before a message is sent for which there was no room.
const RETRY: Duration = Duration::from_millis(1);

/// One end: what it does with messages.
pub(super) trait Side: 'static {
    /// A message has arrived, with its descriptors.
    fn received(self: Rc<Self>, reactor: &Reactor, message: Message, descriptors: Vec<OwnedFd>);
    /// There may be something to send. Returns whether to ask again soon.
    fn send_more(self: Rc<Self>, transport: &Transport) -> bool;
    /// The connection has ended, or what has arrived is not understood: that is the last of it.
    fn ended(self: Rc<Self>, reactor: &Reactor, malformed: Option<String>);
}

/// The protocol of one end.
pub(super) struct Channel {
    side: Rc<dyn Side>,
    decoder: Decoder,
    is_ended: bool,
    retry: Option<TimerId>,
}

impl Channel {
    pub(super) fn new(side: Rc<dyn Side>, decoder: Decoder) -> Self {
        Self { side, decoder, is_ended: false, retry: None }
    }

    /// Has the side send what it has.
    pub(super) fn send_more(&mut self, transport: &Transport) {
        if self.side.clone().send_more(transport) && self.retry.is_none() {
            self.retry = transport.call_later(RETRY);
        }
    }

    fn take_messages(&mut self, transport: &Transport, reactor: &Reactor) {
        while !self.is_ended {
            match self.decoder.next().map_err(|error| error.to_string()) {
                Ok(None) => return,
                Ok(Some(message)) => match descriptors_of(&message, transport) {
                    Some(descriptors) => {
                        self.side.clone().received(reactor, message, descriptors);
                    }
                    None => {
                        let why = "a descriptor was announced and not sent".to_owned();
                        self.end(transport, reactor, Some(why));
                    }
                },
                Err(why) => self.end(transport, reactor, Some(why)),
            }
        }
    }

    fn end(&mut self, transport: &Transport, reactor: &Reactor, malformed: Option<String>) {
        if !self.is_ended {
            self.is_ended = true;
            if malformed.is_some() {
                transport.pause_reading();
            }
            self.side.clone().ended(reactor, malformed);
        }
    }
}

fn descriptors_of(message: &Message, transport: &Transport) -> Option<Vec<OwnedFd>> {
    (0..message.descriptors()).map(|_| transport.take_descriptor()).collect()
}

impl Protocol for Channel {
    fn connection_made(&mut self, transport: &Transport) {
        let Some(reactor) = transport.reactor() else { return };
        self.take_messages(transport, &reactor);
        self.send_more(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let Some(reactor) = transport.reactor() else { return };
        self.decoder.push(data);
        self.take_messages(transport, &reactor);
        self.send_more(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.retry = None;
        self.send_more(transport);
    }

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        if let Some(reactor) = transport.reactor() {
            self.end(transport, &reactor, None);
        }
    }
}

impl From<Malformed> for String {
    fn from(error: Malformed) -> Self {
        error.to_string()
    }
}
