//! `sinew log`: prints what comes, for each connection and each datagram. It answers nothing.

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    rc::Rc,
};

use serde::Deserialize;
use sinew::{
    application::{MultiService, Service, StartError, StopError},
    prelude::*,
    transports::{DatagramAddr, UnixAddr, reactors::Shard},
};

use super::datagrams::UdpAddress;
use crate::run::{Context, ServerCommand};

/// Bytes of a line of the hexadecimal form.
const ROW: usize = 16;

/// The arguments of `sinew log`.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogServer {
    /// Print in hexadecimal, with the offset in the connection and the printable characters
    #[arg(long)]
    pub(crate) hex: bool,
    /// Print datagrams that come here, too: an IP address and a port, or a port of all IPv4 addresses. May be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) udp: Vec<UdpAddress>,
    /// Print datagrams that come to this Unix socket, too. May be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) unix_datagrams: Vec<PathBuf>,
}

impl ServerCommand for LogServer {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        let form = if self.hex { Form::Hex } else { Form::Escaped };
        let number = Rc::new(Cell::new(0));
        let streams = context.serve("tcp:127.0.0.1:8000", move |_: &Peer| {
            number.set(number.get() + 1);
            Printer { form, number: number.get(), received: 0 }
        })?;
        let both = MultiService::new();
        both.add("streams", streams)?;
        let (udp, unix) = (self.udp.clone(), self.unix_datagrams.clone());
        both.add("datagrams", Datagrams { form, udp, unix, close: RefCell::default() })?;
        Ok(Box::new(both))
    }
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Escaped,
    Hex,
}

impl Form {
    /// The lines for some bytes, from this offset on, each after `who`.
    fn show(self, who: &str, offset: u64, data: &[u8]) -> String {
        match self {
            Self::Escaped => data
                .split_inclusive(|byte| *byte == b'\n')
                .map(|line| format!("{who} {}\n", line.escape_ascii()))
                .collect(),
            Self::Hex => data
                .chunks(ROW)
                .zip(0u64..)
                .map(|(row, at)| hex(who, offset + at * ROW as u64, row))
                .collect(),
        }
    }
}

fn hex(who: &str, offset: u64, row: &[u8]) -> String {
    let mut digits: String = row.iter().map(|byte| format!("{byte:02x} ")).collect();
    digits.truncate(digits.len().saturating_sub(1));
    let printable = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
    let text: String = row.iter().map(printable).collect();
    format!("{who} {offset:08x}  {digits:<47}  |{text}|\n")
}

/// Prints. If nobody reads standard output, nothing more is printed; if its reader is slow, the server waits, and so do its clients.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The protocol of one connection.
struct Printer {
    form: Form,
    number: u64,
    received: u64,
}

impl Printer {
    fn say(&self, what: impl Display) {
        print(&format!("#{} {what}\n", self.number));
    }
}

impl Protocol for Printer {
    fn connection_made(&mut self, transport: &Transport) {
        self.say(format_args!("connected: {}", transport.peer()));
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        print(&self.form.show(&format!("#{} >", self.number), self.received, data));
        self.received += data.len() as u64;
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.say(format_args!("{reason}, after {} bytes", self.received));
    }
}

/// Prints datagrams. On several reactors, the first one does.
struct Datagrams {
    form: Form,
    udp: Vec<UdpAddress>,
    unix: Vec<PathBuf>,
    close: RefCell<Vec<Box<dyn Fn()>>>,
}

impl Service for Datagrams {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        if Shard::of(reactor).is_some_and(|shard| shard.index() > 0) {
            return Ok(());
        }
        for UdpAddress(addr) in &self.udp {
            let printer = DatagramPrinter { form: self.form };
            let socket = reactor.listen_udp(*addr, printer).map_err(StartError::other)?;
            tracing::info!("listening on udp:{}", socket.local());
            self.close.borrow_mut().push(Box::new(move || socket.stop()));
        }
        for path in &self.unix {
            let printer = DatagramPrinter { form: self.form };
            let socket =
                reactor.listen_unix_datagram(path.as_path(), printer).map_err(StartError::other)?;
            tracing::info!("listening for datagrams on unix:{}", path.display());
            self.close.borrow_mut().push(Box::new(move || socket.stop()));
        }
        Ok(())
    }

    fn start(&self, _: &Reactor) -> Result<(), StartError> {
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        self.close.take().iter().for_each(|close| close());
        Deferred::ready_on(reactor, ())
    }
}

struct DatagramPrinter {
    form: Form,
}

impl DatagramPrinter {
    fn print(&self, from: impl Display, data: &[u8]) {
        let who = format!("{from} >");
        print(&if data.is_empty() {
            format!("{who} (empty)\n")
        } else {
            self.form.show(&who, 0, data)
        });
    }
}

impl DatagramProtocol for DatagramPrinter {
    fn datagram_received(&mut self, _: &DatagramTransport, data: &[u8], from: SocketAddr) {
        self.print(from, data);
    }
}

impl DatagramProtocol<UnixAddr> for DatagramPrinter
where
    UnixAddr: DatagramAddr,
{
    fn datagram_received(&mut self, _: &DatagramTransport<UnixAddr>, data: &[u8], from: UnixAddr) {
        self.print(from, data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_escaped() {
        let text = Form::Escaped.show("#1 >", 0, b"one\r\ntwo\x1b[0m\n\xff");
        assert_eq!(text, "#1 > one\\r\\n\n#1 > two\\x1b[0m\\n\n#1 > \\xff\n");
    }

    #[test]
    fn rows_have_offsets() {
        let text = Form::Hex.show("#1 >", 32, b"0123456789abcdefgh\0");
        let expected = "#1 > 00000020  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  |0123456789abcdef|\n\
                        #1 > 00000030  67 68 00                                         |gh.|\n";
        assert_eq!(text, expected);
    }
}
