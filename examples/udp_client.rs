//! Sends each input line as a datagram, and prints the answers.
//!
//! ```text
//! $ echo hello | cargo run --release --example udp_client -- --to localhost:8000
//! ok
//! ```

mod cli;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use cli::{End, EngineArgs, print_line};
use sinew::{
    prelude::*,
    transports::{Destination, SendFailed, Stopped},
};

/// A connected socket: it receives only from its peer, and reports ICMP port unreachable as `connection_refused`.
struct Client {
    /// How long to wait for answers after the end of input.
    wait: Duration,
    end: End,
}

impl DatagramProtocol for Client {
    fn started(&mut self, transport: &DatagramTransport) {
        send_next_line(transport, self.wait);
    }

    fn datagram_received(&mut self, _: &DatagramTransport, data: &[u8], _: SocketAddr) {
        let line = data.strip_suffix(b"\n").unwrap_or(data);
        if let Err(error) = print_line!("{}", line.escape_ascii()) {
            self.end.tell(Err(error));
        }
    }

    fn send_failed(&mut self, _: &DatagramTransport, failed: &SendFailed) {
        self.end.tell(Err(failed.to_string()));
    }

    fn connection_refused(&mut self, _: &DatagramTransport) {
        self.end.tell(Err("nobody listens there".to_owned()));
    }

    /// The waiting time after the end of input is over.
    fn timer_fired(&mut self, transport: &DatagramTransport, _: TimerId) {
        transport.stop();
    }

    fn stopped(&mut self, _: &DatagramTransport, _: &Stopped) {
        self.end.tell(Ok(()));
    }
}

/// Reading standard input blocks, so it is done on a thread.
fn send_next_line(transport: &DatagramTransport, wait: Duration) {
    let transport = transport.clone();
    let Some(reactor) = transport.reactor() else { return };
    reactor.defer_to_thread(cli::read_line).then(move |_, line| match line {
        Ok(Ok(line)) if !line.is_empty() => {
            transport.send(line.as_bytes());
            send_next_line(&transport, wait);
        }
        _ => drop(transport.call_later(wait)),
    });
}

/// Sends each input line as a datagram, and prints the answers
#[derive(Parser)]
struct Args {
    /// Where to send to: an address, or host:port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000", value_parser = cli::destination)]
    to: Destination,

    /// How long to wait for answers after the end of input, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500)]
    wait: u64,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        // If it ends before the input does, do not wait for the thread that is blocked reading standard input.
        let reactor = args.engine.builder().pool_grace(Duration::ZERO).build()?;
        let (end, ended) = End::new(&reactor);
        let wait = Duration::from_millis(args.wait);
        reactor.connect_udp(args.to, Client { wait, end })?;
        cli::run_until(&reactor, async { Ok(ended.await??) })
    })
}
