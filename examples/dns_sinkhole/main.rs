//! A name server that keeps a list of names away from a network: those on the list do not exist, all others are asked for at other
//! servers. A page shows who asks for what.
//!
//! ```text
//! $ cargo run --release --features dns,http --example dns_sinkhole -- --list ads.txt --forward 192.0.2.53
//! ads.txt: 3 names
//! page at http://127.0.0.1:8080/
//! listening on 127.0.0.1:8000
//! $ dig @127.0.0.1 -p 8000 +short www.ads.example
//! $ dig @127.0.0.1 -p 8000 +short www.example.org
//! 192.0.2.7
//! ```

#[path = "../cli/mod.rs"]
mod cli;
mod counts;
mod page;

use std::{
    cell::RefCell,
    fs::{self, File},
    io::{self, Read},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
    time::{Duration, SystemTime},
};

use clap::Parser;
use cli::{EngineArgs, Failed, say};
use counts::Counts;
use sinew::{
    dns::{
        client::{DnsConfig, DnsResolver},
        server::{Acl, DnsServer, Forward, Handled, Handler, Overrides, Query},
    },
    http::server::{HttpServer, Response, Router, answer},
    prelude::*,
    transports::{endpoint::ServerEndpoint, proxy::Subnet},
};

/// Longest list that is read.
const LIST_MAX: u64 = 64 << 20;

/// How much of a list is added in one turn of the loop.
const LINES_PER_TURN: usize = 2_000;

/// A name server that keeps a list of names away from a network
#[derive(Parser)]
struct Args {
    /// The names: a hosts file whose addresses are 0.0.0.0, or a name in each line. What is below a name is blocked, too
    #[arg(long, value_name = "FILE")]
    list: PathBuf,

    /// A server to ask for all other names: ADDR or ADDR:PORT. May be given several times; by default those of the system
    #[arg(long, value_name = "SERVER", value_parser = server)]
    forward: Vec<SocketAddr>,

    /// Clients that may ask, besides this machine, such as 192.168.0.0/16. May be given several times
    #[arg(long, value_name = "SUBNET")]
    allow: Vec<Subnet>,

    /// Address to listen on, over UDP and TCP; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000", value_parser = cli::listen_addr)]
    listen: SocketAddr,

    /// Where the page is served
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:8080", value_parser = cli::endpoint::<ServerEndpoint>)]
    page: ServerEndpoint,

    /// How often the list is looked at, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    reload: u64,

    #[command(flatten)]
    engine: EngineArgs,
}

fn server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse().ok();
    let addr = with_port.or_else(|| text.parse::<IpAddr>().ok().map(|ip| (ip, 53).into()));
    addr.ok_or_else(|| format!("{text} is not an address"))
}

/// Answers queries, and counts them.
struct Sinkhole {
    /// The list; a new one replaces it as a whole.
    blocked: RefCell<Overrides>,
    others: Forward,
    counts: RefCell<Counts>,
}

impl Sinkhole {
    fn handle(&self, query: &Query<'_>) -> Handled {
        let handled = self.blocked.borrow().handle(query);
        let is_blocked = !matches!(handled, Handled::Pass);
        self.counts.borrow_mut().count(query, is_blocked);
        if is_blocked { handled } else { self.others.handle(query) }
    }
}

fn read_list(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    File::open(path)?.take(LIST_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LIST_MAX {
        return Err(io::Error::other(format!("it has more than {LIST_MAX} bytes")));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn changed(path: &Path) -> Option<(SystemTime, u64)> {
    let data = fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

/// Reads a list in several turns of the loop, so that queries need not wait for a long one.
async fn in_turns(reactor: &Reactor, text: &str) -> (Overrides, usize) {
    let blocked = Overrides::new();
    let (mut lines, mut unread) = (text.lines().peekable(), 0);
    while lines.peek().is_some() {
        let some: Vec<_> = lines.by_ref().take(LINES_PER_TURN).collect();
        unread += blocked.add_hosts(&some.join("\n"));
        reactor.sleep(Duration::ZERO).await;
    }
    (blocked, unread)
}

/// Says what was read.
fn report(path: &Path, blocked: &Overrides, unread: usize) {
    say!("{}: {} names", path.display(), blocked.len());
    if unread > 0 {
        eprintln!("{}: {unread} lines make no sense", path.display());
    }
}

/// Looks at the list again and again, and reads it when it has changed: the file in a thread.
async fn watch(reactor: Reactor, sinkhole: Rc<Sinkhole>, path: PathBuf, every: Duration) {
    let mut seen = changed(&path);
    loop {
        reactor.sleep(every).await;
        let of_thread = path.clone();
        let job = reactor.defer_to_thread(move || {
            let now = changed(&of_thread);
            (now.is_some() && now != seen).then(|| (now, read_list(&of_thread)))
        });
        match job.await {
            Ok(Some((now, Ok(text)))) => {
                seen = now;
                let (blocked, unread) = in_turns(&reactor, &text).await;
                report(&path, &blocked, unread);
                sinkhole.blocked.replace(blocked);
            }
            Ok(Some((now, Err(error)))) => {
                seen = now;
                eprintln!("{}: {error}", path.display());
            }
            Ok(None) => {}
            Err(error) => eprintln!("{}: {error}", path.display()),
        }
    }
}

fn run(args: Args) -> Result<(), Failed> {
    let text = read_list(&args.list);
    let text = text.map_err(|error| format!("{}: {error}", args.list.display()))?;
    let blocked = Overrides::new();
    let unread = blocked.add_hosts(&text);
    report(&args.list, &blocked, unread);
    let reactor = args.engine.builder().build()?;
    let config = match args.forward.is_empty() {
        true => DnsConfig::system(),
        false => DnsConfig::default().servers(args.forward),
    };
    let acl = args.allow.iter().fold(Acl::loopback(), |acl, subnet| acl.allow(*subnet));
    let sinkhole = Rc::new(Sinkhole {
        blocked: RefCell::new(blocked),
        others: Forward::new(DnsResolver::new(&reactor, config)).acl(acl),
        counts: RefCell::default(),
    });
    let of_server = sinkhole.clone();
    let server = DnsServer::new(move |query: &Query<'_>| of_server.handle(query));
    let ports = server.listen(&reactor, args.listen)?;

    let of_page = sinkhole.clone();
    let router = Router::new()
        .get("/", answer(move |_| Response::html(page::page(&of_page.counts.borrow()))));
    let page = args.page.listen(&reactor, HttpServer::new(router))?;
    say!("page at http://{}/", page.local());

    let every = Duration::from_millis(args.reload.max(10));
    let watching = reactor.spawn(watch(reactor.clone(), sinkhole, args.list, every));
    let ended = cli::run(&reactor, ports.tcp);
    drop(watching);
    ended
}

fn main() -> ExitCode {
    cli::main(run)
}
