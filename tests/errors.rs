//! The output of a program whose `main` returns an error: the message with its causes, for every public error type. A
//! scan of the sources finds missing types.

#[path = "support/watchdog.rs"]
mod watchdog;

use std::{
    any::type_name, cell::RefCell, error::Error, io, net::SocketAddr, rc::Rc, time::Duration,
};

use sinew::{
    prelude::*,
    protocols::{
        basic::{
            ArgumentError, DeadlinePassed, EncodeError, FrameError, FramesError, RequestError,
        },
        compression::InflateError,
        wire::Echo,
    },
    reactor::{
        BuildError, Failure, NotRunning, Panicked, RegisterError, RemoteError, RunError, TimedOut,
    },
    sim::{Plan, SimError},
    testing::{Recording, ReplayError},
    transports::{
        DatagramOptionError, Keepalive, ListenError, NotHandedOver, RelayError, SendFailed,
        SendFileError, ServiceError, SetProtocolError, ShortLivedConnection, SocketOptionError,
        Stopped, TlsError, UdpError, UnreadInput,
        endpoint::{EndpointProblem, ServerEndpoint},
        names::{Hosts, ResolveError},
        net::InstallError,
        proxy::{ProxyError, ProxyHeaderError, ProxyVersion, Subnet},
        reactors::{
            CallError, MailboxError, NotSent, Reactors, SendToError, Shard, ShardError,
            ShardFailure,
        },
    },
};

/// The text of the causes in the errors below.
const CAUSE: &str = "the cause";

fn cause() -> io::Error {
    io::Error::other(CAUSE)
}

/// The printed form of an error.
struct Printed {
    /// The name of its type.
    name: &'static str,
    display: String,
    debug: String,
    causes: Vec<String>,
}

fn printed<E: Error>(error: &E) -> Printed {
    let path = type_name::<E>().split('<').next().unwrap_or_default();
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    Printed {
        name: path.rsplit("::").next().unwrap_or_default(),
        display: error.to_string(),
        debug: format!("{error:?}"),
        causes: causes.map(ToString::to_string).collect(),
    }
}

macro_rules! printed {
    ($($error:expr),+ $(,)?) => { [$(printed(&$error)),+] };
}

#[cfg(feature = "mail")]
#[path = "errors/mail.rs"]
mod mail;

/// One error of each type available on every platform with every feature.
fn on_every_platform() -> impl Iterator<Item = Printed> {
    let made = printed![
        "steam".parse::<Engine>().unwrap_err(),
        BuildError { engine: Engine::Mio, source: cause() },
        RegisterError::Io(cause()),
        RunError::Failed(Failure::Cancelled),
        NotRunning,
        RemoteError::Ended,
        Failure::Panicked("oh".to_owned()),
        TimedOut { after: Duration::from_secs(1) },
        Panicked { message: "oh".to_owned() },
        ListenError::Listen { addr: ([127, 0, 0, 1], 80).into(), source: cause() },
        ConnectError::Connect { addr: ([127, 0, 0, 1], 80).into(), source: cause() },
        ConnectionLost::Io(cause()),
        ServiceError::GivenUp(Failure::Abandoned),
        ShortLivedConnection { lasted: Duration::from_secs(1) },
        DatagramOptionError::Option { option: "IP_TTL", source: cause() },
        Stopped::Io(cause()),
        UdpError::Listen { addr: ([127, 0, 0, 1], 80).into(), source: cause() },
        RelayError::SameConnection,
        InstallError::Installed,
        SimError::AlreadyRunning,
        "at noon".parse::<Plan>().unwrap_err(),
        TlsError::NotTls,
        ResolveError::NoSuchName,
        Hosts::parse("somewhere").unwrap_err(),
        "tcq:80".parse::<ServerEndpoint>().unwrap_err(),
        EndpointProblem::Empty,
        "no recording".parse::<Recording>().unwrap_err(),
        Recording::load("/no such folder/file").unwrap_err(),
        ReplayError::Run(RunError::NotSimulated),
        "everywhere".parse::<Subnet>().unwrap_err(),
        "v3".parse::<ProxyVersion>().unwrap_err(),
        ProxyHeaderError::Checksum,
        ProxyError::NotProxy,
        FrameError::LineTooLong { max: 80 },
        FramesError::Io(cause()),
        EncodeError::DelimiterInside,
        ArgumentError::Empty,
        DeadlinePassed { phase: "login", within: Duration::from_secs(10) },
        RequestError::IdInUse,
        RequestError::NotConnected("the service was stopped".into()),
        InflateError::TooLong { max: 1 },
        NotHandedOver::Closed,
        SetProtocolError { protocol: Echo, reason: NotHandedOver::Closed },
        UnreadInput { bytes: 3 },
        SendFileError::NotSeekable(cause()),
        SendToError::Tls,
        CallError::Stopped { shard: 1 },
        ShardError::Thread(cause()),
        a_reactor_that_failed(),
        MailboxError { message: 7, reason: NotSent::Stopped { shard: 1 } },
        NotSent::Full { shard: 1, limit: 8 },
    ];
    made.into_iter().chain([a_send_that_failed(), a_refused_option(), unequal_halves()])
}

