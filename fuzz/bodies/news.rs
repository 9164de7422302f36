//! NNTP: what is read can be written as one line and is read as the same; whatever a client sends, a server replies with responses and
//! stores only articles that were ended; whatever a server sends, a client ends; and a spool with any files opens, or says why not.

use std::{cell::Cell, fs, rc::Rc, time::Duration};

use sinew::{
    news::{
        nntp::{
            client::{ClientConfig, NewsClient, NewsError, Security},
            codec::{
                Article, ArticleLimits, Command, ListKind, OverviewLine, Part, PartFilter, Range,
                Response, Wildmat, XrefFilter,
            },
            server::{Access, NewsServer, ServerConfig, Session},
        },
        store::{MemoryStore, NewGroup, NewsStore, Spool, SpoolConfig},
    },
    protocols::compression::{Format, Inflate, Inflated},
    reactor::Reactor,
    transports::{
        Peer, Protocol, StreamConfig, Transport,
        endpoint::{ClientEndpoint, ServerEndpoint},
        memory,
    },
};

use super::{input::Input, pieces::pieces};

/// The longest article that the server accepts.
const BYTES_MAX: usize = 300;

pub(crate) fn command(data: &mut Input<'_>) {
    match Command::parse(data.rest()) {
        Ok(command) => {
            let line = command.to_string();
            assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
            let again = Command::parse(line.as_bytes()).expect("it was a command");
            assert_eq!(again.to_string(), line);
        }
        Err(error) => assert!([500, 501].contains(&error.code())),
    }
}

pub(crate) fn response(data: &mut Input<'_>) {
    if let Ok(response) = Response::parse(data.rest()) {
        assert!((100..600).contains(&response.code()));
        assert!(!response.text().iter().any(|byte| b"\r\n\0".contains(byte)));
        assert!(!response.to_string().contains(char::is_control));
    }
}

/// Patterns, a line end, and a name.
pub(crate) fn wildmat(data: &mut Input<'_>) {
    let Ok(text) = str::from_utf8(data.rest()) else { return };
    let (patterns, name) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(wildmat) = patterns.parse::<Wildmat>() else { return };
    assert_eq!(wildmat.as_str(), patterns);
    let all: Wildmat = format!("{patterns},*").parse().unwrap_or(Wildmat::all());
    let none: Wildmat = format!("{patterns},!*").parse().unwrap_or(Wildmat::none());
    assert!(all.matches(name) && !none.matches(name));
    let _ = wildmat.matches(name);
}

pub(crate) fn article(data: &mut Input<'_>) {
    let text = data.rest().to_vec();
    let limits = ArticleLimits::default().bytes_max(4_096).head_max(1_024).fields_max(20);
    let Ok(article) = Article::new(text, &limits) else { return };
    let text = article.text();
    let is_bare = |at: usize| match text[at] {
        b'\n' => at == 0 || text[at - 1] != b'\r',
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        byte => byte == 0,
    };
    assert!(!(0..text.len()).any(is_bare), "{}", text.escape_ascii());
    assert_eq!(Article::new(text.clone(), &limits).as_ref(), Ok(&article));
    for field in article.fields() {
        assert!(!field.name.is_empty() && !field.name.contains([':', ' ', '\r', '\n']));
    }
    let _ = (article.message_id(), article.newsgroups(), article.date("Date"));
    let mut filter = PartFilter::new(Part::Body);
    assert_eq!(filter.filter(text), article.body());
    without_groups(&article, &limits);
}

