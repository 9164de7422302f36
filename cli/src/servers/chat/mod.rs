//! `sinew chat`: a room to talk in, by lines: `nc` and telnet are clients. `room.rs` is who is there, `guest.rs` one connection.

mod guest;
mod room;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use serde::Deserialize;
use sinew::{
    application::{ServerService, Service, StartError},
    prelude::*,
    transports::endpoint::ServerEndpoint,
};

use crate::{
    quantity::{Interval, Size},
    run::{Context, ServerCommand},
};
use guest::Guest;
use room::Room;

/// Guests at once, unless `--max-connections` says otherwise.
const GUESTS_MAX: usize = 10_000;

/// The arguments of `sinew chat`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Chat {
    /// Said to each guest who joins
    #[arg(long, value_name = "TEXT")]
    pub(crate) welcome: Option<String>,
    /// Drop a guest for whom so much waits to be sent: one who does not read
    #[arg(long, default_value_t = Size(256 << 10), value_name = "SIZE")]
    pub(crate) max_unread: Size,
    /// Drop a guest who has not said a name in so long
    #[arg(long, default_value_t = Interval::seconds(60), value_name = "DURATION")]
    pub(crate) name_timeout: Interval,
}

impl Default for Chat {
    fn default() -> Self {
        Self { welcome: None, max_unread: Size(256 << 10), name_timeout: Interval::seconds(60) }
    }
}

impl ServerCommand for Chat {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        if self.welcome.as_ref().is_some_and(|text| text.contains(char::is_control)) {
            return Err(StartError::other("welcome has to be one line without control characters"));
        }
        let max_unread = usize::try_from(self.max_unread.0).unwrap_or(usize::MAX);
        let room = Rc::new(Room::new(self.welcome.clone()));
        let name_timeout = self.name_timeout.0;
        let of_rebuilt = room.clone();
        let rebuild = move |_: &ServerEndpoint, server: ServerService| {
            let room = of_rebuilt.clone();
            server.rebuild(move |state, _| Guest::rebuilt(room.clone(), name_timeout, state))
        };
        context.serve_with(
            "tcp:127.0.0.1:8000",
            ListenConfig::default().max_connections(GUESTS_MAX),
            StreamConfig::default().write_limit(max_unread),
            move |_: &Peer| Guest::new(room.clone(), name_timeout),
            rebuild,
        )
    }

    /// There is one room.
    fn on_all_reactors(&self) -> bool {
        false
    }
}
