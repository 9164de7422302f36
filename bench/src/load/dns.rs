//! Queries of DNS over UDP: each of a number of sockets keeps some in flight, and every answer is checked.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bench::dns::{NAMES, is_answer, query};
use bench::outcome::Outcome;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use crate::SILENCE_MAX;
use crate::budget::Budget;
use crate::meter::Meter;

/// Queries in flight, on all sockets together: fewer than the receive buffer of any server holds, so that none is lost.
const IN_FLIGHT_MAX: usize = 128;

/// The longest answer.
const ANSWER_LEN_MAX: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Queries {
    poll: Poll,
    sockets: Vec<Socket>,
    outstanding: usize,
    next_name: u16,
}

/// A socket, and what it waits for: the place in the list is the identifier of the query.
#[derive(Debug)]
struct Socket {
    socket: UdpSocket,
    in_flight: Vec<Option<Sent>>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    name: u16,
    at: Instant,
}

impl Queries {
    /// Opens the sockets, and asks for each name once, so that caches are filled.
    pub(crate) fn open(server: SocketAddrV4, sockets: usize, outstanding: usize) -> Result<Self> {
        let in_flight = sockets * outstanding;
        ensure!(in_flight <= IN_FLIGHT_MAX, "dns keeps at most {IN_FLIGHT_MAX} queries in flight");
        let poll = Poll::new()?;
        let opened = (0..sockets).map(|number| {
            let mut socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())?;
            socket.connect(server.into())?;
            poll.registry().register(&mut socket, Token(number), Interest::READABLE)?;
            Ok(Socket { socket, in_flight: vec![None; outstanding] })
        });
        let sockets = opened.collect::<Result<Vec<_>>>()?;
        let mut queries = Self { poll, sockets, outstanding, next_name: 0 };
        queries.run(Budget::messages(NAMES.into()))?;
        Ok(queries)
    }

    /// One window: each answer is followed by a query while the budget lasts.
    pub(crate) fn run(&mut self, mut budget: Budget) -> Result<Outcome> {
        let mut events = Events::with_capacity(256);
        let mut meter = Meter::new(Instant::now())?;
        let mut in_flight = 0;
        for id in 0..self.outstanding {
            for socket in &mut self.sockets {
                let now = Instant::now();
                if budget.take(1, now) == 1 {
                    socket.send(id, next(&mut self.next_name), now)?;
                    in_flight += 1;
                }
            }
        }
        while in_flight > 0 {
            match self.poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(
                !events.is_empty(),
                "no answer for {SILENCE_MAX:?}, {in_flight} queries in flight"
            );
            for event in &events {
                let socket = &mut self.sockets[event.token().0];
                while let Some(id) = socket.receive(&mut meter)? {
                    let now = Instant::now();
                    if budget.take(1, now) == 1 {
                        socket.send(id, next(&mut self.next_name), now)?;
                    } else {
                        in_flight -= 1;
                    }
                }
            }
        }
        Ok(meter.outcome(0))
    }
}

fn next(name: &mut u16) -> u16 {
    std::mem::replace(name, (*name + 1) % NAMES)
}

impl Socket {
    fn send(&mut self, id: usize, name: u16, now: Instant) -> Result<()> {
        self.in_flight[id] = Some(Sent { name, at: now });
        self.socket.send(&query(id as u16, name)).context("cannot send a query")?;
        Ok(())
    }

    /// Checks the next answer, and returns its identifier; `None` if there is no more for now.
    fn receive(&mut self, meter: &mut Meter) -> Result<Option<usize>> {
        let mut buffer = [0; ANSWER_LEN_MAX];
        let answer = match self.socket.recv(&mut buffer) {
            Ok(len) => &buffer[..len],
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("cannot receive an answer"),
        };
        let id = answer.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
        let sent = self.in_flight.get_mut(usize::from(id)).and_then(Option::take);
        let wrong = || format!("not the answer to a query: {}", answer.escape_ascii());
        let sent = sent.filter(|sent| is_answer(answer, id, sent.name)).with_context(wrong)?;
        meter.record(sent.at, Instant::now());
        Ok(Some(usize::from(id)))
    }
}