/// Only reactors that run together can create this error.
fn a_reactor_that_failed() -> ShardFailure {
    let setup = |_: &Shard| Err(cause());
    Reactors::new(1).stop_signals(false).setup(setup).start().expect_err("it cannot be set up")
}

/// Only a socket can create this error: the datagram is too long.
fn a_send_that_failed() -> Printed {
    struct Long(Rc<RefCell<Option<Printed>>>);

    impl DatagramProtocol for Long {
        fn started(&mut self, transport: &DatagramTransport) {
            transport.send_to(&[0; 70_000], transport.local());
        }
        fn datagram_received(&mut self, _: &DatagramTransport, _: &[u8], _: SocketAddr) {}
        fn send_failed(&mut self, _: &DatagramTransport, failed: &SendFailed) {
            *self.0.borrow_mut() = Some(printed(failed));
        }
    }

    watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let callbacks = Rc::<RefCell<_>>::default();
    reactor.listen_udp("127.0.0.1:0", Long(callbacks.clone())).unwrap();
    loop {
        reactor.turn(Some(Duration::from_secs(1))).unwrap();
        if let Some(failed) = callbacks.take() {
            return failed;
        }
    }
}

/// The halves of two streams.
fn unequal_halves() -> Printed {
    let halves = || {
        let (transport, wire) = Transport::memory();
        let stream = AsyncStream::take_over(&transport).unwrap();
        (stream.split(), wire)
    };
    let ((read, _), _one) = halves();
    let ((_, write), _two) = halves();
    printed(&AsyncStream::reunite(read, write).unwrap_err())
}

/// An interval that no system supports for keep-alive probes.
fn a_refused_option() -> Printed {
    struct Sink;

    impl Protocol for Sink {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }

    watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let never = Keepalive::after(Duration::from_secs(u64::from(u32::MAX)));
    let config = ListenConfig::default().stream(StreamConfig::default().keepalive(never));
    let refused = reactor.listen_tcp_with("127.0.0.1:0", config, |_: &Peer| Sink).unwrap_err();
    let ListenError::Listen { source, .. } = refused else { panic!("{refused:?}") };
    let cause = source.get_ref().and_then(|cause| cause.downcast_ref::<SocketOptionError>());
    printed(cause.expect("an option was refused"))
}

#[cfg(unix)]
fn on_unix() -> impl Iterator<Item = Printed> {
    use sinew::transports::{
        AdoptError, DescriptorRefused, PipeError, SendDescriptorError, SignalError, SpawnError,
        UnixListenError,
    };

    let descriptor = std::fs::File::open("/dev/null").unwrap().into();
    let made = printed![
        PipeError::Standard { name: "standard input", source: cause() },
        SpawnError::NotExecutable { program: "true".to_owned(), source: cause() },
        SignalError::Refused(cause()),
        AdoptError::System(cause()),
        SendDescriptorError { descriptor, reason: DescriptorRefused::NotUnix },
        DescriptorRefused::NotUnix,
        UnixListenError::Listen { addr: "/run/web.sock".into(), source: cause() },
    ];
    made.into_iter()
}

#[cfg(feature = "tls")]
fn with_tls() -> impl Iterator<Item = Printed> {
    use sinew::transports::tls::{StartTlsError, TlsConfigError};

    let made = printed![
        TlsConfigError::Read { path: "cert.pem".into(), source: cause() },
        StartTlsError::Closed,
    ];
    made.into_iter()
}

