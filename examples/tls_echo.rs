//! Sends back what each connection receives, over TLS.
//!
//! ```text
//! $ cargo run --release --example tls_echo -- --self-signed /tmp/tls
//! listening on 127.0.0.1:8000
//! ```
//!
//! ```text
//! $ openssl s_client -quiet -CAfile /tmp/tls/cert.pem -connect 127.0.0.1:8000
//! hello
//! hello
//! ```

mod cli;

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Parser;
use cli::{AddrArgs, Failed, say};
use sinew::prelude::*;

/// Echo server over TLS
#[derive(Parser, Debug)]
struct Args {
    #[command(flatten)]
    server: AddrArgs,

    /// The server's certificate chain (PEM), its own certificate first
    #[arg(long, value_name = "FILE", requires = "key", required_unless_present = "self_signed")]
    cert: Option<PathBuf>,

    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Creates a self-signed certificate for localhost, as cert.pem and key.pem in this folder, unless they exist
    #[arg(long, value_name = "DIR", conflicts_with = "cert")]
    self_signed: Option<PathBuf>,

    /// Require client certificates issued by one of these authorities (PEM)
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,

    /// Application protocols (ALPN), in order of preference
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    alpn: Vec<String>,
}

impl Args {
    fn identity(&self) -> Result<Identity, Failed> {
        let (cert, key) = match (&self.self_signed, &self.cert, &self.key) {
            (None, Some(cert), Some(key)) => (cert.clone(), key.clone()),
            (folder, ..) => self_signed(folder.clone().unwrap_or_default())?,
        };
        Ok(Identity::from_pem_files(cert, key)?)
    }
}

/// For testing: nobody else trusts a self-signed certificate.
fn self_signed(folder: PathBuf) -> Result<(PathBuf, PathBuf), Failed> {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if !cert.exists() || !key.exists() {
        fs::create_dir_all(&folder)?;
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names)?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        fs::write(&cert, made.cert.pem())?;
    }
    Ok((cert, key))
}

/// The same as without TLS. It is created after the handshake.
struct Echo;

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport) {
        if let Some(tls) = transport.tls_info() {
            let (peer, alpn) = (transport.peer(), tls.alpn.as_deref().unwrap_or(b"none"));
            let (alpn, tls) = (alpn.escape_ascii(), format!("{}, {}", tls.version, tls.cipher));
            say!("{peer} connected: {tls}, application protocol {alpn}");
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let mut tls = TlsServerConfig::new(args.identity()?).alpn(&args.alpn)?;
        if let Some(file) = &args.client_ca {
            tls = tls.require_client_certificates(TrustedRoots::from_pem_file(file)?);
        }
        let reactor = args.server.engine.builder().build()?;
        let port = reactor.listen_tls(args.server.listen, &tls, |_: &Peer| Echo)?;
        cli::run(&reactor, port)
    })
}
