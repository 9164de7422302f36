//! `sinew sendmail`: sends a message from standard input, in the manner of sendmail(8). It has no queue: what cannot be sent now is the
//! business of who calls it, and the exit code says so.
//!
//! | file | |
//! |---|---|
//! | `settings.rs` | where mail goes, by the command line or a file |
//! | `password.rs` | where the password comes from |
//! | `input.rs` | standard input as lines |
//! | `message.rs` | the header of the message |
//! | `stored.rs` | the message as it is sent, in memory or in a file |
//! | `addresses.rs` | addresses in fields and arguments, pure |
//! | `deliver.rs` | sends it |
//! | `outcome.rs` | what became of it for each recipient, and the exit code |

mod addresses;
mod deliver;
mod input;
mod message;
mod outcome;
mod password;
mod settings;
mod stored;

use std::{
    collections::HashSet,
    fmt,
    io::{self, Write},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use nix::unistd;
use sinew::{
    auth::ClientLogin,
    mail::smtp::{
        client::{ClientConfig, Security},
        codec::{Address, Completion, Notify, Return, Sender},
    },
    prelude::Reactor,
    reactor::Excerpt,
    transports::endpoint::ClientEndpoint,
};

use crate::{
    exit::{Code, Failure},
    run::Tool,
};
use deliver::Letter;
use input::{Input, InputError};
use message::{Header, mailbox};
use outcome::Outcome;
pub(crate) use settings::{Settings, Tls};
use stored::Stored;

/// The longest name of ENVID (RFC 3461 4.4).
const ENVELOPE_ID_MAX: usize = 100;

/// The arguments of `sinew sendmail`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Sendmail {
    /// The recipients
    #[arg(value_name = "ADDRESS")]
    recipients: Vec<String>,
    /// Send it to whom the header names (To, Cc, Bcc), too
    #[arg(short = 't', long)]
    read_recipients: bool,
    /// A line that is a dot does not end the message. Also -oi
    #[arg(short = 'i', long)]
    ignore_dots: bool,
    /// The name of the author, for a message without From
    #[arg(short = 'F', long, value_name = "NAME", value_parser = one_line)]
    full_name: Option<String>,
    /// When the author is told: never, or some of success, failure and delay, with commas. Where the server can do so (DSN)
    #[arg(short = 'N', long, value_name = "WHEN", value_parser = notify)]
    notify: Option<Notify>,
    /// How much of the message reports return: full or hdrs
    #[arg(short = 'R', long = "return", value_name = "PART", value_parser = returned)]
    returned: Option<Return>,
    /// By which name reports call the message
    #[arg(short = 'V', long, value_name = "ID", value_parser = envelope_id)]
    envelope_id: Option<String>,
    /// Say what has become of the message for every recipient, not only where it was not delivered
    #[arg(short = 'v', long)]
    verbose: bool,
    /// Print what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Read where mail goes from this file, if the command line names no server [default: ~/.config/sinew/sendmail.toml, else
    /// /etc/sinew/sendmail.toml]
    #[arg(short = 'C', long, value_name = "FILE", help_heading = "Server")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// What to do: m, which is to send a message, is all there is
    #[arg(short = 'b', value_name = "MODE", value_parser = ["m"], hide = true)]
    mode: Option<String>,
    /// Options of sendmail: i is known, the others are ignored
    #[arg(short = 'o', value_name = "OPTION", hide = true)]
    options: Vec<String>,
    /// Ignored, as is what follows, which has no meaning here
    #[arg(short = 'O', short_aliases = ['A', 'B', 'L', 'e'], value_name = "OPTION", hide = true)]
    ignored: Vec<String>,
    #[arg(short = 'G', short_aliases = ['U', 'm', 'n'], action = clap::ArgAction::Count, hide = true)]
    ignored_flags: u8,
}

