//! Finds a link on a page by its text, in the manner of Python's tutorial: a page is opened, read, and searched with a regular expression.
//!
//! ```text
//! $ cargo run --release --features http --example find_link -- https://www.python.org/
//! https://www.python.org/doc/
//! ```

mod cli;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use cli::{Failed, print_line};
use regex::Regex;
use sinew::http::urllib::{Request, urljoin, urlopen};

/// Prints the URL of the first link on a page that has this text
#[derive(Parser)]
struct Args {
    /// The page: a URL of http, https, file or data
    #[arg(value_name = "URL")]
    page: String,

    /// The text of the link
    #[arg(long, value_name = "TEXT", default_value = "Documentation")]
    text: String,

    /// How long the server may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
}

/// What a link leads to, as it is written on the page.
fn find<'page>(page: &'page str, text: &str) -> Result<Option<&'page str>, regex::Error> {
    let link = Regex::new(r#"(?is)<a\s(?:[^>]*?\s)?href\s*=\s*["']([^"']*)["'][^>]*>(.*?)</a>"#)?;
    let tag = Regex::new(r"(?s)<[^>]*>")?;
    let has_text = |inside: &str| {
        let shown = tag.replace_all(inside, " ");
        shown.split_whitespace().collect::<Vec<_>>().join(" ").eq_ignore_ascii_case(text)
    };
    let mut links = link.captures_iter(page).map(|found| found.extract().1);
    Ok(links.find_map(|[to, inside]| has_text(inside).then_some(to)))
}

fn run(args: Args) -> Result<(), Failed> {
    let request = Request::new(args.page).timeout(Duration::from_secs(args.timeout));
    let mut response = urlopen(request)?;
    let page = response.text()?;
    let link = find(&page, &args.text)?;
    let link =
        link.ok_or_else(|| format!("no link on {} is called {:?}", response.url(), args.text))?;
    // An ampersand in an attribute is written `&amp;`.
    print_line!("{}", urljoin(response.url(), &link.replace("&amp;", "&"))?)?;
    Ok(())
}

fn main() -> ExitCode {
    cli::main(run)
}
