//! The log as an audience of the room: who joins and leaves is written to it, and not what is said.

use std::rc::{Rc, Weak};

use super::{
    event::Event,
    room::{Audience, Room},
};

pub(super) struct Log;

impl Log {
    /// The log is kept as long as this.
    pub(super) fn open(room: &Room) -> Rc<Self> {
        let log = Rc::new(Self);
        let audience: Weak<dyn Audience> = Rc::<Self>::downgrade(&log);
        room.add_door(audience);
        log
    }
}

impl Audience for Log {
    fn tell_all(&self, event: &Event) -> bool {
        match event {
            Event::Joined { name } => tracing::info!(%name, "joined"),
            Event::Renamed { from, name } => tracing::info!(%from, %name, "renamed"),
            Event::Left { name, why } => tracing::info!(%name, %why, "left"),
            Event::Said { .. } | Event::Whispered { .. } => {}
        }
        false
    }

    fn tell_one(&self, _: &str, _: &Event) -> Option<bool> {
        None
    }
}
