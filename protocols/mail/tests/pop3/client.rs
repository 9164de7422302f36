//! The client with our server.

use std::rc::Rc;

use sinew_auth::ClientLogin;
use sinew_mail::pop3::{
    client::{ClientConfig, Pop3Client, Pop3Error, Security, Stage},
    codec::ResponseCode,
    server::ServerConfig,
};
use sinew_testkit::testing::task_test;
use sinew_transports::endpoint::{ClientEndpoint, ServerEndpoint};

use crate::pop3_support::{Shared, config, ids, mail, server};

const TWO: &[&str] = &["Subject: a\r\n\r\none\r\n", "Subject: b\r\n\r\n.dot\r\n..\r\nend\r\n"];

fn login(user: &str, password: &str) -> ClientConfig {
    let login = ClientLogin::password(user, password).allow_plaintext(true);
    ClientConfig::new().security(Security::None).login(login)
}

/// Runs `f` with a client of a server of this mail.
fn with<T: 'static, F: Future<Output = Result<T, Pop3Error>> + 'static>(
    server_config: ServerConfig,
    mail: &Shared,
    client: ClientConfig,
    f: impl FnOnce(Pop3Client) -> F + 'static,
) -> Result<T, Pop3Error> {
    crate::watchdog::watch_this_test();
    let server = server(server_config, mail);
    task_test(move |reactor| async move {
        let at: ServerEndpoint = "memory:pop".parse().unwrap();
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:pop".parse().unwrap();
        let result = async {
            let client = Pop3Client::connect(&reactor, to, client).await?;
            f(client).await
        };
        let result = result.await;
        port.stop_listening();
        result
    })
}

fn with_two<T: 'static, F: Future<Output = Result<T, Pop3Error>> + 'static>(
    f: impl FnOnce(Pop3Client) -> F + 'static,
) -> Result<T, Pop3Error> {
    with(config(), &mail(TWO), login("ann", "secret"), f)
}

#[test]
fn a_whole_session() {
    let shared = mail(TWO);
    with(config(), &shared, login("ann", "secret"), |mut client| async move {
        let stat = client.stat().await?;
        assert_eq!((stat.messages, stat.size), (2, 48));
        let sizes = client.list().await?.collect().await?;
        assert_eq!(
            sizes.iter().map(|listed| (listed.number, listed.value)).collect::<Vec<_>>(),
            [(1, 19), (2, 29)]
        );
        let ids = client.unique_ids().await?.collect().await?;
        assert_eq!(
            ids.iter().map(|listed| listed.value.as_str()).collect::<Vec<_>>(),
            ["id1", "id2"]
        );
        assert_eq!(client.size(2).await?, 29);
        assert_eq!(client.unique_id(2).await?.as_str(), "id2");
        assert_eq!(client.retrieve(2).await?.collect(100).await?, TWO[1].as_bytes());
        assert_eq!(client.top(2, 1).await?.collect(100).await?, b"Subject: b\r\n\r\n.dot\r\n");
        client.delete(1).await?;
        client.reset().await?;
        client.noop().await?;
        client.delete(2).await?;
        client.quit().await
    })
    .unwrap();
    assert_eq!(ids(&shared), ["id1"]);
}

#[test]
fn what_is_refused_does_not_end_the_session() {
    with_two(|mut client| async move {
        for stage in [Stage::Retrieve, Stage::Top, Stage::List, Stage::UniqueIds, Stage::Delete] {
            let result = match stage {
                Stage::Retrieve => client.retrieve(9).await.map(drop),
                Stage::Top => client.top(9, 1).await.map(drop),
                Stage::List => client.size(9).await.map(drop),
                Stage::UniqueIds => client.unique_id(9).await.map(drop),
                _ => client.delete(9).await,
            };
            match result {
                Err(Pop3Error::Refused { stage: at, status }) => {
                    assert_eq!((at, status.text()), (stage, "There is no such message".to_owned()));
                }
                other => panic!("{stage}: {other:?}"),
            }
        }
        client.quit().await
    })
    .unwrap();
}

