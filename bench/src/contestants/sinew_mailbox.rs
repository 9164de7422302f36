//! Servers of POP3 and IMAP as a user of sinew would write them, with the maildirs. The files are read by threads of the pool.

use std::error::Error;
use std::path::PathBuf;
use std::rc::Rc;

use bench::convention::{Listen, announce};
use bench::engine::EngineArgs;
use bench::mail::{PASSWORD, USERS, folder, user, write_maildirs};
use clap::{Parser, ValueEnum};
use sinew::auth::{Authenticator, AuthenticatorConfig, Users};
use sinew::mail::store::{MaildirConfig, MaildirStore};
use sinew::mail::{imap, pop3};
use sinew::prelude::*;

/// Serves mail
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,

    /// The protocol
    #[arg(value_enum)]
    protocol: Protocol,
}

#[derive(Clone, Copy, ValueEnum)]
enum Protocol {
    Pop3,
    Imap,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let folder = Folder(folder("sinew")?);
    write_maildirs(&folder.0)?;
    let reactor = args.engine.reactor()?;
    let store = Rc::new(MaildirStore::new(&folder.0, MaildirConfig::default()));
    let users = (0..USERS).fold(Users::new(), |users, number| users.user(user(number), PASSWORD));
    let config = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Authenticator::with(users, config);
    let listen = ListenConfig::default().backlog(Listen::backlog());
    let port = match args.protocol {
        Protocol::Pop3 => {
            let config = pop3::server::ServerConfig::new("bench.example", users)?;
            let maildrops = pop3::server::StoredMaildrops::new(store);
            let server = pop3::server::Pop3Server::new(config, maildrops);
            reactor.listen_tcp_with(args.listen.listen, listen, server)?
        }
        Protocol::Imap => {
            let config = imap::server::ServerConfig::new(users, store);
            let server = imap::server::ImapServer::new(config);
            reactor.listen_tcp_with(args.listen.listen, listen, server)?
        }
    };
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.run()?;
    Ok(())
}

/// Removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
