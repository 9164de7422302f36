//! A line-based server that upgrades to TLS on request (STARTTLS), as mail servers do; and its client.
//!
//! ```text
//! $ cargo run --release --example starttls -- --cert cert.pem --key key.pem &
//! $ cargo run --release --example starttls -- --to localhost:8000 --cert cert.pem
//! in the clear: you said hello
//! over TLS 1.3: you said hello
//! ```

mod cli;

use std::{mem, path::PathBuf, process::ExitCode};

use clap::Parser;
use cli::{AddrArgs, End, destination, print_line};
use sinew::{
    prelude::*,
    protocols::basic::{Framed, Line, LineHandler, LineReceiver, LineTransport},
    transports::{Destination, tls::TlsRole},
};

/// Lines with an upgrade to TLS on request
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
    /// Run as a client of the server at this address, which must be localhost and use that certificate
    #[arg(long, value_name = "HOST:PORT", value_parser = destination)]
    to: Option<Destination>,
}

struct Server(TlsServerConfig);

impl LineHandler for Server {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        if line == b"STARTTLS" {
            // Sent in plaintext. Plaintext received after the STARTTLS line ends the connection, since an attacker
            // could have injected it.
            transport.write(b"go ahead\r\n");
            transport.start_tls(&self.0).unwrap_or_else(|error| transport.fail(error));
        } else {
            transport.write_vectored(&[b"you said ", line, b"\r\n"]);
        }
    }
}

struct Client(TlsRole, End);

impl LineHandler for Client {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.write("hello\r\nSTARTTLS\r\n");
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let done = match transport.tls_info() {
            None if line == b"go ahead" => {
                transport.start_tls(self.0.clone()).map_err(|error| error.to_string())
            }
            None => print_line!("in the clear: {}", line.escape_ascii()),
            Some(tls) => {
                transport.lose_connection();
                print_line!("over {}: {}", tls.version, line.escape_ascii())
            }
        };
        done.unwrap_or_else(|error| transport.fail(error));
    }

    fn tls_started(&mut self, transport: &mut LineTransport<'_>) {
        transport.write("hello\r\n");
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        self.1.lost(reason);
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.engine.builder().build()?;
        if let Some(to) = args.to {
            let tls =
                TlsClientConfig::new(TrustedRoots::from_pem_file(args.cert)?).to("localhost")?;
            let (mut end, ended) = End::new(&reactor);
            let client =
                move |_: &Peer| LineReceiver::new(Client(tls.clone(), mem::take(&mut end)));
            return cli::run_until_lost(&reactor, reactor.connect_tcp(to, client), ended);
        }
        let identity = Identity::from_pem_files(args.cert, args.key.unwrap_or_default())?;
        let tls = TlsServerConfig::new(identity);
        let server = move |_: &Peer| Framed::with_decoder(Line::lf_or_crlf(), Server(tls.clone()));
        cli::run(&reactor, reactor.listen_tcp(args.server.listen, server)?)
    })
}