#[test]
fn several_messages_are_asked_for_ahead() {
    let texts: Vec<_> = (1..=100)
        .map(|number| format!("Subject: {number}\r\n\r\n{}", ".x\r\n".repeat(number * 50)))
        .collect();
    let shared = mail(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    with(config(), &shared, login("ann", "secret"), move |mut client| async move {
        assert!(client.capabilities().has_pipelining());
        // One that is not there is among them.
        let numbers: Vec<u32> = (1..=50).chain([999]).chain(51..=100).collect();
        let mut messages = client.retrieve_all(numbers.clone());
        for number in numbers {
            match messages.next().await {
                Ok(Some(message)) => {
                    let text = message.collect(1 << 20).await?;
                    assert!(text == texts[number as usize - 1].as_bytes(), "{number}");
                }
                Err(Pop3Error::Refused { .. }) => assert_eq!(number, 999),
                other => panic!("{other:?}"),
            }
        }
        assert!(messages.next().await?.is_none());
        client.delete_all(1..=100).await?;
        assert_eq!(client.stat().await?.messages, 0);
        client.reset().await?;
        let refused = client.delete_all([1, 999, 2]).await;
        assert!(matches!(refused, Err(Pop3Error::Refused { stage: Stage::Delete, .. })));
        assert_eq!(client.stat().await?.messages, 98, "the others are marked");
        client.quit().await
    })
    .unwrap();
    assert_eq!(shared.borrow().boxes["ann"].len(), 98);
}

#[test]
fn what_is_new_is_said_by_unique_ids() {
    with_two(|mut client| async move {
        let all = client.new_messages(|_| false).await?;
        let of = |new: &sinew_mail::pop3::client::NewMessage| {
            (new.number, new.unique_id.to_string(), new.size)
        };
        assert_eq!(
            all.iter().map(of).collect::<Vec<_>>(),
            [(1, "id1".to_owned(), 19), (2, "id2".to_owned(), 29)]
        );
        let new = client.new_messages(|id| id.as_str() == "id1").await?;
        assert_eq!(new.iter().map(of).collect::<Vec<_>>(), [(2, "id2".to_owned(), 29)]);
        assert_eq!(client.new_messages(|_| true).await?, []);
        client.quit().await
    })
    .unwrap();
}

/// A message is received as fast as it is read.
#[test]
fn a_slow_reader_holds_up_the_server() {
    let text = "Subject: x\r\n\r\n".to_owned() + &"line\r\n".repeat(2_000_000);
    let shared = mail(&[&text]);
    let notes = Rc::clone(&shared);
    let expected = text.clone();
    with(config(), &shared, login("ann", "secret"), move |mut client| async move {
        let mut message = client.retrieve(1).await?;
        let mut all = Vec::from(message.next().await?.unwrap());
        let read =
            |notes: &Shared| notes.borrow().reads.iter().map(|(_, _, len)| len).sum::<usize>();
        assert!(read(&notes) < 2 << 20, "{} bytes were read", read(&notes));
        while let Some(piece) = message.next().await? {
            all.extend_from_slice(&piece);
        }
        assert!(all == expected.as_bytes());
        assert!(message.next().await?.is_none(), "also when it is asked again");
        client.quit().await
    })
    .unwrap();
}

#[test]
fn messages_and_lists_have_limits() {
    let error = with(
        config(),
        &mail(TWO),
        login("ann", "secret").message_max(18),
        |mut client| async move { client.retrieve(1).await?.collect(1_000).await },
    );
    assert!(matches!(error, Err(Pop3Error::TooLarge { max: 18 })), "{error:?}");
    let error = with_two(|mut client| async move { client.retrieve(1).await?.collect(18).await });
    assert!(matches!(error, Err(Pop3Error::TooLarge { max: 18 })), "{error:?}");
    let error = with(
        config(),
        &mail(TWO),
        login("ann", "secret").listing_max(1),
        |mut client| async move { client.list().await?.collect().await },
    );
    assert!(
        matches!(error, Err(Pop3Error::ListTooLong { stage: Stage::List, max: 1 })),
        "{error:?}"
    );
}

/// A response that is not read to its end leaves a client that says so, and deletes nothing.
#[test]
fn a_response_that_is_not_read_to_its_end() {
    let shared = mail(TWO);
    with(config(), &shared, login("ann", "secret"), |mut client| async move {
        client.delete(2).await?;
        let _ = client.retrieve(1).await?;
        assert!(matches!(client.stat().await, Err(Pop3Error::Unusable)));
        assert!(matches!(client.retrieve_all([1]).next().await, Err(Pop3Error::Unusable)));
        assert!(matches!(client.quit().await, Err(Pop3Error::Unusable)));
        Ok(())
    })
    .unwrap();
    assert_eq!(ids(&shared), ["id1", "id2"]);
    with_two(|mut client| async move {
        let mut messages = client.retrieve_all([1, 2]);
        let _ = messages.next().await?;
        assert!(matches!(messages.next().await, Err(Pop3Error::Unusable)));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_client_that_is_dropped_deletes_nothing() {
    let shared = mail(TWO);
    with(
        config(),
        &shared,
        login("ann", "secret"),
        |mut client| async move { client.delete(1).await },
    )
    .unwrap();
    assert_eq!((ids(&shared).len(), shared.borrow().finished), (2, 0));
}

#[test]
fn logins() {
    let connect =
        |server: ServerConfig, client| with(server, &mail(TWO), client, |client| client.quit());
    connect(config(), login("ann", "secret")).unwrap();
    // SCRAM needs no permission.
    let scram =
        ClientConfig::new().security(Security::None).login(ClientLogin::password("ann", "secret"));
    connect(config(), scram).unwrap();
    let wrong = connect(config(), login("ann", "wrong")).unwrap_err();
    match &wrong {
        Pop3Error::Refused { stage: Stage::Login, status } => {
            assert_eq!(status.code(), Some(&ResponseCode::Auth));
        }
        other => panic!("{other:?}"),
    }
    assert!(!wrong.is_temporary());
    let apop = ClientConfig::new().security(Security::None).apop("ann", "secret");
    connect(config().apop(true), apop.clone()).unwrap();
    let error = connect(config(), apop).unwrap_err();
    assert!(matches!(error, Pop3Error::ApopNotOffered), "{error:?}");
    let error = connect(config(), ClientConfig::new()).unwrap_err();
    assert!(matches!(error, Pop3Error::TlsNotOffered), "{error:?}");
}

#[test]
fn a_maildrop_in_use_is_a_temporary_failure() {
    let shared = mail(TWO);
    let server = server(config(), &shared);
    crate::watchdog::watch_this_test();
    task_test(move |reactor| async move {
        let at: ServerEndpoint = "memory:pop".parse().unwrap();
        let port = at.listen(&reactor, server).unwrap();
        let to = || "memory:pop".parse::<ClientEndpoint>().unwrap();
        let first = Pop3Client::connect(&reactor, to(), login("ann", "secret")).await.unwrap();
        let error = Pop3Client::connect(&reactor, to(), login("ann", "secret")).await.unwrap_err();
        assert!(error.is_temporary() && error.to_string().contains("[IN-USE]"), "{error}");
        first.quit().await.unwrap();
        port.stop_listening();
    });
}
