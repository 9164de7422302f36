//! The client with our server: everything that it can ask.

use std::time::{Duration, UNIX_EPOCH};

use sinew_auth::{Authenticator, AuthenticatorConfig, ClientLogin, Mechanism, Users};
use sinew_news::{
    nntp::{
        client::{NewsError, Offered},
        codec::{ListKind, Part, Range},
        server::{Access, NewsServer, Session},
    },
    store::GroupStatus,
};

use sinew_testkit::testing::task_test;
use sinew_transports::{AsyncStream, reactor::Reactor};

use super::play::{at, config, with_server};
use crate::support::{self, Handler, group, id, text};

const HEAD: &str = "From: ann@example.net\nSubject: hello\nNewsgroups: a.open\n";

#[test]
fn everything_that_can_be_asked() {
    let done = with_server(
        support::config(),
        Handler::default(),
        config(),
        |reactor, _, mut client| async move {
            assert!(client.may_post() && client.capabilities().has("STREAMING"));
            client.post(format!("{HEAD}Message-ID: <1@a>\n\n.one\n..\n.\nlast")).await?;
            client.post(format!("{HEAD}Message-ID: <2@a>\n\ntwo\n")).await?;
            let selected = client.group(&group("a.open")).await?;
            assert_eq!((selected.count, selected.low, selected.high), (2, 1, 2));
            assert_eq!(client.stat(1).await?.unwrap().id, id("<1@a>"));
            assert_eq!(client.next().await?.unwrap().number, 2);
            assert_eq!(client.next().await?, None);
            assert_eq!(client.last().await?.unwrap().number, 1);
            assert_eq!(client.last().await?, None);
            let article = client.article(Part::Body, id("<1@a>")).await?.unwrap();
            assert_eq!(article.stat().number, 0);
            assert_eq!(article.read_to_end(100).await?, b".one\r\n..\r\n.\r\nlast\r\n");
            assert!(client.article(Part::Article, 9).await?.is_none());
            let lines = client.over(Range::all()).await?.unwrap().collect(10).await?;
            assert_eq!(lines[1].message_id(), Some(id("<2@a>")));
            assert!(client.over(Range::from(7)).await?.is_none());
            let lengths = client.hdr(":lines".parse().unwrap(), Range::all()).await?.unwrap();
            let lengths = lengths.collect(10).await?;
            assert_eq!((lengths[0].number, lengths[0].value.as_str()), (1, "4"));
            let numbers =
                client.list_group(&group("a.open"), Range::from(2)).await?.collect(10).await?;
            assert_eq!(numbers, [2]);
            let groups =
                client.list_active(Some("a.m*".parse().unwrap())).await?.collect(10).await?;
            assert_eq!((groups.len(), groups[0].status), (1, Some(GroupStatus::Moderated)));
            let lines = client.list(ListKind::Newsgroups(None)).await?.collect(10).await?;
            assert_eq!(lines[0], "a.closed\tWhat it is");
            assert_eq!(client.new_groups(UNIX_EPOCH).await?.collect(10).await?.len(), 3);
            let all = "*".parse().unwrap();
            assert_eq!(client.new_news(all, UNIX_EPOCH).await?.collect(10).await?.len(), 2);
            let now = reactor.wall_clock();
            let apart =
                client.date().await?.duration_since(now).unwrap_or_else(|error| error.duration());
            assert!(apart < Duration::from_secs(2));
            // As another server.
            assert!(client.stream().await?);
            let other = |id| text(id, "a.open", "x\r\n", now);
            assert_eq!(client.check(&id("<3@a>")).await?, Offered::Taken);
            assert_eq!(client.take_this(&id("<3@a>"), other("<3@a>")).await?, Offered::Taken);
            assert_eq!(client.check(&id("<3@a>")).await?, Offered::NotWanted);
            assert!(matches!(
                client.take_this(&id("<3@a>"), other("<3@a>")).await?,
                Offered::Rejected(_)
            ));
            assert_eq!(client.ihave(&id("<4@a>"), other("<4@a>")).await?, Offered::Taken);
            assert_eq!(client.ihave(&id("<4@a>"), other("<4@a>")).await?, Offered::NotWanted);
            // What is refused leaves the client as it was.
            let refused = client.group(&group("no.such")).await.unwrap_err();
            assert_eq!(refused.response().unwrap().code(), 411);
            let refused = client.post("Subject: x\n\nx").await.unwrap_err();
            assert_eq!(refused.response().unwrap().code(), 441);
            assert!(matches!(client.post("no head").await, Err(NewsError::Article(_))));
            assert!(matches!(
                client.list(ListKind::Active(None)).await?.collect(1).await,
                Err(NewsError::TooLong { max: 1, .. })
            ));
            assert!(matches!(client.date().await, Err(NewsError::Unusable)));
            client.quit().await;
            Ok(())
        },
    );
    done.unwrap();
}

