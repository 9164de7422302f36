//! A room without a server: what one says is sent to a group, and all who have joined it hear it.
//!
//! ```text
//! $ cargo run --release --example multicast_chat -- --name ann
//! listening on 239.255.77.7:8007
//! bob (192.168.1.7): hello
//! ```

mod cli;

use std::net::{IpAddr, SocketAddr};
use std::{process::ExitCode, time::Duration};

use clap::Parser;
use cli::{EngineArgs, say};
use sinew::{
    prelude::*,
    reactor::Excerpt,
    transports::{DatagramConfig, Interface, SendFailed},
};

/// Longer ones might be cut into fragments on their way, of which each may get lost.
const CHARS_MAX: usize = 300;

struct Member {
    name: String,
    group: SocketAddr,
}

impl DatagramProtocol for Member {
    fn started(&mut self, transport: &DatagramTransport) {
        say_next_line(transport, self.name.clone(), self.group);
    }

    /// Anybody may send to a group; what goes to a terminal is short and has no control characters.
    fn datagram_received(&mut self, _: &DatagramTransport, data: &[u8], from: SocketAddr) {
        let text = String::from_utf8_lossy(data);
        let (name, said) = text.split_once('\n').unwrap_or(("somebody", &text));
        say!("{} ({}): {}", Excerpt::new(name), from.ip(), Excerpt::new(said));
    }

    fn send_failed(&mut self, _: &DatagramTransport, failed: &SendFailed) {
        eprintln!("{failed}");
    }
}

/// Reading standard input blocks, so a thread does it. After the end of the input, it goes on listening.
fn say_next_line(transport: &DatagramTransport, name: String, group: SocketAddr) {
    let transport = transport.clone();
    let Some(reactor) = transport.reactor() else { return };
    reactor.defer_to_thread(cli::read_line).then(move |_, line| {
        let Ok(Ok(line)) = line else { return };
        if !line.is_empty() {
            let said: String = line.trim_end().chars().take(CHARS_MAX).collect();
            transport.send_to(format!("{name}\n{said}").as_bytes(), group);
            say_next_line(&transport, name, group);
        }
    });
}

/// A room without a server: what one says, all who have joined the group hear
#[derive(Parser)]
struct Args {
    /// The group to join, and its port
    #[arg(long, value_name = "ADDR", default_value = "239.255.77.7:8007")]
    group: SocketAddr,

    /// The network interface, by its IPv4 address or its name
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// What the others see
    #[arg(long, default_value = "somebody")]
    name: String,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().pool_grace(Duration::ZERO).build()?;
        let interface = args.interface.as_deref().map_or(Interface::Any, |name| {
            name.parse().map_or_else(|_| name.into(), Interface::Addr)
        });
        let group = args.group;
        let any: IpAddr = if group.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        // Several members on one machine share the port.
        let config = DatagramConfig::default().reuse_address(true);
        let member = Member { name: args.name, group };
        let transport = reactor.listen_udp_with((any, group.port()), config, member)?;
        transport.join_multicast(group.ip(), interface.clone())?;
        transport.set_multicast_interface(interface)?;
        cli::announce(&reactor, group);
        Ok(reactor.run()?)
    })
}
