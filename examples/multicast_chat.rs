//! A chat room without a server: messages are sent to a multicast group that all members have joined.
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

/// Longer datagrams might be fragmented, and any lost fragment loses the datagram.
const CHARS_MAX: usize = 300;

struct Member {
    name: String,
    group: SocketAddr,
}

impl DatagramProtocol for Member {
    fn started(&mut self, transport: &DatagramTransport) {
        say_next_line(transport, self.name.clone(), self.group);
    }

    /// Anyone may send to a group, so text is shortened and its control characters are escaped before printing.
    fn datagram_received(&mut self, _: &DatagramTransport, data: &[u8], from: SocketAddr) {
        let text = String::from_utf8_lossy(data);
        let (name, said) = text.split_once('\n').unwrap_or(("somebody", &text));
        say!("{} ({}): {}", Excerpt::new(name), from.ip(), Excerpt::new(said));
    }

    fn send_failed(&mut self, _: &DatagramTransport, failed: &SendFailed) {
        eprintln!("{failed}");
    }
}

/// Reading standard input blocks, so it is done on a thread. After the end of input the program keeps receiving.
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

/// A chat room without a server, over a multicast group
#[derive(Parser)]
struct Args {
    /// The group to join, with its port
    #[arg(long, value_name = "ADDR", default_value = "239.255.77.7:8007")]
    group: SocketAddr,

    /// The network interface, by its IPv4 address or name
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// The name shown to others
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
        // Allows several members on one machine.
        let config = DatagramConfig::default().reuse_address(true);
        let member = Member { name: args.name, group };
        let transport = reactor.listen_udp_with((any, group.port()), config, member)?;
        transport.join_multicast(group.ip(), interface.clone())?;
        transport.set_multicast_interface(interface)?;
        cli::announce(&reactor, group);
        Ok(reactor.run()?)
    })
}