#[cfg(feature = "socketserver")]
fn with_socketserver() -> impl Iterator<Item = Printed> {
    use sinew::socketserver::{
        BindError, CloseError, ForkError, RequestError, ServeError, ShutdownError,
    };

    let made = printed![
        BindError::Listen { address: std::path::Path::new("web.sock").into(), source: cause() },
        RequestError::NoThread(cause()),
        ForkError::System(cause()),
        ServeError::Io(cause()),
        ShutdownError::NotServing,
        CloseError::Io(cause()),
    ];
    made.into_iter()
}

#[cfg(feature = "application")]
fn with_application() -> impl Iterator<Item = Printed> {
    use sinew::application::{ApplicationError, ShardedError, StartError, StopError};

    let made = printed![
        StartError::Child { name: "web".to_owned(), error: Box::new(StartError::other(cause())) },
        StopError::other(cause()),
        ApplicationError::Start(StartError::AlreadyStarted),
        ShardedError::Start { shard: 1, error: StartError::other(cause()) },
    ];
    let made = made.into_iter();
    #[cfg(unix)]
    let made = {
        use sinew::application::handover::{HandoverError, UpgradeError};

        made.chain(printed![
            HandoverError::Receive { source: std::sync::Arc::new(cause()) },
            UpgradeError::Prepare(cause()),
        ])
    };
    made
}

#[cfg(feature = "http")]
fn with_http() -> impl Iterator<Item = Printed> {
    use sinew::http::{
        FieldError,
        codec::{
            BodyError, EncodeError, FormError, HeadError, MultipartError, Unsatisfiable,
            encode_request, ranges,
        },
    };

    let unsatisfiable: Unsatisfiable = ranges("bytes=9-", 5, 1).unwrap_err();
    let get = sinew::http::Method::GET;
    let target: EncodeError =
        encode_request(&mut Vec::new(), &get, "a b", &Default::default()).unwrap_err();
    let made = printed![
        FieldError::Reserved { name: "Content-Length".to_owned() },
        HeadError::BareLineFeed,
        BodyError::TooLong { max: 1 },
        FormError::TooManyFields { max: 1 },
        MultipartError::Boundary,
        unsatisfiable,
        target,
        sinew::http::codec::CgiError::Field,
        sinew::http::server::SessionFull { max: 1 },
        sinew::http::server::FormFailure::NoForm,
        sinew::http::websocket::WebSocketError::Text,
        sinew::http::websocket::HandshakeError::Accept,
        sinew::http::websocket::OpenError::from(sinew::reactor::Failure::Cancelled),
        "ws:".parse::<sinew::http::websocket::WebSocketUrl>().unwrap_err(),
    ];
    made.into_iter().chain(of_http_clients())
}

#[cfg(feature = "http")]
fn of_http_clients() -> impl Iterator<Item = Printed> {
    use sinew::http::{
        client::{CookieJar, RedirectError, Request, RequestError},
        codec::DataUrl,
        urllib::UrlOpenError,
    };

    let path = "/no/such/file".into();
    let made = printed![
        RequestError::from(sinew::reactor::Failure::Cancelled),
        RedirectError::Invalid { to: "nowhere".to_owned() },
        Request::get("nowhere").unwrap_err(),
        CookieJar::new().read_text("no cookie").unwrap_err(),
        DataUrl::parse("nowhere").unwrap_err(),
        UrlOpenError::File { path, source: cause() },
    ];
    made.into_iter()
}

#[cfg(all(feature = "application", feature = "http"))]
fn of_a_look_inside() -> impl Iterator<Item = Printed> {
    use sinew::application::inspect::InspectError;

    let made = printed![
        InspectError::NotUnix { at: "tcp:80".to_owned() },
        InspectError::NotLoopback { at: "tcp:80".to_owned() },
        InspectError::NoUsers { at: "tcp:80".to_owned() },
        InspectError::Random { source: cause() },
    ];
    made.into_iter()
}

#[cfg(feature = "auth")]
fn with_auth() -> impl Iterator<Item = Printed> {
    use sinew::auth::{AuthError, PasswordFile, SaslError, ScramKeys};

    let made = printed![
        AuthError::Unavailable(cause().into()),
        SaslError::from(AuthError::Refused),
        PasswordFile::open("/no/such/file").unwrap_err(),
        "no keys".parse::<ScramKeys>().unwrap_err(),
    ];
    let made = made.into_iter();
    #[cfg(unix)]
    let made = made
        .chain([printed(&sinew::auth::ProgramError::TimedOut { after: Duration::from_secs(10) })]);
    made
}

