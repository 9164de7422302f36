//! `sinew dig`: asks name servers, and prints what they answer in the manner of dig(1).
//!
//! | file | |
//! |---|---|
//! | `words.rs` | what the command line asks for |
//! | `ask.rs` | one question to one server |
//! | `show.rs` | responses as text |
//! | `trace.rs` | the way from the root to a name |
//! | `transfer.rs` | whole zones |
//!
//! Everything that a server has sent is printed as a zone file has it: what is not printable ASCII is escaped.

mod ask;
mod show;
mod trace;
mod transfer;
mod words;

use std::{
    fmt,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
};

use sinew::{
    dns::{
        client::DnsResolver,
        codec::{Question, RecordType},
    },
    prelude::Reactor,
    reactor::Excerpt,
};

use crate::{
    destination::TlsOptions,
    exit::{Code, Failure},
    run::Tool,
};
use ask::{Asker, Reply};
use words::{Asked, Flags, Words};

/// The port of DNS, and that of DNS over TLS.
const PORTS: [u16; 2] = [53, 853];

/// The arguments of `sinew dig`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Dig {
    /// @SERVER (an address or a name; by default those of the system), names, each with a TYPE and a class behind it if they are not A
    /// and IN, and flags: +short, +trace, +tcp, +tls, +dnssec, +norecurse, +cd, +noedns, +time=SECONDS, +tries=N
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Ask for the name of an address. May be repeated
    #[arg(short = 'x', value_name = "ADDR")]
    reverse: Vec<IpAddr>,
    /// The port of the server, 53 by default and 853 with +tls
    #[arg(short = 'p', value_name = "PORT")]
    port: Option<u16>,
    #[command(flatten)]
    tls: TlsOptions,
}

impl Tool for Dig {
    fn run(&self) -> Result<(), Failure> {
        let usage = |why: String| Failure::new(Code::Usage, why);
        let mut words = Words::parse(&self.words, &self.reverse).map_err(usage)?;
        words.flags.is_tls |= self.tls.any();
        // A signal ends the command at once, as any filter.
        let reactor = Reactor::builder().stop_signals(false).build();
        let reactor = reactor.map_err(|error| Failure::new(Code::System, error.to_string()))?;
        let (inner, port, tls) = (reactor.clone(), self.port, self.tls.clone());
        let ran = reactor.run_until(async move { all(&inner, &words, port, &tls).await });
        match ran {
            Err(error) => Err(Failure::new(Code::Software, error.to_string())),
            Ok(Err(Ended::Unread)) => Ok(()),
            Ok(Err(Ended::Failed(failure))) => Err(failure),
            Ok(Ok(())) => Ok(()),
        }
    }
}

/// Why the command ends before everything is printed.
enum Ended {
    Failed(Failure),
    /// Nobody reads standard output any more, such as head(1).
    Unread,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The servers that are asked, in turn.
struct Servers {
    /// As on the command line; otherwise it is not told.
    name: Option<String>,
    addrs: Vec<SocketAddr>,
}

/// Asks everything, one after the other, also after a failure. The last one is the result; those before it are printed.
async fn all(
    reactor: &Reactor,
    words: &Words,
    port: Option<u16>,
    tls: &TlsOptions,
) -> Result<(), Ended> {
    let resolver = DnsResolver::system(reactor);
    let port = port.unwrap_or(PORTS[usize::from(words.flags.is_tls)]);
    let servers = find_servers(&resolver, words.server.as_deref(), port).await?;
    let tls = match words.flags.is_tls {
        true => Some(tls.config(words.server.as_deref())?),
        false => None,
    };
    let asker = Asker::new(reactor, &words.flags, tls);
    if !words.flags.is_short {
        let shown: Vec<_> = words.text.iter().map(|word| Excerpt::new(word).to_string()).collect();
        let version = env!("CARGO_PKG_VERSION");
        print(format_args!("\n; <<>> sinew {version} <<>> {}", shown.join(" ")))?;
    }
    let mut failed = None;
    for asked in &words.asked {
        let done = match asked.record_type {
            RecordType::AXFR => transfer::run(&asker, &servers, asked, &words.flags).await,
            _ if words.flags.is_trace => trace::run(&asker, &resolver, &servers, asked, port).await,
            _ => one(&asker, &servers, asked, &words.flags).await,
        };
        match done {
            Ok(()) => {}
            Err(Ended::Failed(failure)) => {
                // The one that is returned is printed by the caller.
                if let Some(earlier) = failed.replace(failure) {
                    eprintln!("sinew: {earlier}");
                }
            }
            Err(ended) => return Err(ended),
        }
    }
    failed.map_or(Ok(()), |failure| Err(failure.into()))
}

/// Asks one question, and prints the answer.
async fn one(asker: &Asker, servers: &Servers, asked: &Asked, flags: &Flags) -> Result<(), Ended> {
    let question = flags.question(asked);
    let (server, reply) = in_turn(asker, servers, asked, &question, |_| true).await?;
    if flags.is_short {
        return print_each(reply.message.answers.iter().map(show::data));
    }
    print(show::response(&reply, server, servers.name.as_deref(), asker.wall_clock()))
}

/// Asks the servers in turn until one responds as it should.
async fn in_turn(
    asker: &Asker,
    servers: &Servers,
    asked: &Asked,
    question: &Question,
    is_good: impl Fn(&Reply) -> bool,
) -> Result<(SocketAddr, Reply), Ended> {
    for _ in 0..asker.tries() {
        for &server in &servers.addrs {
            match asker.ask(server, question).await {
                Ok(reply) if is_good(&reply) => return Ok((server, reply)),
                Ok(reply) => {
                    let status = show::status(reply.message.metadata.response_code);
                    print(format_args!(";; {} responds {status}", show::addr(server)))?;
                }
                Err(error) => {
                    print(format_args!(
                        ";; communications error to {}: {error}",
                        show::addr(server)
                    ))?;
                }
            }
        }
    }
    let name = sinew::dns::zone::text_of_name(&asked.name);
    let why = format!("no server has answered the question for {name}");
    Err(Failure::new(Code::Unavailable, why).into())
}

async fn find_servers(
    resolver: &DnsResolver,
    server: Option<&str>,
    port: u16,
) -> Result<Servers, Failure> {
    let Some(text) = server else {
        let servers = resolver.servers();
        let addrs = servers.iter().map(|server| (server.addr().ip(), port).into()).collect();
        return Ok(Servers { name: None, addrs });
    };
    let name = Some(text.to_owned());
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Servers { name, addrs: vec![(ip, port).into()] });
    }
    let found = resolver.addresses(text).await.map_err(|error| {
        let why = format!("cannot find the server {:?}: {error}", Excerpt::new(text));
        Failure::new(Code::NoHost, why)
    })?;
    Ok(Servers { name, addrs: found.iter().map(|addr| (addr.ip(), port).into()).collect() })
}

/// Prints a line.
fn print(text: impl fmt::Display) -> Result<(), Ended> {
    match writeln!(io::stdout().lock(), "{text}") {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Ended::Unread),
        Err(error) => {
            Err(Failure::io(Code::Io, "could not write to standard output", &error).into())
        }
    }
}

fn print_each<T: fmt::Display>(lines: impl IntoIterator<Item = T>) -> Result<(), Ended> {
    lines.into_iter().try_for_each(print)
}
