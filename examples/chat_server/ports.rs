//! The ports of all doors, and their limits.

use std::rc::Rc;

use sinew::prelude::*;
use sinew::transports::{
    endpoint::ServerEndpoint,
    reactors::{Reactors, Shard},
};

use super::{
    door::{Door, Language},
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

/// A port of each reactor, whose door opens to the room of that reactor.
fn listen<L: Language + 'static, F: Factory>(
    reactors: Reactors,
    at: ServerEndpoint,
    building: &Building,
    guests: impl Fn(Rc<Door<L>>) -> F + Send + Sync + 'static,
) -> Reactors {
    let building = building.clone();
    reactors.listen_with(at, config(&building.rules), move |shard: &Shard| {
        guests(Door::open(room_of(shard, &building)))
    })
}

/// For `nc` and telnet.
pub(crate) fn lines(reactors: Reactors, at: ServerEndpoint, building: &Building) -> Reactors {
    listen(reactors, at, building, |door| move |_: &Peer| lines::Guest::arrive(door.clone()))
}

/// For clients of IRC.
#[cfg(feature = "chat")]
pub(crate) fn irc(
    reactors: Reactors,
    at: ServerEndpoint,
    building: &Building,
) -> Result<Reactors, &'static str> {
    use super::irc::{Guest, Irc};
    let guests = |door: Rc<Door<Irc>>| move |_: &Peer| Guest::arrive(door.clone());
    Ok(listen(reactors, at, building, guests))
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
    let guests = |door| sinew::http::server::HttpServer::new(super::web::site(door));
    Ok(listen(reactors, at, building, guests))
}

#[cfg(not(feature = "http"))]
pub(crate) fn web(_: Reactors, _: ServerEndpoint, _: &Building) -> Result<Reactors, &'static str> {
    Err(MISSING)
}
