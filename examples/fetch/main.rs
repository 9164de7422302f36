//! Downloads URLs into files: several at a time, resumed where an earlier run or a broken connection has left them, with progress bars on
//! a terminal, and with digests that are checked.
//!
//! ```text
//! $ fetch https://example.org/a.tar.gz#sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 https://example.org/b.iso
//! a.tar.gz: 12.1 MiB
//! b.iso: 701.5 MiB
//! ```

#[path = "../cli/mod.rs"]
mod cli;
mod download;
mod partial;
mod progress;

use std::{
    cell::RefCell, collections::VecDeque, io, path::PathBuf, process::ExitCode, rc::Rc,
    time::Duration,
};

use clap::Parser;
use cli::{EngineArgs, Failed};
use download::{Download, Problem};
use progress::Progress;
use sinew::{
    http::client::{ClientConfig, HttpClient, Proxies},
    prelude::*,
};

/// Exit code if what was downloaded is not what was expected.
const MISMATCH: u8 = 3;

/// How often the bars are drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Downloads URLs into files. A URL may end in #sha256=DIGEST.
///
/// Exit codes: 0 if all is well, 1 if a download failed, 2 for a bad argument, 3 if a digest did not match.
#[derive(Parser)]
struct Args {
    /// What to download
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,

    /// The folder for the files
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// The file, if there is one URL; by default it is named as the end of the URL's path
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// How many at a time
    #[arg(long, short, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,

    /// How often a download is resumed after a failure
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,

    /// Overwrite files that are there, and do not resume
    #[arg(long)]
    force: bool,

    /// The digest that the file must have, if there is one URL: SHA-256 in hexadecimal
    #[arg(long, value_name = "DIGEST", value_parser = download::digest)]
    sha256: Option<String>,

    /// Show nothing but errors
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten)]
    engine: EngineArgs,
}

/// What has failed.
#[derive(Default)]
struct Failures {
    downloads: u32,
    mismatches: u32,
}

/// Downloads one after the other, as long as there are more.
async fn work(
    reactor: Reactor,
    client: HttpClient,
    queue: Rc<RefCell<VecDeque<(usize, Download)>>>,
    (progress, failures): (Rc<RefCell<Progress>>, Rc<RefCell<Failures>>),
) {
    loop {
        let Some((bar, download)) = queue.borrow_mut().pop_front() else { return };
        let done = download.run(&reactor, &client, &progress, bar).await;
        let mut progress = progress.borrow_mut();
        match done {
            Ok(bytes) => progress.done(bar, bytes),
            Err(problem) => {
                let mut failures = failures.borrow_mut();
                match problem {
                    Problem::Mismatch { .. } => failures.mismatches += 1,
                    Problem::Failed(_) => failures.downloads += 1,
                }
                progress.failed(bar, &problem.to_string());
            }
        }
    }
}

fn run(args: Args, mismatches: &mut u32) -> Result<(), Failed> {
    let is_one = args.urls.len() == 1;
    if !is_one && (args.output.is_some() || args.sha256.is_some()) {
        let command = <Args as clap::CommandFactory>::command();
        let kind = clap::error::ErrorKind::ArgumentConflict;
        return Err(clap::Error::raw(kind, "--output and --sha256 are for one URL\n")
            .with_cmd(&command)
            .into());
    }
    let mut downloads = VecDeque::new();
    let mut progress = Progress::new(args.quiet);
    for url in &args.urls {
        let to = args.output.clone();
        let download = Download::new(url, &args.dir, to, args.sha256.clone())?;
        let download = download.force(args.force).retries(args.retries);
        downloads.push_back((progress.add(download.name()), download));
    }
    let reactor = args.engine.builder().build()?;
    let config = ClientConfig::default().proxies(Proxies::from_env()?).decompress(false);
    let client = HttpClient::with_config(&reactor, config);
    let (queue, progress) = (Rc::new(RefCell::new(downloads)), Rc::new(RefCell::new(progress)));
    let failures = Rc::new(RefCell::new(Failures::default()));
    let drawn = Rc::clone(&progress);
    let bars = reactor.call_every(REDRAW, move |reactor| drawn.borrow_mut().draw(reactor.now()));
    let workers: Vec<_> = (0..args.jobs)
        .map(|_| {
            let shared = (Rc::clone(&progress), Rc::clone(&failures));
            reactor.spawn(work(reactor.clone(), client.clone(), Rc::clone(&queue), shared))
        })
        .collect();
    reactor.run_until(async move {
        for worker in workers {
            worker.await?;
        }
        Ok::<_, sinew::reactor::Failure>(())
    })??;
    drop(bars);
    progress.borrow_mut().finish()?;
    let failures = failures.borrow();
    *mismatches = failures.mismatches;
    match failures.downloads + failures.mismatches {
        0 => Ok(()),
        count => Err(format!("{count} of {} downloads failed", args.urls.len()).into()),
    }
}

fn main() -> ExitCode {
    let mut mismatches = 0;
    let code = cli::main(|args| run(args, &mut mismatches));
    if mismatches > 0 { ExitCode::from(MISMATCH) } else { code }
}

/// A problem with a file.
fn with_path(path: &std::path::Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
