//! The chat server: rooms and their members. It does not depend on the simulation.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use sinew::{
    prelude::*,
    protocols::basic::{LineHandler, LineReceiver, LineTransport, send_line},
};

use crate::SILENCE_MAX;

/// The transports of the members of each room.
type Rooms = Rc<RefCell<BTreeMap<usize, Vec<Transport>>>>;

/// A connected member. The first line names the room; later lines are sent to all its members.
struct Guest {
    rooms: Rooms,
    room: Option<usize>,
}

impl LineHandler for Guest {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.set_idle_timeout(SILENCE_MAX);
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let Some(room) = self.room else {
            let Some(room) = str::from_utf8(line).ok().and_then(|line| line.parse().ok()) else {
                return transport.lose_connection();
            };
            self.room = Some(room);
            self.rooms.borrow_mut().entry(room).or_default().push((**transport).clone());
            return;
        };
        for guest in self.rooms.borrow().get(&room).into_iter().flatten() {
            let _ = send_line(guest, line);
        }
    }

    fn connection_lost(&mut self, transport: &mut LineTransport<'_>, _: &ConnectionLost) {
        if let Some(guests) = self.room.and_then(|room| self.rooms.borrow_mut().remove(&room)) {
            let id = transport.id();
            let rest: Vec<_> = guests.into_iter().filter(|guest| guest.id() != id).collect();
            if let Some(room) = self.room.filter(|_| !rest.is_empty()) {
                self.rooms.borrow_mut().insert(room, rest);
            }
        }
    }
}

/// The server's program.
pub(crate) fn serve(reactor: &Reactor) {
    let rooms = Rooms::default();
    let factory = move |_: &Peer| LineReceiver::new(Guest { rooms: rooms.clone(), room: None });
    if let Err(error) = reactor.listen_tcp("0.0.0.0:6667", factory) {
        eprintln!("error: {error}");
    }
}
