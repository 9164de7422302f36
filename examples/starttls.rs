//! A server of lines that goes over to TLS when it is asked to, as servers of mail do; and its client.
//!
//! ```text
//! $ cargo run --release --example starttls -- --cert cert.pem --key key.pem &
//! $ cargo run --release --example starttls -- --to localhost:8000 --cert cert.pem
//! in the clear: you said hello
//! over TLS 1.3: you said hello
//! ```

mod cli;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use cli::{AddrArgs, destination, say};
use sinew::{
    prelude::*,
    protocols::basic::{LineHandler, LineReceiver, LineTransport},
    transports::{Destination, tls::TlsSide},
};

/// Lines that go over to TLS when asked to
#[derive(Parser, Debug)]
struct Args {
    #[command(flatten)]
    server: AddrArgs,
    /// The server's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "to")]
    key: Option<PathBuf>,
    /// Be the client of the server there, which must be localhost, and have that certificate
    #[arg(long, value_name = "HOST:PORT", value_parser = destination)]
    to: Option<Destination>,
}

struct Server(TlsServerConfig);

impl LineHandler for Server {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        if line == b"STARTTLS" {
            // In the clear. Whatever comes behind the line that asked ends the connection: it could be anybody's.
            transport.write(b"go ahead\r\n");
            transport.start_tls(&self.0).unwrap_or_else(|error| transport.fail(error));
        } else {
            transport.write_vectored(&[b"you said ", line, b"\r\n"]);
        }
    }
}

struct Client(TlsSide);

impl LineHandler for Client {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.write(b"hello\r\nSTARTTLS\r\n");
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        match transport.tls_info() {
            None if line == b"go ahead" => {
                transport.start_tls(self.0.clone()).unwrap_or_else(|_| transport.abort())
            }
            None => say!("in the clear: {}", line.escape_ascii()),
            Some(tls) => {
                say!("over {}: {}", tls.version, line.escape_ascii());
                transport.lose_connection();
            }
        }
    }

    fn tls_started(&mut self, transport: &mut LineTransport<'_>) {
        transport.write(b"hello\r\n");
    }

    fn connection_lost(&mut self, transport: &mut LineTransport<'_>, _: &ConnectionLost) {
        let _ = transport.reactor().stop();
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.engine.builder().build()?;
        if let Some(to) = args.to {
            let tls = TlsClientConfig::new(TrustedRoots::from_pem_file(args.cert)?);
            let side = tls.to("localhost")?;
            let client = move |_: &Peer| LineReceiver::new(Client(side.clone()));
            let made = reactor.connect_tcp(to, client);
            return cli::run_until(&reactor, async move {
                made.await?;
                std::future::pending().await
            });
        }
        let identity = Identity::from_pem_files(args.cert, args.key.unwrap_or_default());
        let tls = TlsServerConfig::new(identity?);
        let server = move |_: &Peer| LineReceiver::new(Server(tls.clone()));
        cli::run(&reactor, reactor.listen_tcp(args.server.listen, server)?)
    })
}
