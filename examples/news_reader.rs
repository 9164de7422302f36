//! Reads news: lists the groups of a server, the newest articles of a group, or one article.
//!
//! ```text
//! $ cargo run --release --features news --example news_reader -- news.example.org:119 misc.test
//! 1 <1@news.example.org> hello
//! ```

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::{EngineArgs, Failed, print_line};
use sinew::{
    news::nntp::{
        client::{ClientConfig, NewsClient},
        codec::{MessageId, Part, Range},
    },
    prelude::*,
    reactor::Excerpt,
    transports::endpoint::ClientEndpoint,
};

/// Reads news: lists the groups of a server, the newest articles of a group, or one article
#[derive(Parser, Debug)]
struct Args {
    /// Where to connect to
    #[arg(value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    server: ClientEndpoint,

    /// A group, or the identifier of an article; without, the groups are listed
    #[arg(value_name = "GROUP|MESSAGE-ID")]
    what: Option<String>,

    /// Articles of a group that are shown, the newest
    #[arg(long, default_value_t = 20, value_name = "N")]
    newest: u64,

    #[command(flatten)]
    engine: EngineArgs,
}

/// The longest article that is shown.
const ARTICLE_MAX: usize = 1 << 20;

async fn read(reactor: Reactor, args: Args) -> Result<(), Failed> {
    let config = ClientConfig::default();
    let mut client = NewsClient::connect(&reactor, args.server, config).await?;
    match args.what {
        None => {
            let mut groups = client.list_active(None).await?;
            while let Some(group) = groups.next().await? {
                print_line!("{} {}-{}", group.name, group.low, group.high)?;
            }
        }
        Some(id) if id.starts_with('<') => {
            let id: MessageId = id.parse()?;
            let article =
                client.article(Part::Article, id).await?.ok_or("there is no such article")?;
            let text = article.read_to_end(ARTICLE_MAX).await?;
            for line in String::from_utf8_lossy(&text).lines() {
                print_line!("{}", Excerpt::new(line).len_max(1_000))?;
            }
        }
        Some(name) => {
            let group = client.group(&name.parse()?).await?;
            let first = (group.high + 1).saturating_sub(args.newest).max(1);
            if let Some(mut lines) = client.over(Range::from(first)).await? {
                while let Some(line) = lines.next().await? {
                    let id = line.message_id().map(|id| id.to_string()).unwrap_or_default();
                    let subject = line.subject();
                    print_line!("{} {id} {}", line.number(), Excerpt::new(&subject).len_max(200))?;
                }
            }
        }
    }
    client.quit().await;
    Ok(())
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        cli::run_until(&reactor, read(reactor.clone(), args))
    })
}
