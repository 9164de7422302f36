//! `sinew connect`: connects standard input and output with an endpoint, as nc does: backpressure and half-close both ways.
//!
//! | event | what follows |
//! |---|---|
//! | standard input ends | the output of the connection is ended; what the peer still sends is printed |
//! | the peer ends its output, or closes | what it sent is printed; the command ends |
//! | the connection is lost otherwise | the same, and the command fails |
//! | nobody reads standard output any more | the connection is closed; the command fails |

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew::{prelude::*, reactor::RunError};

use crate::{
    arguments::EngineName,
    destination::TlsOptions,
    exit::{Code, Failure},
    quantity::Interval,
    run::Tool,
};

/// The arguments of `sinew connect`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connect {
    /// Where to: HOST:PORT, or an endpoint, as tcp:host:25, tls:host:443, unix:/run/x.sock or process:cat
    #[arg(value_name = "ENDPOINT")]
    pub(crate) endpoint: String,
    /// Send each line of the input with CR LF at its end, as most protocols of lines want
    #[arg(long, short)]
    pub(crate) crlf: bool,
    /// Say on standard error when the connection is made, and how it is encrypted
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// How long connecting may take
    #[arg(long, default_value_t = Interval::seconds(30), value_name = "DURATION")]
    pub(crate) timeout: Interval,
    /// End when nothing was sent or received for so long
    #[arg(long, value_name = "DURATION")]
    pub(crate) idle_timeout: Option<Interval>,
    #[command(flatten)]
    pub(crate) tls: TlsOptions,
    /// What the loop waits with: mio (epoll, kqueue), poll, select, uring or best
    #[arg(long, default_value_t, value_name = "ENGINE", help_heading = "Event loop")]
    pub(crate) engine: EngineName,
}

impl Tool for Connect {
    fn run(&self) -> Result<(), Failure> {
        let endpoint = self.tls.endpoint(&self.endpoint)?;
        // A signal ends the command at once, as any filter.
        let reactor = Reactor::builder().engine(self.engine.0).stop_signals(false).build();
        let reactor = reactor.map_err(|error| Failure::new(Code::System, error.to_string()))?;
        let (promise, ended) = reactor.promise::<Result<(), Failure>, sinew::reactor::Failure>();
        let ends = Rc::new(Ends { end: RefCell::new(Some(promise)), ..Ends::default() });
        let (crlf, verbose, idle) = (self.crlf, self.verbose, self.idle_timeout);
        let of_remote = ends.clone();
        let remote = move |_: &Peer| Remote { ends: of_remote.clone(), crlf, verbose, idle };
        let config = ConnectConfig::default().timeout(self.timeout.0);
        let connecting = endpoint.connect_with(&reactor, config, remote);
        let ran = reactor.run_until(async move {
            let connection = connecting.await.map_err(|error| not_connected(&error))?;
            let result = ended
                .await
                .unwrap_or_else(|error| Err(Failure::new(Code::Software, error.to_string())));
            drop(connection);
            result
        });
        match ran {
            Ok(result) => result,
            Err(RunError::Stopped) => Ok(()),
            Err(error) => Err(Failure::new(Code::Software, error.to_string())),
        }
    }
}

/// The exit code says what was missing: the host, the server, or trust.
fn not_connected(error: &ConnectError) -> Failure {
    let code = match error {
        ConnectError::BadDestination(_) => Code::Usage,
        ConnectError::Resolve { .. } => Code::NoHost,
        ConnectError::Tls { .. } => Code::Protocol,
        _ => Code::Unavailable,
    };
    Failure::new(code, error.to_string())
}

/// What the two protocols share.
#[derive(Default)]
struct Ends {
    remote: RefCell<Option<Transport>>,
    local: RefCell<Option<Transport>>,
    /// Resolved when all is printed.
    end: RefCell<Option<Promise<Result<(), Failure>>>>,
    /// How the connection ended, once it has.
    result: Cell<Option<Result<(), Failure>>>,
}

impl Ends {
    fn remote(&self) -> Option<Transport> {
        self.remote.borrow().clone()
    }

    fn local(&self) -> Option<Transport> {
        self.local.borrow().clone()
    }

    /// All is over. Only the first result counts.
    fn end(&self, result: Result<(), Failure>) {
        if let Some(promise) = self.end.take() {
            promise.resolve(self.result.take().unwrap_or(result));
        }
    }
}

