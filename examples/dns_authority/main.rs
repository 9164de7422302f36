//! A name server for zones from files. It reads the files again when they change, and passes whole zones to servers that may have them.
//!
//! ```text
//! $ cargo run --release --features dns --example dns_authority -- --zone example.org=example.org.zone --transfer 127.0.0.0/8
//! example.org.: serial 7, 5 records
//! listening on 127.0.0.1:8000
//! $ dig @127.0.0.1 -p 8000 +short www.example.org
//! 192.0.2.7
//! $ dig @127.0.0.1 -p 8000 example.org AXFR
//! ```

#[path = "../cli/mod.rs"]
mod cli;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
    str::FromStr,
    time::{Duration, SystemTime},
};

use clap::Parser;
use cli::{EngineArgs, Failed, say};
use sinew::{
    dns::{
        codec::Name,
        server::{Acl, DnsServer, TransferAccess, Zones},
        zone::{Zone, ZoneConfig, ZoneError},
    },
    prelude::*,
    transports::proxy::Subnet,
};

/// A name server for zones from files
#[derive(Parser)]
struct Args {
    /// A zone: NAME=FILE. May be given several times. $INCLUDE reads files in the folder of FILE
    #[arg(long, value_name = "ZONE", required = true)]
    zone: Vec<ZoneFile>,

    /// Clients that may receive whole zones, such as 192.0.2.0/24. May be given several times
    #[arg(long, value_name = "SUBNET")]
    transfer: Vec<Subnet>,

    /// Address to listen on, over UDP and TCP; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000", value_parser = cli::listen_addr)]
    listen: SocketAddr,

    /// How often the files are looked at, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    reload: u64,

    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Clone)]
struct ZoneFile {
    origin: Name,
    path: PathBuf,
}

impl FromStr for ZoneFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (origin, path) = text.split_once('=').ok_or("NAME=FILE is expected")?;
        let mut origin = Name::from_ascii(origin).map_err(|error| error.to_string())?;
        origin.set_fqdn(true);
        Ok(Self { origin, path: path.into() })
    }
}

impl ZoneFile {
    fn load(&self) -> Result<Zone, ZoneError> {
        let folder = self.path.parent().filter(|it| !it.as_os_str().is_empty());
        let config = ZoneConfig::default().include_folder(folder.unwrap_or(Path::new(".")));
        Zone::load(&self.path, &self.origin, &config)
    }

    fn changed(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.path).and_then(|data| data.modified()).ok()
    }
}

/// Serves a zone from now on.
fn serve(zones: &Zones, zone: Zone) {
    say!("{}: serial {}, {} records", zone.origin(), zone.serial(), zone.record_count());
    for warning in zone.warnings() {
        eprintln!("{}: {warning}", zone.origin());
    }
    zones.insert(zone);
}

/// Looks at a file again and again, and loads it in a thread when it has changed. One that is wrong changes nothing.
async fn watch(reactor: Reactor, zones: Zones, file: ZoneFile, every: Duration) {
    let mut seen = file.changed();
    loop {
        reactor.sleep(every).await;
        let of_thread = file.clone();
        let job = reactor.defer_to_thread(move || {
            let changed = of_thread.changed();
            (changed != seen).then(|| (changed, of_thread.load()))
        });
        match job.await {
            Ok(Some((changed, loaded))) => {
                seen = changed;
                match loaded {
                    Ok(zone) => serve(&zones, zone),
                    Err(error) => eprintln!("{error}"),
                }
            }
            Ok(None) => {}
            Err(error) => eprintln!("{}: {error}", file.path.display()),
        }
    }
}

fn run(args: Args) -> Result<(), Failed> {
    let zones = Zones::new();
    for file in &args.zone {
        serve(&zones, file.load()?);
    }
    let access = args.transfer.iter().fold(Acl::nobody(), |acl, subnet| acl.allow(*subnet));
    zones.allow_transfers(TransferAccess::new(access));
    let reactor = args.engine.builder().build()?;
    let every = Duration::from_millis(args.reload.max(10));
    let watching: Rc<[_]> = args
        .zone
        .into_iter()
        .map(|file| reactor.spawn(watch(reactor.clone(), zones.clone(), file, every)))
        .collect();
    let ports = DnsServer::new(zones).listen(&reactor, args.listen)?;
    let ended = cli::run(&reactor, ports.tcp);
    drop(watching);
    ended
}

fn main() -> ExitCode {
    cli::main(run)
}
