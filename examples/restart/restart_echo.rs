//! An echo server that SIGUSR2 replaces by its next version: no client is refused, and no connection is cut. Unix only.
//!
//! ```text
//! $ cargo run -p restart --bin restart_echo
//! process 4711 serves on 127.0.0.1:8000
//! ```
//!
//! Build another version of it, and then: `kill -USR2 4711`

#[cfg(unix)]
mod unix {
    use sinew::application::handover::Handover;
    use sinew::prelude::*;
    use sinew::reactor::Signal;
    use sinew::transports::endpoint::ServerEndpoint;
    use std::{env, error::Error, process, process::Command, time::Duration};

    struct Echo;

    impl Protocol for Echo {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
        }
        /// Clients finish by themselves.
        fn drain_requested(&mut self, _: &Transport) {}
    }

    /// The same program with the same arguments. The file may have changed.
    fn next_version(reactor: &Reactor, handover: &Handover) {
        let mut command = Command::new(env::args_os().next().unwrap_or_default());
        command.args(env::args_os().skip(1));
        handover.upgrade(reactor, command).then(|reactor, upgraded| match upgraded {
            Ok(_) => drop(reactor.stop()),
            Err(error) => eprintln!("process {} goes on: {error}", process::id()),
        });
    }

    pub(crate) fn run() -> Result<(), Box<dyn Error>> {
        // The sockets of the process that this one is to replace, if there is one.
        let handover = Handover::inherit()?;
        let reactor = Reactor::new()?;
        let endpoint = env::args().nth(1).unwrap_or("127.0.0.1:8000".to_owned());
        let endpoint: ServerEndpoint =
            endpoint.parse().inspect_err(|error| handover.failed(error))?;
        let port = handover.listen(&reactor, "echo", &endpoint, |_: &Peer| Echo);
        let port = port.inspect_err(|error| handover.failed(error))?;
        let addr = port.local();
        handover.ready(&reactor).then(move |reactor, serves| match serves {
            Ok(()) => println!("process {} serves on {addr}", process::id()),
            Err(error) => {
                eprintln!("process {} does not take over: {error}", process::id());
                let _ = reactor.stop();
            }
        });
        reactor.on_signal(Signal::USR2, move |reactor| next_version(reactor, &handover))?;
        reactor.on(Phase::BeforeShutdown, move |_| port.drain(Duration::from_secs(25)));
        Ok(reactor.run()?)
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