/// The connection to the endpoint.
struct Remote {
    ends: Rc<Ends>,
    crlf: bool,
    verbose: bool,
    idle: Option<Interval>,
}

impl Protocol for Remote {
    fn connection_made(&mut self, transport: &Transport) {
        // Each direction has its own backpressure.
        transport.set_auto_pause(false);
        transport.set_idle_timeout(self.idle.map(|idle| idle.0));
        if self.verbose {
            report(transport);
        }
        // Until standard output is there to take it.
        transport.pause_reading();
        *self.ends.remote.borrow_mut() = Some(transport.clone());
        let Some(reactor) = transport.reactor() else { return };
        let local = Local { ends: self.ends.clone(), crlf: self.crlf.then_some(false) };
        if let Err(error) = reactor.stdio_with(StreamConfig::default().auto_pause(false), local) {
            self.ends.result.set(Some(Err(Failure::new(Code::Io, error.to_string()))));
            transport.lose_connection();
        }
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        if let Some(local) = self.ends.local() {
            local.write(data);
        }
    }

    fn writing_paused(&mut self, _: &Transport) {
        if let Some(local) = self.ends.local() {
            local.pause_reading();
        }
    }

    fn writing_resumed(&mut self, _: &Transport) {
        if let Some(local) = self.ends.local() {
            local.resume_reading();
        }
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        let what = "nothing was sent or received for the time of --idle-timeout";
        self.ends.result.set(Some(Err(Failure::new(Code::Unavailable, what))));
        transport.lose_connection();
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let result = if reason.is_clean() {
            Ok(())
        } else {
            Err(Failure::new(Code::Io, format!("the connection was lost: {reason}")))
        };
        let earlier = self.ends.result.take();
        self.ends.result.set(Some(earlier.unwrap_or(result)));
        match self.ends.local() {
            // Prints what is queued, and ends in `Local::connection_lost`.
            Some(local) => local.lose_connection(),
            None => self.ends.end(Ok(())),
        }
    }
}

fn report(transport: &Transport) {
    let tls = match transport.tls_info() {
        Some(info) => format!(", {} with {}", info.version, info.cipher),
        None => String::new(),
    };
    eprintln!("connected to {}{tls}", transport.peer());
}

/// Standard input and output.
struct Local {
    ends: Rc<Ends>,
    /// With `--crlf`: whether the last byte was a CR.
    crlf: Option<bool>,
}

impl Protocol for Local {
    fn connection_made(&mut self, transport: &Transport) {
        match self.ends.remote().filter(|remote| !remote.is_closing()) {
            Some(remote) => {
                *self.ends.local.borrow_mut() = Some(transport.clone());
                remote.resume_reading();
            }
            None => transport.lose_connection(),
        }
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        let Some(remote) = self.ends.remote() else { return };
        match &mut self.crlf {
            Some(was_cr) => remote.write(with_crlf(data, was_cr)),
            None => remote.write(data),
        };
    }

    fn read_closed(&mut self, _: &Transport) {
        if let Some(remote) = self.ends.remote() {
            remote.close_write();
        }
    }

    fn writing_paused(&mut self, _: &Transport) {
        if let Some(remote) = self.ends.remote() {
            remote.pause_reading();
        }
    }

    fn writing_resumed(&mut self, _: &Transport) {
        if let Some(remote) = self.ends.remote() {
            remote.resume_reading();
        }
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        if let Some(remote) = self.ends.remote() {
            remote.lose_connection();
        }
        self.ends.end(match reason {
            ConnectionLost::Reset => {
                Err(Failure::new(Code::Io, "nobody reads standard output any more"))
            }
            reason if reason.is_clean() => Ok(()),
            reason => Err(Failure::new(Code::Io, format!("standard input and output: {reason}"))),
        });
    }
}

/// The data with a CR before each LF that has none.
fn with_crlf(data: &[u8], was_cr: &mut bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + data.len() / 16);
    for byte in data {
        if *byte == b'\n' && !*was_cr {
            out.push(b'\r');
        }
        out.push(*byte);
        *was_cr = *byte == b'\r';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_crlf_in_any_pieces() {
        let input = b"one\ntwo\r\n\n\rthree\r\n";
        let expected = b"one\r\ntwo\r\n\r\n\rthree\r\n";
        for len in 1..=input.len() {
            let mut was_cr = false;
            let out: Vec<u8> =
                input.chunks(len).flat_map(|piece| with_crlf(piece, &mut was_cr)).collect();
            assert_eq!(out, expected, "in pieces of {len}");
        }
    }
}
