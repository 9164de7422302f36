//! A name server whose answers come from code: `workstation7.example` has the address 172.0.2.7, `myip.example` is the client, and
//! `time.example` is answered later, by a task. Everything else is refused.
//!
//! ```text
//! $ cargo run --release --features dns --example dns_custom_server
//! listening on 127.0.0.1:8000
//! $ dig @127.0.0.1 -p 8000 +short workstation7.example
//! 172.0.2.7
//! $ dig @127.0.0.1 -p 8000 +short myip.example TXT
//! "127.0.0.1"
//! ```

mod cli;

use std::{process::ExitCode, time::UNIX_EPOCH};

use cli::{AddrArgs, Failed};
use sinew::dns::{
    codec::{Name, RData, Record, RecordType, ResponseCode, rdata::TXT},
    server::{Chain, DnsServer, Handled, OwnedQuery, Query, Response, answer_async},
};

/// Seconds for which an answer is good.
const TTL: u32 = 10;

fn example() -> Name {
    Name::from_labels(["example"]).unwrap_or_default()
}

/// The name below `example`, in lower case, if it is one label.
fn label(name: &Name) -> Option<String> {
    let is_below = name.num_labels() == 2 && example().zone_of(name);
    let label = name.iter().next().filter(|_| is_below)?;
    Some(String::from_utf8_lossy(label).to_lowercase())
}

fn text(name: Name, text: String) -> Response {
    Response::new().answer(Record::from_rdata(name, TTL, RData::TXT(TXT::new(vec![text]))))
}

/// Answers at once, or leaves the query to the next.
fn at_once(query: &Query<'_>) -> Option<Handled> {
    let name = query.name();
    let label = label(&name)?;
    if label == "myip" {
        let client = query.client().map(|addr| addr.ip().to_string()).unwrap_or_default();
        return Some(text(name, client).into());
    }
    let number = label.strip_prefix("workstation")?;
    let response = match number.parse::<u8>() {
        Ok(number) if query.record_type() == RecordType::A => {
            Response::new().address(name, TTL, [172, 0, 2, number])
        }
        // The name exists, but has no such record.
        Ok(_) => Response::new(),
        Err(_) => Response::code(ResponseCode::NXDomain),
    };
    Some(response.into())
}

/// Answers by a task, which could ask a database.
async fn later(query: OwnedQuery) -> Response {
    match label(&query.name).as_deref() {
        Some("time") => {
            let now = query.reactor.wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
            text(query.name, format!("{} seconds since 1970", now.as_secs()))
        }
        _ => Response::code(ResponseCode::Refused),
    }
}

fn run(args: AddrArgs) -> Result<(), Failed> {
    let reactor = args.engine.builder().build()?;
    let server = DnsServer::new(Chain::new().then(at_once).then(answer_async(later)));
    let ports = server.listen(&reactor, args.listen)?;
    cli::run(&reactor, ports.tcp)
}

fn main() -> ExitCode {
    cli::main_about("A name server whose answers come from code", run)
}
