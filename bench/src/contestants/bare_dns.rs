//! A bare loop over one UDP socket: receive, answer, send. It knows only the queries of this benchmark, and reads no more of them than the
//! number of the name: the floor for servers that answer one by one.

use std::io;
use std::net::UdpSocket;

use bench::convention::{Listen, announce};
use bench::dns::{QUERY_LEN, answer, asked};
use clap::Parser;

fn main() -> io::Result<()> {
    let socket = UdpSocket::bind(Listen::parse().listen)?;
    announce(socket.local_addr()?);
    let mut query = [0; QUERY_LEN];
    loop {
        let (len, from) = socket.recv_from(&mut query)?;
        if let Some(name) = asked(&query[..len]) {
            socket.send_to(&answer(&query, name), from)?;
        }
    }
}