#[cfg(feature = "dns")]
fn with_dns() -> impl Iterator<Item = Printed> {
    use sinew::dns::{
        client::{LookupError, ServerError, TransferError, UpdateError},
        codec::{EncodeError, MessageError, Mismatch, ResponseCode, tsig::TsigError},
        recursive::{HintsError, RecursiveError},
        server::{DnsListenError, SecondaryError, StoreError},
        testing::TestServerError,
        zone::Zone,
    };

    let listen = || ListenError::Listen { addr: ([127, 0, 0, 1], 53).into(), source: cause() };
    let zone = || Box::new("example.".parse().unwrap());
    let no_zone = || Zone::parse("@ A 1.2.3", &zone()).unwrap_err();
    let store = || StoreError::File { what: "read", path: "zone".into(), source: cause() };
    let made = printed![
        no_zone(),
        no_zone().fault,
        DnsListenError::from(listen()),
        store(),
        SecondaryError::Version { zone: zone(), why: "silence".into() },
        MessageError::NameTooLong { at: 12 },
        EncodeError::TooLong { max: 512 },
        Mismatch::Question,
        TsigError::BadSignature,
        LookupError::NoServers,
        ServerError::from(cause()),
        RecursiveError::ChainLoop { name: zone() },
        HintsError::Read { path: std::path::Path::new("hints").into(), source: cause().into() },
        TransferError::Refused(ResponseCode::Refused),
        UpdateError::Refused(ResponseCode::NotAuth),
        TestServerError::from(listen()),
    ];
    made.into_iter()
}

#[cfg(feature = "chat")]
fn with_chat() -> impl Iterator<Item = Printed> {
    use sinew::chat::{
        historical::{ScreenName, SessionError, SignOnError, msnp},
        irc::{
            client::{CommandError, DccError, IrcError, SendError},
            codec::{BuildError, DccSyntaxError, MessageError, ModesError, SaslTooLong},
            server::FileError,
        },
        xmpp,
    };

    let made = printed![
        BuildError::Colon,
        MessageError::NoCommand,
        ModesError::Unknown { mode: 'x' },
        SaslTooLong { max: 400 },
        DccSyntaxError::Name,
        DccError::File { action: "write", path: "a.part".into(), source: cause() },
        IrcError::SaslNotOffered,
        SendError::NotConnected,
        CommandError::Lost { command: "JOIN" },
        FileError::Read { path: "motd".into(), source: cause() },
        "\r".parse::<ScreenName>().unwrap_err(),
        SessionError::Lost(cause()),
        SignOnError::Refused { name: "ann".parse().unwrap(), code: 5 },
        msnp::Command::new("no", [""]).unwrap_err(),
        "a b@c".parse::<xmpp::codec::Jid>().unwrap_err(),
        xmpp::codec::XmlError::NotUtf8,
        xmpp::codec::EncodeError::Character,
        xmpp::codec::StanzaProblem::NoId,
        xmpp::client::XmppError::TlsNotOffered,
        xmpp::client::XmppError::AcknowledgedTooMany { handled: 4, sent: 3 },
        xmpp::client::SendError::NotConnected,
        xmpp::client::RequestError::Lost,
        xmpp::client::UploadError::NoService,
        xmpp::server::StoreError::Read { path: "ann.xml".into(), source: cause() },
        "x".parse::<xmpp::server::archive::ArchiveId>().unwrap_err(),
        xmpp::component::ComponentError::Connected,
        xmpp::server::rooms::RecordError::Incomplete,
        xmpp::server::rooms::RoomStoreError::Read { path: "rooms".into(), source: cause() },
        xmpp::server::upload::GrantError::Expired,
    ];
    made.into_iter()
}

#[cfg(feature = "news")]
fn with_news() -> impl Iterator<Item = Printed> {
    use sinew::news::nntp::{client::NewsError, codec};
    use sinew::news::store::StoreError;

    let made = printed![
        codec::ArticleError::Byte,
        codec::CommandError::Unknown,
        "a b".parse::<codec::FieldName>().unwrap_err(),
        "a b".parse::<codec::GroupName>().unwrap_err(),
        "a b".parse::<codec::MessageId>().unwrap_err(),
        codec::OverviewLine::parse(b"x").unwrap_err(),
        "x".parse::<codec::Range>().unwrap_err(),
        codec::ResponseError::Code,
        "a b".parse::<codec::Wildmat>().unwrap_err(),
        NewsError::Lost { command: "GROUP", source: cause() },
        StoreError::File { action: "read", path: "history".into(), source: cause() },
    ];
    made.into_iter()
}