/// No Xref names a group that is not to be seen, and nothing else has changed, however the article is cut.
fn without_groups(article: &Article, limits: &ArticleLimits) {
    let filtered = |piece| {
        let mut filter = XrefFilter::new(|group| !group.as_str().starts_with('b'));
        let mut out = Vec::new();
        article.text().chunks(piece).for_each(|piece| filter.filter(piece, &mut out));
        filter.finish(&mut out);
        out
    };
    let out = filtered(usize::MAX);
    assert_eq!(filtered(1), out);
    assert_eq!(filtered(7), out);
    let again = Article::new(out, &limits.head_max(2_048)).expect("its other fields are the same");
    assert_eq!(again.body(), article.body());
    let others = |article: &Article| {
        let fields = article.fields().filter(|field| !field.name.eq_ignore_ascii_case("Xref"));
        fields.map(|field| (field.name.to_owned(), field.value.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(others(&again), others(article));
    let words = again.field("Xref").unwrap_or_default().split(u8::is_ascii_whitespace);
    let mut locations = words.filter(|word| !word.is_empty()).skip(1);
    assert!(locations.all(|location| !location.starts_with(b"b")));
}

pub(crate) fn overview(data: &mut Input<'_>) {
    let Ok(line) = OverviewLine::parse(data.rest()) else { return };
    assert!(!line.fields().iter().any(|byte| b"\r\n\0".contains(byte)));
    let text = [line.number().to_string().as_bytes(), b"\t", line.fields()].concat();
    assert_eq!(OverviewLine::parse(&text), Ok(line.clone()));
    let _ = (line.message_id(), line.bytes(), line.lines(), line.extra("Xref"), line.subject());
}

/// A server, and what a client sends, cut into pieces.
pub(crate) fn session(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let stream = data.bytes(4 * 1024);
    let (reactor, store) = (Reactor::simulated(0), MemoryStore::new());
    let group = NewGroup::new("a.b".parse().expect("a name"));
    store.create_group(group, reactor.wall_clock()).expect("it is the first");
    let config = ServerConfig::new("news.example").expect("a name").line_max(100);
    let config = config.article_limits(ArticleLimits::default().bytes_max(BYTES_MAX));
    let access = |_: &Session| Access::read_and_post().feeding();
    let connection = NewsServer::new(config, store.clone(), access).connection();
    let made = memory::connect(&reactor, StreamConfig::default(), connection);
    let (_connection, wire) = made.expect("room for one");
    for piece in pieces(stream, &lens) {
        wire.receive_if_open(piece);
        reactor.advance(Duration::ZERO).expect("the loop becomes idle");
    }
    let sent = wire.sent();
    let (plain, compressed) = match sent.windows(STARTED.len()).position(|part| part == STARTED) {
        Some(at) => sent.split_at(at + STARTED.len()),
        None => (&sent[..], &b""[..]),
    };
    let sent = [plain, &inflated(compressed)].concat();
    for line in sent.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").expect("lines end in CRLF");
        assert!(!line.contains(&b'\r') && !line.contains(&0), "{}", line.escape_ascii());
    }
    let arrivals = store.arrivals(&reactor, 0, std::time::UNIX_EPOCH, 1_000);
    reactor.advance(Duration::ZERO).expect("the loop becomes idle");
    let arrivals = arrivals.take().expect("it is settled").expect("it is in memory");
    let ends = stream.windows(5).filter(|part| *part == b"\r\n.\r\n").count();
    assert!(arrivals.len() <= ends || !compressed.is_empty());
}

/// What a server says behind this is compressed.
const STARTED: &[u8] = b"206 Compressed from now on\r\n";

fn inflated(mut input: &[u8]) -> Vec<u8> {
    let (mut inflate, mut text) = (Inflate::new(Format::Raw), Vec::new());
    while let Inflated::Output(piece) = inflate.inflate(&mut input).expect("a server deflates") {
        text.extend_from_slice(piece);
    }
    text
}

/// A server that sends bytes, cut into pieces, and then ends.
struct Says(Vec<Vec<u8>>);

impl Protocol for Says {
    fn connection_made(&mut self, transport: &Transport) {
        transport.call_later(Duration::from_millis(1));
    }

    fn timer_fired(&mut self, transport: &Transport, _: sinew::transports::TimerId) {
        if self.0.is_empty() {
            return transport.lose_connection();
        }
        transport.write(self.0.remove(0));
        transport.call_later(Duration::from_millis(1));
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

pub(crate) fn client(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let said: Vec<_> = pieces(data.bytes(4 * 1024), &lens).map(<[u8]>::to_vec).collect();
    let reactor = Reactor::simulated(0);
    let at: ServerEndpoint = "memory:fuzz".parse().expect("an endpoint");
    let to: ClientEndpoint = "memory:fuzz".parse().expect("an endpoint");
    let _port = at.listen(&reactor, move |_: &Peer| Says(said.clone())).expect("it is free");
    let (is_over, of_task) = (Rc::new(Cell::new(false)), reactor.clone());
    let over = Rc::clone(&is_over);
    let task = reactor.spawn(async move {
        // Whatever it is, it ends.
        let _ = asked(&of_task, to).await;
        over.set(true);
    });
    reactor.advance(Duration::from_secs(600)).expect("the loop becomes idle");
    assert!(is_over.get(), "the client waits for ever");
    drop(task);
}

async fn asked(reactor: &Reactor, to: ClientEndpoint) -> Result<(), NewsError> {
    let config = ClientConfig::default().security(Security::None).compress(true);
    let config = config.response_timeout(Duration::from_secs(20)).line_max(200);
    let mut client = NewsClient::connect(reactor, to, config).await?;
    client.group(&"a.b".parse().expect("a name")).await?;
    if let Some(lines) = client.over(Range::all()).await? {
        assert!(lines.collect(100).await?.len() <= 100);
    }
    if let Some(article) = client.article(Part::Article, 1).await? {
        assert!(article.read_to_end(1_000).await?.len() <= 1_000);
    }
    client.list(ListKind::Active(None)).await?.collect(100).await?;
    client.date().await?;
    Ok(())
}

/// A spool with any history, and the same as the overview of a group.
pub(crate) fn spool(data: &mut Input<'_>) {
    let folder = std::env::temp_dir().join(format!("sinew-fuzz-spool-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("overview")).expect("a folder");
    fs::write(folder.join("history"), data.rest()).expect("a file");
    fs::copy(folder.join("history"), folder.join("overview/1")).expect("a file");
    let config = || SpoolConfig::default().sync(false);
    if let Ok(spool) = Spool::open(&folder, config()) {
        let before = format!("{spool:?}");
        drop(spool);
        // What was mended once needs no mending.
        let spool = Spool::open(&folder, config()).expect("it was opened before");
        assert_eq!(format!("{spool:?}"), before);
    }
    let _ = fs::remove_dir_all(&folder);
}
