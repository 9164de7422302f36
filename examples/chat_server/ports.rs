//! The ports of all doors, and their limits.

use sinew::prelude::*;
use sinew::transports::{
    endpoint::ServerEndpoint,
    reactors::{Reactors, Shard},
};

use super::{
    door::Door,
    lines,
    room::{Building, Rules},
    shards::room_of,
};

/// Guests of a port.
const GUESTS_MAX: usize = 500;

#[cfg(not(all(feature = "chat", feature = "http")))]
const MISSING: &str =
    "this program was built without that door: cargo run -p chat_server --features chat,http";

fn config(rules: &Rules) -> ListenConfig {
    let stream = StreamConfig::default().write_limit(rules.unread_max);
    ListenConfig::default().max_connections(GUESTS_MAX).stream(stream)
}

/// For `nc` and telnet.
pub(crate) fn lines(reactors: Reactors, at: ServerEndpoint, building: &Building) -> Reactors {
    let building = building.clone();
    reactors.listen_with(at, config(&building.rules), move |shard: &Shard| {
        let door = Door::open(room_of(shard, &building));
        move |_: &Peer| lines::Guest::arrive(door.clone())
    })
}

/// For clients of IRC.
#[cfg(feature = "chat")]
pub(crate) fn irc(
    reactors: Reactors,
    at: ServerEndpoint,
    building: &Building,
) -> Result<Reactors, &'static str> {
    let building = building.clone();
    Ok(reactors.listen_with(at, config(&building.rules), move |shard: &Shard| {
        let door = Door::open(room_of(shard, &building));
        move |_: &Peer| super::irc::Guest::arrive(door.clone())
    }))
}

#[cfg(not(feature = "chat"))]
pub(crate) fn irc(_: Reactors, _: ServerEndpoint, _: &Building) -> Result<Reactors, &'static str> {
    Err(MISSING)
}

/// For browsers.
#[cfg(feature = "http")]
pub(crate) fn web(
    reactors: Reactors,
    at: ServerEndpoint,
    building: &Building,
) -> Result<Reactors, &'static str> {
    let building = building.clone();
    Ok(reactors.listen_with(at, config(&building.rules), move |shard: &Shard| {
        let door = Door::open(room_of(shard, &building));
        sinew::http::server::HttpServer::new(super::web::site(door))
    }))
}

#[cfg(not(feature = "http"))]
pub(crate) fn web(_: Reactors, _: ServerEndpoint, _: &Building) -> Result<Reactors, &'static str> {
    Err(MISSING)
}