#[test]
fn a_list_that_is_dropped_leaves_the_client_unusable() {
    let done = with_server(
        support::config(),
        Handler::default(),
        config(),
        |_, _, mut client| async move {
            drop(client.list_active(None).await?);
            assert!(matches!(client.date().await, Err(NewsError::Unusable)));
            Ok(())
        },
    );
    done.unwrap();
}

#[test]
fn logins() {
    for (password, mechanisms, is_right) in [
        ("secret", None, true),
        ("secret", Some(Mechanism::Plain), true),
        ("secret", Some(Mechanism::Login), true),
        ("wrong", None, false),
    ] {
        let users = Users::new().user("ann", "secret");
        let plain = AuthenticatorConfig::default().allow_plaintext(true);
        let server = support::config().auth(Authenticator::with(users, plain));
        let access = |session: &Session| match session.identity() {
            Some(_) => Access::read(),
            None => Access::none(),
        };
        let mut login = ClientLogin::password("ann", password).allow_plaintext(true);
        if let Some(mechanism) = mechanisms {
            login = login.mechanisms([mechanism]);
        }
        let done =
            with_server(server, access, config().login(login), |_, _, mut client| async move {
                client.group(&group("a.open")).await.map(drop)
            });
        match is_right {
            true => done.unwrap(),
            false => assert_eq!(done.unwrap_err().response().unwrap().code(), 481),
        }
    }
}

/// A server that is going down does not wait until a client that sends one command behind the other has sent all.
#[test]
fn a_drain_ends_a_stream_of_commands() {
    const COMMANDS: usize = 200_000;
    crate::watchdog::watch_this_test();
    let (dates, last) = task_test(|reactor: Reactor| async move {
        let (listen, to) = at("drained");
        let access = |_: &Session| Access::read();
        let store = support::store(reactor.wall_clock());
        let server = NewsServer::new(support::config(), store, access);
        let port = listen.listen(&reactor, server).unwrap();
        let stream = AsyncStream::connect(&reactor, to).await.unwrap();
        let (mut read, mut write) = stream.split();
        let commands = "DATE\r\n".repeat(COMMANDS);
        let writing = reactor.spawn(async move { write.write_all(commands.as_bytes()).await });
        let mut received = Vec::new();
        loop {
            let input = read.fill_buf().await.unwrap_or_default();
            if input.is_empty() {
                break;
            }
            received.extend_from_slice(input);
            let len = input.len();
            read.consume(len);
            if received.len() == len {
                port.drain(Duration::from_secs(60)).detach();
            }
        }
        drop(writing);
        let text = String::from_utf8(received).unwrap();
        let dates = text.lines().filter(|line| line.starts_with("111 ")).count();
        (dates, text.lines().last().unwrap_or_default().to_owned())
    });
    assert!(dates < COMMANDS, "{dates}");
    assert!(last.starts_with("400 "), "{last}");
}
