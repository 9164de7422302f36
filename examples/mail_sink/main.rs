//! An SMTP server that accepts any mail and stores it in a maildir, for testing programs that send mail. One thread
//! per client; commands are parsed by the crate smtp-proto.
//!
//! ```text
//! $ cargo run --release --features socketserver --example mail_sink -- --maildir mail
//! listening on 127.0.0.1:8000
//! <ann@example.org> to <bob@example.org>: mail/new/1795250000.M42P4711Q1.localhost
//! ```
//!
//! ```text
//! $ swaks --server 127.0.0.1:8000 --from ann@example.org --to bob@example.org
//! ```

#[path = "../cli/mod.rs"]
mod cli;
mod maildir;
mod session;

use std::{
    io::{BufRead, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use cli::{AddrArgs, say, serve};
use maildir::Maildir;
use session::{Heard, Mail, Session};
use sinew::reactor::Excerpt;
use sinew::socketserver::{HandlerResult, StreamContext, StreamRequestHandler, ThreadingTcpServer};

/// RFC 5321 4.5.3.2.7: how long a server should wait for the next command.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Answers to pipelined commands are sent together.
const ANSWERS: usize = 4096;

/// Accepts any mail and stores it in a maildir
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: AddrArgs,

    /// Folder for the mail; created if necessary
    #[arg(long, value_name = "DIR")]
    maildir: PathBuf,

    /// Largest message accepted, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 10 * 1024 * 1024)]
    size_max: usize,
}

struct MailRequestHandler {
    session: Session,
    maildir: Arc<Maildir>,
}

impl StreamRequestHandler for MailRequestHandler {
    fn timeout(&self) -> Option<Duration> {
        Some(TIMEOUT)
    }

    fn wbufsize(&self) -> usize {
        ANSWERS
    }

    fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult {
        cx.wfile.write_all(self.session.greeting().as_bytes())?;
        loop {
            // The client may be waiting for these answers.
            if cx.rfile.buffer().is_empty() {
                cx.wfile.flush()?;
            }
            let input = cx.rfile.fill_buf()?;
            if input.is_empty() {
                return Ok(());
            }
            let mut rest = input;
            let heard = self.session.hear(&mut rest);
            let len = input.len() - rest.len();
            cx.rfile.consume(len);
            match heard {
                Heard::Nothing => {}
                Heard::Say(answer) => cx.wfile.write_all(answer.as_bytes())?,
                Heard::Mail(mail) => cx.wfile.write_all(self.keep(&mail).as_bytes())?,
                Heard::Bye(answer) => return Ok(cx.wfile.write_all(answer.as_bytes())?),
            }
        }
    }
}

impl MailRequestHandler {
    /// The answer acknowledges the message: after it, this server is responsible for the mail.
    fn keep(&self, mail: &Mail) -> String {
        match self.maildir.keep(mail) {
            Ok(path) => {
                let to: Vec<_> = mail.to.iter().map(|to| format!("<{to}>")).collect();
                let (from, to) = (Excerpt::new(&mail.from), to.join(", "));
                say!("<{from}> to {}: {}", Excerpt::new(&to), path.display());
                "250 2.0.0 Ok, it is kept\r\n".to_owned()
            }
            Err(error) => {
                say!("not kept: {error}");
                "451 4.3.0 It could not be kept, try again later\r\n".to_owned()
            }
        }
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let maildir = Maildir::open(&args.maildir)
            .map_err(|error| format!("could not make {}: {error}", args.maildir.display()))?;
        let (maildir, size_max) = (Arc::new(maildir), args.size_max);
        let handler = move || MailRequestHandler {
            session: Session::new(size_max),
            maildir: maildir.clone(),
        };
        let server =
            ThreadingTcpServer::bind_with(args.server.listen, handler, args.server.config())?;
        serve(&server)
    })
}
