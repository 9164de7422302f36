//! The rooms of several reactors: each has one, and receives the mail of the others.

use std::{cell::OnceCell, rc::Rc};

use sinew::transports::reactors::Shard;

use super::{
    event::Event,
    room::{Building, Room},
};

/// The room of this reactor, made on first use.
pub(crate) fn room_of(shard: &Shard, building: &Building) -> Rc<Room> {
    let room = || Rc::new(Room::new(shard.index(), building.clone(), true));
    shard.local::<OnceCell<Rc<Room>>>().get_or_init(room).clone()
}

/// Something has happened on another reactor.
pub(crate) fn receive(room: &Room, event: &Event) {
    match event {
        Event::Whispered { to, .. } => _ = room.tell_one_here(to, event),
        _ => _ = room.tell_here(event),
    }
}
