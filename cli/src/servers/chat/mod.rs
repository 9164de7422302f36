//! `sinew chat`: a room to talk in, with doors for `nc` and telnet, for clients of IRC, and for browsers. `room.rs`, its doors and their
//! languages are the files of the example `chat_server`; here are the command, the log, and what goes over to the next process.

mod door;
mod event;
mod irc;
mod lines;
mod log;
mod rebuilt;
mod room;
mod talk;
#[cfg(test)]
mod tests;
mod web;

use std::rc::Rc;

use serde::Deserialize;
use sinew::{
    application::{MultiService, ServerService, Service, StartError},
    http::server::HttpServer,
    prelude::*,
    transports::endpoint::ServerEndpoint,
};

use crate::{
    arguments::{Endpoint, endpoints},
    quantity::{Interval, Size},
    run::{Context, ServerCommand, TlsUse},
};
use door::Door;
use log::Log;
use room::{Building, Room, Rules};

/// Guests of a door at once, unless `--max-connections` says otherwise.
const GUESTS_MAX: usize = 10_000;

/// The arguments of `sinew chat`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Chat {
    /// Where clients of IRC connect, as 127.0.0.1:6667: they find themselves in #room. May be repeated
    #[arg(long, value_name = "ENDPOINT")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) irc: Vec<Endpoint>,
    /// Where browsers connect, as 127.0.0.1:8080: they get a page. May be repeated
    #[arg(long, value_name = "ENDPOINT")]
    #[serde(deserialize_with = "endpoints")]
    pub(crate) http: Vec<Endpoint>,
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
        Self {
            irc: Vec::new(),
            http: Vec::new(),
            welcome: None,
            max_unread: Size(256 << 10),
            name_timeout: Interval::seconds(60),
        }
    }
}

impl Chat {
    fn rules(&self) -> Result<Rules, StartError> {
        if self.welcome.as_ref().is_some_and(|text| text.contains(char::is_control)) {
            return Err(StartError::other("welcome has to be one line without control characters"));
        }
        Ok(Rules {
            welcome: self.welcome.clone(),
            name_timeout: self.name_timeout.0,
            unread_max: usize::try_from(self.max_unread.0).unwrap_or(usize::MAX),
        })
    }
}

impl ServerCommand for Chat {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        let rules = self.rules()?;
        let config = ListenConfig::default().max_connections(GUESTS_MAX);
        let stream = StreamConfig::default().write_limit(rules.unread_max);
        let room = Rc::new(Room::new(0, Building::new(rules), false));
        let log = Log::open(&room);
        let ports = MultiService::new();

        let door = Door::open(Rc::clone(&room));
        let of_rebuilt = Rc::clone(&door);
        let rebuild = move |_: &ServerEndpoint, server: ServerService| {
            let door = Rc::clone(&of_rebuilt);
            server.rebuild(move |state, _| lines::Guest::rebuilt(Rc::clone(&door), state))
        };
        let arrive = move |_: &Peer| {
            // The log is there as long as the door.
            let _ = &log;
            lines::Guest::arrive(Rc::clone(&door))
        };
        let endpoints = context.endpoints("tcp:127.0.0.1:8000")?;
        let (of_irc, of_http) = (config.clone(), config.clone());
        context.serve_group(&ports, "", endpoints, config, stream.clone(), arrive, rebuild)?;

        let door = Door::open(Rc::clone(&room));
        let arrive = move |_: &Peer| irc::Guest::arrive(Rc::clone(&door));
        let endpoints = all(&self.irc);
        context.serve_group(&ports, "irc", endpoints, of_irc, stream, arrive, |_, port| port)?;

        let site = HttpServer::new(web::site(Door::open(room)));
        let (endpoints, stream) = (all(&self.http), StreamConfig::default());
        context.serve_group(&ports, "http", endpoints, of_http, stream, site, |_, port| port)?;
        Ok(Box::new(ports))
    }

    /// There is one room.
    fn on_all_reactors(&self) -> bool {
        false
    }

    fn tls(&self, listen: &[Endpoint]) -> TlsUse {
        TlsUse::default()
            .endpoints(listen, None)
            .endpoints(&self.irc, None)
            .endpoints(&self.http, None)
    }
}

fn all(endpoints: &[Endpoint]) -> Vec<ServerEndpoint> {
    endpoints.iter().map(|given| given.endpoint.clone()).collect()
}
