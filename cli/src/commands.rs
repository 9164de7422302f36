//! The table of the commands: a row for each, with its name, its line of help, its arguments, and what it does. A family of
//! protocols adds its server by one row.

use clap::{ArgMatches, Args, Command};
use serde::de::DeserializeOwned;

use crate::{
    bench, completions,
    config::keys_of,
    dig,
    exit::Failure,
    files, look, mailq, man, password,
    run::{Description, ServerCommand, Tool},
    sendmail, servers, top,
};

/// A command of `sinew`.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// One line for the list of commands.
    pub(crate) about: &'static str,
    /// Shown below the options in its help: examples.
    pub(crate) examples: &'static str,
    pub(crate) kind: Kind,
}

/// What a command does.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Runs a service until it is stopped, with the common options; `sinew run` has it, too.
    Server(ServerKind),
    /// Does one thing and ends.
    Tool(ToolKind),
    /// Describes the command line.
    Description(DescriptionKind),
}

/// How a server is made from arguments, and from a table of the file.
#[derive(Debug)]
pub(crate) struct ServerKind {
    pub(crate) arguments: fn(Command) -> Command,
    pub(crate) from_matches: fn(&ArgMatches) -> Result<Box<dyn ServerCommand>, clap::Error>,
    pub(crate) from_file:
        fn(toml::de::Deserializer<'_>) -> Result<Box<dyn ServerCommand>, toml::de::Error>,
    /// The keys that it has in a file.
    pub(crate) keys: fn() -> &'static [&'static str],
}

/// What became of a command: an error of clap is about its arguments.
pub(crate) type Done = Result<Result<(), Failure>, clap::Error>;

/// How a tool is run with arguments.
#[derive(Debug)]
pub(crate) struct ToolKind {
    pub(crate) arguments: fn(Command) -> Command,
    /// It starts a log of its own.
    pub(crate) runs_servers: bool,
    pub(crate) run: fn(&ArgMatches) -> Done,
}

/// How a description of the command line is made with arguments.
#[derive(Debug)]
pub(crate) struct DescriptionKind {
    pub(crate) arguments: fn(Command) -> Command,
    pub(crate) describe: fn(&ArgMatches, Command) -> Done,
}

