//! Sends a file to somebody on XMPP: the server gives it a place (XEP-0363), the client of HTTP puts it there, and a message says where.
//!
//! ```text
//! $ SECRET=secret cargo run --release --features chat,http --example xmpp_upload -- --jid ann@example.org --password-from SECRET \
//!     notes.txt bob@example.org
//! https://files.example.org/5f0c/notes.txt
//! ```

#[path = "cli/mod.rs"]
mod cli;

use std::{env, error::Error, fs, path::PathBuf, process::ExitCode};

use clap::Parser;
use cli::{EngineArgs, say};
use sinew::{
    chat::xmpp::{
        client::{Slot, UploadFile, XmppClient, XmppConfig, XmppHandler},
        codec::{Jid, Message},
    },
    http::{
        Method,
        client::{HttpClient, Request},
    },
    prelude::*,
    transports::endpoint::ClientEndpoint,
};

struct Nothing;

impl XmppHandler for Nothing {}

/// Sends a file to somebody on XMPP
#[derive(Parser)]
struct Args {
    /// Who sends it
    #[arg(long, value_name = "JID")]
    jid: Jid,

    /// The variable of the environment that has the password
    #[arg(long, value_name = "VARIABLE")]
    password_from: String,

    /// The server: host:port, or an endpoint; port 5222 of the domain if it is not given
    #[arg(long, value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    server: Option<ClientEndpoint>,

    file: PathBuf,

    /// To whom
    to: Jid,

    #[command(flatten)]
    engine: EngineArgs,
}

/// What the slot says, and nothing else, decides where the file goes.
async fn put(http: &HttpClient, slot: &Slot, file: Vec<u8>) -> Result<(), Box<dyn Error>> {
    let mut request = Request::new(Method::PUT, &slot.put)?.body(file);
    for (name, value) in &slot.headers {
        request.set(name, value)?;
    }
    let answer = http.send(request).await?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(format!("the service for uploads has answered {}", answer.status()).into()),
    }
}

async fn send(reactor: Reactor, args: Args) -> Result<(), Box<dyn Error>> {
    let name = args.file.file_name().ok_or("a folder is no file")?.to_string_lossy().into_owned();
    let file = fs::read(&args.file)?;
    let server = args.server.unwrap_or_else(|| ClientEndpoint::from((args.jid.domain(), 5222)));
    let config = XmppConfig::new(args.jid, env::var(&args.password_from)?.as_str());
    let xmpp = XmppClient::new(&reactor, config, Nothing);
    xmpp.connect(&reactor, server).await?;
    let service = xmpp.upload_service().await?;
    let slot = xmpp.upload_slot(&service, &UploadFile::new(name, file.len() as u64)).await?;
    put(&HttpClient::new(&reactor), &slot, file).await?;
    say!("{}", slot.get);
    xmpp.send_message(Message::chat(args.to).with_body(slot.get))?;
    xmpp.quit();
    Ok(xmpp.when_offline().await?)
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        reactor.run_until(send(reactor.clone(), args))?
    })
}