fn one_line(text: &str) -> Result<String, String> {
    match text.chars().any(char::is_control) {
        true => Err("a name has no control characters".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn notify(text: &str) -> Result<Notify, String> {
    if text.eq_ignore_ascii_case("never") {
        return Ok(Notify::NEVER);
    }
    text.split(',').try_fold(Notify::NEVER, |all, word| {
        let word = match word.to_ascii_lowercase().as_str() {
            "success" => Notify::SUCCESS,
            "failure" => Notify::FAILURE,
            "delay" => Notify::DELAY,
            _ => return Err("write never, or some of success, failure and delay".to_owned()),
        };
        Ok(all.and(word))
    })
}

fn returned(text: &str) -> Result<Return, String> {
    match text.to_ascii_lowercase().as_str() {
        "full" => Ok(Return::Full),
        "hdrs" => Ok(Return::Headers),
        _ => Err("write full or hdrs".to_owned()),
    }
}

fn envelope_id(text: &str) -> Result<String, String> {
    if text.len() > ENVELOPE_ID_MAX || text.is_empty() {
        return Err(format!("it has between 1 and {ENVELOPE_ID_MAX} bytes"));
    }
    one_line(text)
}

impl Tool for Sendmail {
    fn run(&self) -> Result<(), Failure> {
        let settings = self.settings.clone().or_of_file(self.config.as_deref())?;
        // A signal ends the command at once, as any filter. What holds up the loop holds up nobody else.
        let reactor = Reactor::builder().stop_signals(false).slow_callback(Duration::MAX).build();
        let reactor = reactor.map_err(|error| Failure::new(Code::System, error.to_string()))?;
        let hostname = unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let hostname = hostname.filter(|name| !name.is_empty()).unwrap_or("localhost".to_owned());
        let letter = self.letter(&settings, &hostname, reactor.wall_clock())?;
        if self.dry_run {
            return show(&letter);
        }
        let outcomes = send(&reactor, &settings, &hostname, letter)?;
        self.report(&outcomes)
    }
}

impl Sendmail {
    /// Reads the message, and finds the sender and the recipients.
    fn letter(
        &self,
        settings: &Settings,
        hostname: &str,
        now: SystemTime,
    ) -> Result<Letter, Failure> {
        let domain = settings.domain.as_deref().unwrap_or(hostname);
        let recipients = self.named_recipients(domain)?;
        if recipients.is_empty() && !self.read_recipients {
            let why = "no recipients: name some, or take those of the message by -t";
            return Err(Failure::new(Code::Usage, why));
        }
        let ignores_dots = self.ignore_dots || self.options.iter().any(|option| option == "i");
        let mut input = Input::new(io::stdin().lock(), !ignores_dots, settings.message_max());
        let header = Header::read(&mut input).map_err(|error| unread(&error))?;
        let data = |error: &dyn fmt::Display| Failure::new(Code::Data, error.to_string());
        let mut all = recipients;
        if self.read_recipients {
            let named = header.recipients().map_err(|error| data(&error))?;
            let named = named.iter().map(|text| qualified(text, domain));
            all.extend(named.collect::<Result<Vec<_>, _>>().map_err(|error| data(&error))?);
        }
        let mut seen = HashSet::new();
        all.retain(|address| seen.insert(address.clone()));
        if all.is_empty() {
            return Err(data(&"no recipients: the header of the message names none"));
        }
        let user = || unistd::User::from_uid(unistd::getuid()).ok().flatten().map(|user| user.name);
        let user = user().unwrap_or_else(|| "postmaster".to_owned());
        let user = qualified(&user, domain).map_err(|error| {
            Failure::new(Code::Config, format!("the user of this process: {error}"))
        })?;
        let sender = match &settings.from {
            Some(from) => of_argument(from, domain)?,
            None => match header.author().map_err(|error| data(&error))? {
                Some(author) => Some(qualified(&author, domain).map_err(|error| data(&error))?),
                None => Some(user.clone()),
            },
        };
        let author = sender.as_ref().unwrap_or(&user);
        let from = mailbox(self.full_name.as_deref().unwrap_or_default(), author.as_str());
        let completion = Completion::default().field("From", from).date(now);
        let completion = completion.field("Message-ID", message_id(author, now));
        let message = Stored::collect(&header.completed(completion), &mut input);
        let message = message.map_err(|error| unread(&error))?;
        let notify = self.notify;
        Ok(Letter { sender: self.with_parameters(sender), recipients: all, notify, message })
    }

    fn named_recipients(&self, domain: &str) -> Result<Vec<Address>, Failure> {
        let usage = |error: &dyn fmt::Display| Failure::new(Code::Usage, error.to_string());
        let mut all = Vec::new();
        for text in &self.recipients {
            let found = addresses::addresses(text)
                .map_err(|why| usage(&format_args!("{:?}: {why}", Excerpt::new(text))))?;
            for address in found {
                all.push(qualified(&address, domain).map_err(|error| usage(&error))?);
            }
        }
        Ok(all)
    }

    fn with_parameters(&self, sender: Option<Address>) -> Sender {
        let mut sender = Sender::new(sender);
        if let Some(returned) = self.returned {
            sender = sender.with_return(returned);
        }
        match &self.envelope_id {
            Some(id) => sender.with_envelope_id(id.as_str()),
            None => sender,
        }
    }

    /// Prints what has become of the message, and ends with the code for it.
    fn report(&self, outcomes: &[Outcome]) -> Result<(), Failure> {
        for outcome in outcomes {
            match outcome.is_delivered() {
                false => eprintln!("sinew: {outcome}"),
                // Nobody may read it.
                true if self.verbose => drop(writeln!(io::stdout(), "{outcome}")),
                true => {}
            }
        }
        match outcome::code_of_all(outcomes) {
            None => Ok(()),
            Some(code) => Err(Failure::new(code, String::new())),
        }
    }
}

/// The message could not be read.
fn unread(error: &InputError) -> Failure {
    let code = match error {
        InputError::Io(_) => Code::Io,
        InputError::TooLong(_) | InputError::LongHeader(_) => Code::Data,
    };
    Failure::new(code, error.to_string())
}

/// The address of `--from`; `None` for the null path.
fn of_argument(text: &str, domain: &str) -> Result<Option<Address>, Failure> {
    if matches!(text.trim(), "" | "<>") {
        return Ok(None);
    }
    let usage = |error: &dyn fmt::Display| Failure::new(Code::Usage, format!("--from: {error}"));
    match addresses::addresses(text).map_err(|why| usage(&why))?.as_slice() {
        [address] => qualified(address, domain).map(Some).map_err(|error| usage(&error)),
        _ => Err(usage(&"one address is expected")),
    }
}

/// An address, with the domain if it has none.
fn qualified(text: &str, domain: &str) -> Result<Address, sinew::mail::smtp::codec::AddressError> {
    match text.parse::<Address>() {
        Ok(address) if !address.domain().is_empty() => Ok(address),
        given => match format!("{text}@{domain}").parse() {
            Ok(address) => Ok(address),
            Err(error) => Err(given.err().filter(|_| text.contains('@')).unwrap_or(error)),
        },
    }
}

/// A name that no other message has.
fn message_id(author: &Address, now: SystemTime) -> String {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    // The kernel fails only before it has gathered any randomness.
    let random = getrandom::u64().unwrap_or_else(|_| std::process::id().into());
    format!("<{now:x}.{random:016x}@{}>", author.domain())
}

/// Sends the letter, and waits for the end.
fn send(
    reactor: &Reactor,
    settings: &Settings,
    hostname: &str,
    letter: Letter,
) -> Result<Vec<Outcome>, Failure> {
    let hostname = settings.hostname.as_deref().unwrap_or(hostname);
    let config = ClientConfig::new(hostname).map_err(|error| {
        Failure::new(Code::Usage, format!("the host name {hostname:?}: {error}"))
    })?;
    let config = with_timeouts(config, settings).lmtp(settings.lmtp);
    let (to, config) = match settings.to_domain {
        true => (None, config_of_domains(config, settings)?),
        false => {
            let (to, config) = client(config, settings)?;
            (Some(to), config)
        }
    };
    let (of_task, port) = (reactor.clone(), settings.port.unwrap_or(25));
    let ran = reactor.run_until(async move {
        match to {
            Some(to) => deliver::to_server(&of_task, to, config, &letter).await,
            None => deliver::to_domains(&of_task, &config, port, &letter).await,
        }
    });
    ran.map_err(|error| Failure::new(Code::Software, error.to_string()))
}

fn with_timeouts(config: ClientConfig, settings: &Settings) -> ClientConfig {
    match settings.timeout {
        Some(timeout) => {
            config.command_timeout(timeout.0).data_timeout(timeout.0).block_timeout(timeout.0)
        }
        None => config,
    }
}

/// Where the server of the settings is, and how it is spoken to.
pub(crate) fn client(
    config: ClientConfig,
    settings: &Settings,
) -> Result<(ClientEndpoint, ClientConfig), Failure> {
    let place = settings.place()?;
    let mut config = with_tls(config, settings, place.security)?;
    if let Some(user) = &settings.user {
        let password = password::password(settings, user)?;
        config = config.login(ClientLogin::password(user, password));
    }
    Ok((place.endpoint, config))
}

fn config_of_domains(config: ClientConfig, settings: &Settings) -> Result<ClientConfig, Failure> {
    with_tls(config, settings, settings.security_of_domains()?)
}

/// STARTTLS. The certificates are read only if it is used.
fn with_tls(
    config: ClientConfig,
    settings: &Settings,
    security: Security,
) -> Result<ClientConfig, Failure> {
    let config = config.security(security);
    if security == Security::None {
        return Ok(config);
    }
    let config = config.tls(settings.tls_options(true).config(None)?);
    Ok(match &settings.server_name {
        Some(name) => config.server_name(name),
        None => config,
    })
}

/// Prints the envelope, an empty line, and the message.
fn show(letter: &Letter) -> Result<(), Failure> {
    let mut out = format!("from {}\n", letter.sender);
    for address in &letter.recipients {
        out += &format!("to <{address}>\n");
    }
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{out}").and_then(|()| letter.message.write_to(&mut stdout));
    written.map_err(|error| Failure::io(Code::Io, "standard output", &error))
}
