//! What a row of the table of commands implements: [`ServerCommand`], [`Tool`], [`Description`].

use std::{fmt, path::PathBuf};

use clap::Command;
use sinew::application::{Service, StartError};

use super::{Context, TlsUse};
use crate::{arguments::Endpoint, exit::Failure};

/// The arguments of a server, on the command line and in the file of `sinew run`: with derived `clap::Args` and
/// `serde::Deserialize` (`#[serde(deny_unknown_fields, default)]`), so that the names of the fields are the keys of the file.
/// The defaults of both must be the same, which a test of the table checks. Two values whose `Debug` texts are equal mean the same server: a
/// reload leaves it alone.
pub(crate) trait ServerCommand: fmt::Debug + Send + Sync + 'static {
    /// Makes its service. Called on the thread of each reactor, and by `sinew check` to find what is wrong with the arguments. Nothing
    /// may be opened or listened on before the service is started.
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError>;

    /// Whether each of several reactors has a service of its own, and they share the ports; otherwise only the first has it. For
    /// servers whose connections know of each other, and those that serve none.
    fn on_all_reactors(&self) -> bool {
        true
    }

    /// The files that it reads when its service is made, so that a reload notices when their contents have changed.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Its endpoints, which are those of `--listen` and others of its own, and the certificates of its own, with the names by which clients
    /// know it there. By default these endpoints, without a name.
    fn tls(&self, listen: &[Endpoint]) -> TlsUse {
        TlsUse::default().endpoints(listen, None)
    }
}

/// The arguments of a command that is no server.
pub(crate) trait Tool: Send + Sync + 'static {
    /// Whether it runs servers, with a log of their own. Otherwise warnings go to standard error.
    const RUNS_SERVERS: bool = false;

    /// Does it. What it prints goes to standard output; the failure is printed by the caller.
    fn run(&self) -> Result<(), Failure>;
}

/// The arguments of a command that describes the command line.
pub(crate) trait Description: Send + Sync + 'static {
    /// Writes the description of `command`, the whole command with its subcommands.
    fn describe(&self, command: Command) -> Result<(), Failure>;
}
