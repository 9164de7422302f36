//! Rooms (XEP-0045): [`RoomService`] has them at a domain of a server; [`Rooms`] is their state, pure.
//!
//! | what | |
//! |---|---|
//! | entering | nicks and conflicts, passwords, rooms for members, bans, history by stanzas, bytes and time, the subject |
//! | talk | to all, to one (`allowpm`), questions between occupants, pings to oneself (XEP-0410), invitations through the room |
//! | moderators | kicks, voice, lists of roles |
//! | admins | bans, members, moderators, lists |
//! | owners | the configuration as a form, instant rooms, owners and admins, the end of the room |
//! | discovery | the list of rooms; what a room is |
//!
//! Left out: registration with a room, requests for voice, several sessions under one nick, archives of rooms (XEP-0313).

mod admin;
mod affiliation;
mod disco;
mod entry;
mod form;
mod history;
mod invitations;
mod nick;
mod occupant_questions;
mod owner;
mod record;
mod room;
mod room_folder;
mod room_service;
mod room_settings;
mod rooms_config;
mod rooms_state;
mod talk;
mod unsaved_rooms;

pub use {
    affiliation::{Affiliation, Role},
    record::RecordError,
    room::{Occupant, Room},
    room_folder::RoomStoreError,
    room_service::{RoomService, RoomsReport},
    room_settings::{PrivateMessages, RoomSettings},
    rooms_config::RoomsConfig,
    rooms_state::{RoomChange, Rooms},
};
