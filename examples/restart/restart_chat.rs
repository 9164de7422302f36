//! A room to talk in that SIGUSR2 moves to the next version of the program: the guests stay, and notice nothing. Unix only.
//!
//! ```text
//! $ cargo run -p restart --bin restart_chat
//! process 4711 has a room at 127.0.0.1:8000
//! ```
//! ```text
//! $ nc 127.0.0.1 8000
//! Your name?
//! ann
//! Welcome, ann. You are guest number 1.
//! ```
//!
//! Then: `kill -USR2 4711`

#[cfg(unix)]
mod unix {
    use sinew::application::{
        Application, ServerService, Service, StartError, StopError,
        handover::{Handover, HandoverService},
    };
    use sinew::prelude::*;
    use sinew::protocols::basic::{Line, LineHandler, LineReceiver, LineTransport, send_line};
    use sinew::reactor::Signal;
    use std::{cell::RefCell, collections::HashMap, env, error::Error, process, rc::Rc};
    use std::{process::Command, time::Duration};

    type Room = Rc<RefCell<HashMap<String, Transport>>>;

    struct Guest {
        room: Room,
        /// Empty until it was said.
        name: String,
    }

    impl Guest {
        fn new(room: &Room, name: &str) -> LineReceiver<Self> {
            let guest = Self { room: room.clone(), name: name.to_owned() };
            LineReceiver::with_decoder(Line::lf_or_crlf().len_max(1024), guest)
        }
        fn say(&self, line: &str) {
            for guest in self.room.borrow().values() {
                let _ = send_line(guest, line);
            }
        }
    }

    impl LineHandler for Guest {
        fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
            if self.name.is_empty() {
                transport.write(b"Your name?\r\n");
            } else {
                // It has come from another process, with its name.
                self.room.borrow_mut().insert(self.name.clone(), Transport::clone(transport));
            }
        }
        fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
            let line = String::from_utf8_lossy(line).replace(char::is_control, "");
            if !self.name.is_empty() {
                return self.say(&format!("{}: {line}", self.name));
            }
            if line.is_empty() || self.room.borrow().contains_key(&line) {
                transport.write(b"A name that nobody has yet, please.\r\n");
                return;
            }
            self.name = line;
            self.room.borrow_mut().insert(self.name.clone(), Transport::clone(transport));
            let number = self.room.borrow().len();
            let welcome = format!("Welcome, {}. You are guest number {number}.", self.name);
            let _ = send_line(transport, welcome);
        }
        /// What the next process has to know of a guest. One without a name stays, and is asked to come again. An unfinished
        /// line goes along.
        fn saved_state(&self) -> Option<Vec<u8>> {
            (!self.name.is_empty()).then(|| self.name.clone().into())
        }
        fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
            self.room.borrow_mut().remove(&self.name);
            if !matches!(reason, ConnectionLost::HandedOver) {
                self.say(&format!("* {} has left", self.name));
            }
        }
    }

    /// Starts the next version on SIGUSR2.
    struct Upgrades(Handover);

    impl Service for Upgrades {
        fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
            let handover = self.0.clone();
            let upgrade = move |reactor: &Reactor| {
                let mut command = Command::new(env::args_os().next().unwrap_or_default());
                command.args(env::args_os().skip(1));
                handover.upgrade(reactor, command).then(|reactor, upgraded| match upgraded {
                    Ok(_) => drop(reactor.stop()),
                    Err(error) => eprintln!("process {} goes on: {error}", process::id()),
                });
            };
            reactor.on_signal(Signal::USR2, upgrade).map_err(StartError::other)
        }
        fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
            Deferred::ready_on(reactor, ())
        }
    }

    pub(crate) fn run() -> Result<(), Box<dyn Error>> {
        let handover = Handover::inherit()?;
        let room = Room::default();
        let (new, moved) = (room.clone(), room);
        let endpoint = env::args().nth(1).unwrap_or("127.0.0.1:8000".to_owned());
        let server = ServerService::new(endpoint.parse()?, move |_: &Peer| Guest::new(&new, ""))
            .handover(&handover, "chat")
            .rebuild(move |state: &[u8], _: &Peer| {
                Some(Guest::new(&moved, str::from_utf8(state).ok()?))
            })
            .drain(Duration::from_secs(5));
        let application = Application::new();
        application.services().add("chat", server.clone())?;
        application.services().add("handover", HandoverService::new(&handover))?;
        application.services().add("upgrades", Upgrades(handover.clone()))?;
        let reactor = Reactor::new()?;
        reactor.call_soon(move |_| {
            for port in server.ports() {
                println!("process {} has a room at {port}", process::id());
            }
        });
        Ok(application.run(&reactor).inspect_err(|error| handover.failed(error))?)
    }
}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::run()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("only Unix hands sockets over");
}
