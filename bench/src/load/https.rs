//! Connections of HTTP over TLS that get one answer and are then idle.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bench::http::{TEXT, TEXT_PATH, request};
use bench::outcome::Outcome;
use bench::tls::client_config;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::SILENCE_MAX;
use crate::answer::{Checker, Expected};
use crate::budget::Budget;
use crate::dialer::Dialer;
use crate::meter::Meter;

#[derive(Debug)]
pub(crate) struct Https {
    /// They stay open.
    _connections: Vec<StreamOwned<ClientConnection, TcpStream>>,
}

impl Https {
    /// Opens one connection after the other.
    pub(crate) fn open(mut dialer: Dialer, count: usize) -> Result<Self> {
        let config = Arc::new(client_config()?);
        let request = request(TEXT_PATH, dialer.server());
        let mut expected = Expected::new(TEXT.into());
        let mut connections = Vec::with_capacity(count);
        for number in 0..count {
            let connection = open(&mut dialer, &config, &request, &mut expected);
            connections.push(connection.with_context(|| format!("connection {number}"))?);
        }
        Ok(Self { _connections: connections })
    }

    /// There is nothing to be measured but the server, meanwhile.
    pub(crate) fn run(&mut self, _: Budget) -> Result<Outcome> {
        Ok(Meter::new(Instant::now())?.outcome(0))
    }
}

fn open(
    dialer: &mut Dialer,
    config: &Arc<rustls::ClientConfig>,
    request: &[u8],
    expected: &mut Expected,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let socket = TcpStream::connect(dialer.server())?;
    socket.set_read_timeout(Some(SILENCE_MAX))?;
    let name = ServerName::try_from("localhost")?;
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::clone(config), name)?, socket);
    stream.write_all(request)?;
    let (mut checker, mut buffer) = (Checker::default(), [0; 4096]);
    loop {
        let len = stream.read(&mut buffer)?;
        ensure!(len > 0, "the server has closed it");
        if checker.check(&buffer[..len], expected)? > 0 {
            return Ok(stream);
        }
    }
}