/// All commands, in the order in which the help lists them.
pub(crate) const COMMANDS: &[Row] = &[
    server::<servers::Chat>(
        "chat",
        "A room to talk in, for nc and telnet, for clients of IRC, and for browsers",
        "sinew chat --listen tcp:8000\nnc localhost 8000\n\
         sinew chat --irc 127.0.0.1:6667 --http 127.0.0.1:8080",
    ),
    server::<servers::Http>(
        "http",
        "Serve a folder over HTTP",
        "sinew http --listen tcp:8080 public\n\
         sinew http --listen tls:8443:cert=c.pem:key=k.pem --proxy /api=tcp:127.0.0.1:3000 public",
    ),
    server::<servers::Dns>(
        "dns",
        "Answer questions about names: zones, and what other servers say",
        "sinew dns --listen tcp:5300 --zone example.org=example.org.zone\n\
         sinew dns --user nobody --forward system --block ads.txt --allow 192.168.0.0/16",
    ),
    server::<servers::Irc>(
        "irc",
        "A server of IRC",
        "sinew irc --listen tcp:6667 --name irc.example.net --motd motd.txt\n\
         sinew irc --listen tls:6697:cert=c.pem:key=k.pem --accounts users --channels channels.db --cloak secret",
    ),
    server::<servers::Xmpp>(
        "xmpp",
        "A server of XMPP for one domain: messages, rooms, uploads, components",
        "sinew xmpp --domain example.org --users users --storage /var/lib/sinew/xmpp --cert c.pem --key k.pem --direct-tls tcp:5223\n\
         sinew config --example | sed -n '/services.xmpp/,/^$/p'     # its options as keys of a file",
    ),
    server::<servers::News>(
        "news",
        "Serve news (NNTP) from a spool, and feed other servers",
        "sinew news --listen tcp:1119 --name news.example.org --newsgroup misc.test spool\n\
         sinew news --name news.example.org --feed news.example.net=tcp:news.example.net:119 /var/spool/news",
    ),
    server::<servers::Mail>(
        "mail",
        "A whole mail server: SMTP with a queue, mailboxes, submission, IMAP, POP3",
        "sinew mail --domain example.org --mailboxes /var/mail/sinew --queue /var/spool/sinew --users users --postmaster ann --cert c.pem --key k.pem --submissions tcp:465 --imaps tcp:993\n\
         sinew config --example | sed -n '/services.mail/,/^$/p'     # its options as keys of a file",
    ),
    server::<servers::PortForward>(
        "portforward",
        "Connect each client to another server",
        "sinew portforward --listen tcp:8080 --to tcp:example.org:80\n\
         sinew portforward --listen tls:443:cert=c.pem:key=k.pem --to unix:/run/web.sock --send-proxy v2",
    ),
    server::<servers::Inetd>(
        "inetd",
        "Start a program for each connection, as inetd.conf says",
        "sinew inetd /etc/inetd.conf\nkill -HUP PID     # read the file again",
    ),
    server::<servers::ProcMon>(
        "procmon",
        "Keep a program running",
        "sinew procmon -- /usr/bin/worker --queue mail\n\
         sinew procmon --copies 4 --max-delay 1m -- ./worker",
    ),
    server::<servers::LogServer>(
        "log",
        "Print what comes",
        "sinew log --listen tcp:8000\nsinew log --hex --udp 514",
    ),
    server::<servers::Echo>(
        "echo",
        "Send back what is received (RFC 862)",
        "sinew echo --listen tcp:7000\nsinew echo --listen tcp:7000 --udp 7000",
    ),
    server::<servers::Discard>(
        "discard",
        "Receive and forget (RFC 863)",
        "sinew discard --listen tcp:9000",
    ),
    server::<servers::Chargen>(
        "chargen",
        "Send characters without end (RFC 864)",
        "sinew chargen --listen tcp:1900",
    ),
    server::<servers::Qotd>(
        "qotd",
        "Send a quote (RFC 865)",
        "sinew qotd --listen tcp:1700 --quote 'Events, dear boy, events.'",
    ),
    server::<servers::Daytime>(
        "daytime",
        "Send the time as text (RFC 867)",
        "sinew daytime --listen tcp:1300",
    ),
    server::<servers::Time>(
        "time",
        "Send the time as a number (RFC 868)",
        "sinew time --listen tcp:3700",
    ),
    tool::<files::Run>("run", "Run the services of a file", "sinew run server.toml"),
    tool::<files::Check>(
        "check",
        "Say what is wrong with a file of services",
        "sinew check server.toml",
    ),
    tool::<files::Config>(
        "config",
        "Print a file of services with every key",
        "sinew config --example > server.toml",
    ),
    tool::<files::Upgrade>(
        "upgrade",
        "Replace a running server by its next version, without a lost connection",
        "sinew upgrade --pidfile /run/sinew.pid",
    ),
    tool::<look::Status>(
        "status",
        "Print the state of a running program: loops, ports, connections",
        "sinew status --at unix:/run/x.sock\n  sinew status --at unix:/run/x.sock --json --connections | jq .connections[].peer",
    ),
    tool::<top::Top>(
        "top",
        "Show a running program live, and pause or close its connections",
        "sinew top --at unix:/run/x.sock",
    ),
    tool::<servers::Connect>(
        "connect",
        "Connect standard input and output, as nc does",
        "sinew connect --crlf tcp:mail.example.org:25\n\
         printf 'GET / HTTP/1.0\\r\\n\\r\\n' | sinew connect --tls example.org:443",
    ),
    tool::<dig::Dig>(
        "dig",
        "Ask name servers, as dig does",
        "sinew dig example.org\n\
         sinew dig @192.0.2.53 example.org MX +short\n\
         sinew dig -x 192.0.2.7 +trace",
    ),
    tool::<sendmail::Sendmail>(
        "sendmail",
        "Send a message, as sendmail does",
        "sinew sendmail --server mail.example.org --user ann --password-file ~/.password bob@example.org < message\n\
         ln -s /usr/bin/sinew /usr/sbin/sendmail     # for programs that start sendmail\n\
         printf 'To: bob\\nSubject: hello\\n\\nHello.\\n' | sendmail -t",
    ),
    tool::<mailq::Mailq>(
        "mailq",
        "List and change the queue of a mail server",
        "sinew mailq --at unix:/run/sinew/mail.sock\n\
         sinew mailq --at unix:/run/sinew/mail.sock retry",
    ),
    tool::<bench::Args>(
        "bench",
        "Measure a server",
        "sinew bench tcp:localhost:7000 --connections 100\n\
         sinew bench http://localhost:8000/ --rate 5000 --duration 30s\n\
         sinew bench --protocol line --send PING --answer +PONG tcp:localhost:6379",
    ),
    tool::<password::Password>(
        "password",
        "Print the line of a user for a file of users",
        "sinew password ann >> /etc/sinew/users",
    ),
    description::<completions::Completions>(
        "completions",
        "Print a script that completes commands in a shell",
        "sinew completions bash > ~/.local/share/bash-completion/completions/sinew\n\
         sinew completions zsh > ~/.zfunc/_sinew\n\
         sinew completions fish > ~/.config/fish/completions/sinew.fish",
    ),
    description::<man::Man>(
        "man",
        "Write the man pages into a directory",
        "sinew man ~/.local/share/man/man1",
    ),
];

/// All servers, by their names.
pub(crate) fn servers() -> impl Iterator<Item = (&'static str, &'static ServerKind)> {
    COMMANDS.iter().filter_map(|row| match &row.kind {
        Kind::Server(kind) => Some((row.name, kind)),
        Kind::Tool(_) | Kind::Description(_) => None,
    })
}

/// The server of that name.
pub(crate) fn server_named(name: &str) -> Option<&'static ServerKind> {
    servers().find(|(known, _)| *known == name).map(|(_, kind)| kind)
}

/// A row for a server.
const fn server<T>(name: &'static str, about: &'static str, examples: &'static str) -> Row
where
    T: ServerCommand + Args + DeserializeOwned,
{
    Row {
        name,
        about,
        examples,
        kind: Kind::Server(ServerKind {
            arguments: T::augment_args,
            from_matches: |matches| Ok(Box::new(T::from_arg_matches(matches)?)),
            from_file: |table| Ok(Box::new(T::deserialize(table)?)),
            keys: keys_of::<T>,
        }),
    }
}

/// A row for a tool.
const fn tool<T: Tool + Args>(
    name: &'static str,
    about: &'static str,
    examples: &'static str,
) -> Row {
    Row {
        name,
        about,
        examples,
        kind: Kind::Tool(ToolKind {
            arguments: T::augment_args,
            runs_servers: T::RUNS_SERVERS,
            run: |matches| Ok(T::from_arg_matches(matches)?.run()),
        }),
    }
}

/// A row for a description of the command line.
const fn description<T: Description + Args>(
    name: &'static str,
    about: &'static str,
    examples: &'static str,
) -> Row {
    Row {
        name,
        about,
        examples,
        kind: Kind::Description(DescriptionKind {
            arguments: T::augment_args,
            describe: |matches, command| Ok(T::from_arg_matches(matches)?.describe(command)),
        }),
    }
}