fn all() -> Vec<Printed> {
    let all = on_every_platform();
    #[cfg(unix)]
    let all = all.chain(on_unix());
    #[cfg(feature = "tls")]
    let all = all.chain(with_tls());
    #[cfg(feature = "socketserver")]
    let all = all.chain(with_socketserver());
    #[cfg(feature = "application")]
    let all = all.chain(with_application());
    #[cfg(feature = "http")]
    let all = all.chain(with_http());
    #[cfg(all(feature = "application", feature = "http"))]
    let all = all.chain(of_a_look_inside());
    #[cfg(feature = "auth")]
    let all = all.chain(with_auth());
    #[cfg(feature = "dns")]
    let all = all.chain(with_dns());
    #[cfg(feature = "chat")]
    let all = all.chain(with_chat());
    #[cfg(feature = "mail")]
    let all = all.chain(mail::errors());
    #[cfg(feature = "news")]
    let all = all.chain(with_news());
    all.collect()
}

#[test]
fn main_prints_the_message_and_its_causes() {
    for error in all() {
        let Printed { name, display, debug, causes } = error;
        assert!(debug.starts_with(&display), "{name}: {display:?} is printed as {debug:?}");
        for cause in &causes {
            assert!(debug.contains(cause), "{name}: {cause:?} is not in {debug:?}");
        }
        assert!(debug.matches(CAUSE).count() <= 1, "{name} says its cause twice: {debug:?}");
    }
}

#[test]
fn causes_not_in_the_message_are_appended() {
    #[derive(thiserror::Error)]
    #[error("the mailbox is full")]
    struct FullBacklog(#[source] io::Error);
    sinew::reactor::error_debug!(FullBacklog);

    let lost = ConnectionLost::Protocol(FullBacklog(cause()).into());
    assert_eq!(format!("{lost:?}"), "the mailbox is full: the cause");
    let error = ListenError::Listen { addr: ([127, 0, 0, 1], 80).into(), source: cause() };
    assert_eq!(format!("{error:?}"), "could not listen on 127.0.0.1:80: the cause");
}

/// The list must be complete; it is only complete with all features on Unix.
#[cfg(all(
    unix,
    feature = "application",
    feature = "auth",
    feature = "chat",
    feature = "dns",
    feature = "http",
    feature = "mail",
    feature = "news",
    feature = "tls",
    feature = "socketserver"
))]
mod sources {
    use std::{fs, path::Path};

    use super::all;

    /// The public error types of a source file.
    fn error_types(source: &str) -> Vec<String> {
        let lines: Vec<_> = source.lines().collect();
        let derived = (0..lines.len()).filter(|at| {
            lines[*at].starts_with("#[derive(") && lines[*at].contains("thiserror::Error")
        });
        let item =
            |at: usize| lines[at..].iter().find(|line| !line.starts_with(['#', ' ', ']', ')']));
        let public = derived.filter_map(|at| {
            let item = item(at)?;
            item.strip_prefix("pub enum ").or_else(|| item.strip_prefix("pub struct "))
        });
        let by_hand = lines
            .iter()
            .filter(|line| line.starts_with("impl"))
            .filter_map(|line| line.split_once("Error for "))
            .filter(|(before, _)| before.ends_with([' ', ':']))
            .map(|it| it.1);
        let name =
            |text: &str| text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
        public.chain(by_hand).map(name).collect()
    }

    /// Created by the loop and by connections only, and tested there.
    const ELSEWHERE: [&str; 2] = ["SendError", "WaitError"];

    #[test]
    fn every_public_error_type_is_tested() {
        let listed: Vec<_> = all().iter().map(|error| error.name).collect();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders: Vec<_> =
            ["src", "reactor", "transports", "testkit", "protocols", "socketserver", "application"]
                .iter()
                .map(|folder| root.join(folder))
                .collect();
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let source = fs::read_to_string(&path).unwrap();
                    for name in error_types(&source) {
                        assert!(
                            listed.contains(&&*name) || ELSEWHERE.contains(&&*name),
                            "{}: {name} is not tested",
                            path.display()
                        );
                        found.push(name);
                    }
                }
            }
        }
        let lost: Vec<_> =
            listed.iter().filter(|name| !found.iter().any(|it| it == *name)).collect();
        assert!(lost.is_empty(), "not found in the sources: {lost:?}");
    }
}
