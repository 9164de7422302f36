//! `sinew status`: prints the state of a program once, for people or as JSON.

use std::io::{self, Write};

use serde::Serialize;
use sinew::{
    application::inspect::report::{ConnectionStatus, Status as Report},
    transports::endpoint::ClientEndpoint,
};

use super::{ask, endpoint, text};
use crate::{
    exit::{Code, Failure},
    run::Tool,
};

/// What to print.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Status {
    /// Where the program serves its status (its option --status): unix:/run/x.sock
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    at: ClientEndpoint,
    /// Print JSON, with all fields and unrounded
    #[arg(long)]
    json: bool,
    /// List up to this many connections, too
    #[arg(long, value_name = "MAX", num_args = 0..=1, default_missing_value = "100000", default_value = "0", hide_default_value = true)]
    connections: usize,
}

/// The JSON that is printed: the status, and the connections if they were asked for.
#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    status: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<Vec<ConnectionStatus>>,
}

impl Tool for Status {
    fn run(&self) -> Result<(), Failure> {
        let max = self.connections;
        let (status, connections) = ask(&self.at, async move |client| {
            let status = client.status().await?;
            let connections = match max {
                0 => None,
                max => Some(client.connections(max).await?.0),
            };
            Ok((status, connections))
        })?;
        let printed = match self.json {
            true => {
                let printed = serde_json::to_string_pretty(&Printed { status, connections });
                let printed =
                    printed.map_err(|error| Failure::new(Code::Software, error.to_string()))?;
                printed + "\n"
            }
            false => text::status(&status, connections.as_deref()),
        };
        match io::stdout().write_all(printed.as_bytes()) {
            // The reader, such as head(1), has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| {
                Failure::io(Code::Io, "could not write to standard output", &error)
            }),
        }
    }
}
