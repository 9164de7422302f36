//! `sinew qotd`: sends a quote (RFC 865), over streams and datagrams.

use std::{fs, path::PathBuf};

use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    prelude::Bytes,
    protocols::wire,
    reactor::Excerpt,
    transports::Peer,
};

use super::datagrams::{Answer, UdpAddress, UdpService};
use crate::run::{Context, ServerCommand};

/// Longest file with a quote: what fits into a datagram of RFC 865 has less than 512 characters, and streams may have more.
const FILE_MAX: u64 = 64 * 1024;

/// The arguments of `sinew qotd`.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Qotd {
    /// The quote, a line
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pub(crate) quote: Option<String>,
    /// Read the quote from this file, of at most 64 KiB
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Answer datagrams here, too: an IP address and a port, or a port of all IPv4 addresses. They get the first 512 bytes. May be
    /// repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) udp: Vec<UdpAddress>,
}

impl Qotd {
    fn quote(&self) -> Result<Bytes, StartError> {
        match (&self.quote, &self.file) {
            (Some(_), Some(_)) => {
                Err(StartError::other("quote and file exclude each other: give one of them"))
            }
            (Some(quote), None) => Ok(format!("{quote}\r\n").into()),
            (None, None) => Ok("An apple a day keeps the doctor away.\r\n".into()),
            (None, Some(path)) => {
                let size = fs::metadata(path).map(|file| file.len());
                let read = size.and_then(|size| {
                    if size > FILE_MAX { Ok(None) } else { fs::read(path).map(Some) }
                });
                let path = Excerpt::path(path);
                match read {
                    Ok(Some(text)) => Ok(text.into()),
                    Ok(None) => Err(StartError::other(format!(
                        "the quote in {path} has more than {FILE_MAX} bytes"
                    ))),
                    Err(error) => Err(StartError::other(format!(
                        "the quote in {path} cannot be read: {error}"
                    ))),
                }
            }
        }
    }
}

impl ServerCommand for Qotd {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        let quote = self.quote()?;
        let of_streams = quote.clone();
        let streams =
            context.serve("tcp:17", move |_: &Peer| wire::Qotd::new(of_streams.clone()))?;
        UdpService::beside(streams, &self.udp, Answer::Quote(quote))
    }

    fn files(&self) -> Vec<PathBuf> {
        self.file.iter().cloned().collect()
    }
}
