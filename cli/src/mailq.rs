//! `sinew mailq`: the queue of a mail server that runs. Lists messages, shows one, and changes what becomes of them.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use sinew::{reactor::Excerpt, transports::endpoint::ClientEndpoint};

use crate::{
    exit::{Code, Failure},
    look::{Client, LookError, age, ask, bytes, endpoint},
    run::Tool,
    servers::mail::{Page, QueuedReport, RecipientReport},
};

/// The arguments of `sinew mailq`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Mailq {
    /// Where the server has its control (its option --control): unix:/run/sinew/mail.sock
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    at: ClientEndpoint,
    /// Print JSON, with all fields and unrounded
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do.
#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// List the messages; also without a word
    List,
    /// Show one message
    Show {
        /// Its name in the list
        id: String,
    },
    /// Try messages now, and not when it is their time
    Retry {
        /// Their names; without any, all messages that are not held
        id: Vec<String>,
    },
    /// Hold messages: they are not tried until they are released
    Hold {
        /// Their names
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Release messages that are held, and try them now
    Release {
        /// Their names
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Remove messages, without a report to anyone
    Remove {
        /// Their names
        #[arg(required = true)]
        id: Vec<String>,
    },
}

impl Tool for Mailq {
    fn run(&self) -> Result<(), Failure> {
        let (action, json) = (self.action.clone().unwrap_or(Action::List), self.json);
        let done = ask(&self.at, async move |client| match action {
            Action::List => list(&client, json).await,
            Action::Show { id } => {
                let message: QueuedReport = client.get(format!("/queue/{}", word(&id))).await?;
                Ok(shown(&message, json, || text_of(&message)))
            }
            Action::Retry { id } if id.is_empty() => {
                client.post("/queue".to_owned()).await?;
                Ok(String::new())
            }
            Action::Retry { id } => all(&client, &id, "retry").await,
            Action::Hold { id } => all(&client, &id, "hold").await,
            Action::Release { id } => all(&client, &id, "release").await,
            Action::Remove { id } => all(&client, &id, "remove").await,
        });
        let text = done.map_err(failure)?;
        match io::stdout().write_all(text.as_bytes()) {
            // The reader, such as head(1), has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| Failure::io(Code::Io, "standard output", &error)),
        }
    }
}

fn failure(error: LookError) -> Failure {
    match &error {
        LookError::Connect { at, source } => {
            let at = Excerpt::new(at);
            let why =
                format!("could not connect to the control of a mail server at {at}: {source}");
            Failure::new(Code::Unavailable, why)
        }
        LookError::Refused { status: 404, path, text, .. } => {
            let (path, text) = (Excerpt::new(path), Excerpt::new(text.trim_end()));
            Failure::new(Code::Data, format!("{path}: {text}"))
        }
        LookError::Refused { status: 503, text, .. } => {
            Failure::new(Code::Temporary, Excerpt::new(text.trim_end()).to_string())
        }
        _ => error.into(),
    }
}

/// The name of a message as a part of a path: what else was given names none.
fn word(id: &str) -> &str {
    let is_name =
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_name { id } else { "-" }
}

async fn all(client: &Client, ids: &[String], action: &str) -> Result<String, LookError> {
    for id in ids {
        client.post(format!("/queue/{}/{action}", word(id))).await?;
    }
    Ok(String::new())
}

async fn list(client: &Client, json: bool) -> Result<String, LookError> {
    let (mut messages, mut after) = (Vec::new(), String::new());
    loop {
        let page: Page = client.get(format!("/queue?max=200{after}")).await?;
        after = page.messages.last().map(|last| format!("&after={}", last.id)).unwrap_or_default();
        messages.extend(page.messages);
        if !page.has_more || after.is_empty() {
            return Ok(shown(&messages, json, || text_of_all(&messages, page.bytes)));
        }
    }
}

fn shown(value: &impl serde::Serialize, json: bool, text: impl FnOnce() -> String) -> String {
    match json {
        true => serde_json::to_string_pretty(value).unwrap_or_default() + "\n",
        false => text(),
    }
}

fn text_of_all(messages: &[QueuedReport], total: u64) -> String {
    let mut out: String = messages.iter().map(text_of).collect();
    // Writing to a string does not fail.
    let _ = match messages.len() {
        0 => writeln!(out, "the queue is empty"),
        1 => writeln!(out, "1 message, {}", bytes(total)),
        many => writeln!(out, "{many} messages, {}", bytes(total)),
    };
    out
}

/// A line for the message, and one for each recipient who does not have it.
fn text_of(message: &QueuedReport) -> String {
    let sender = Excerpt::new(&message.sender);
    let next = match message.next_in_ms {
        Some(0) | None => String::new(),
        Some(next) => format!(", next in {}", age(next)),
    };
    let mut out = format!(
        "{} {} from <{sender}>, for {}: {}{next}\n",
        Excerpt::new(&message.id),
        bytes(message.bytes),
        age(message.age_ms),
        Excerpt::new(&message.state),
    );
    for to in &message.recipients {
        let RecipientReport { address, state, tries, status } = to;
        let (address, state) = (Excerpt::new(address), Excerpt::new(state));
        let status = status.as_deref().map(Excerpt::new).map(|text| format!(": {text}"));
        let _ =
            writeln!(out, "    {address} {state}, attempts: {tries}{}", status.unwrap_or_default());
    }
    out
}
