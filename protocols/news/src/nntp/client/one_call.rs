//! One thing in one call: [`post`] and [`fetch`].

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use sinew_transports::{
    endpoint::ClientEndpoint,
    reactor::{Deferred, Reactor, Task},
};

use super::{ClientConfig, NewsClient, NewsError};
use crate::nntp::codec::{MessageId, Part};

/// Connects to a server, posts an article, and disconnects. Dropping the deferred gives up.
///
/// # Errors
///
/// [`NewsError`], by the deferred.
///
/// # Examples
///
/// ```no_run
/// use sinew_news::nntp::client::{ClientConfig, post};
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let article = "From: ann@example.net\nNewsgroups: misc.test\nSubject: hello\n\nHello.\n";
/// let posted = post(&reactor, "news.example.org:119", ClientConfig::default(), article);
/// reactor.run_until(posted)??;
/// # Ok(())
/// # }
/// ```
pub fn post(
    reactor: &Reactor,
    to: impl Into<ClientEndpoint>,
    config: ClientConfig,
    text: impl Into<Bytes>,
) -> Deferred<(), NewsError> {
    let (to, text, of_task) = (to.into(), text.into(), reactor.clone());
    run(reactor, async move {
        let mut client = NewsClient::connect(&of_task, to, config).await?;
        client.post(text).await?;
        client.quit().await;
        Ok(())
    })
}

/// Connects to a server, fetches an article of at most `max` bytes, and disconnects. `None` if the server does not have it. Dropping
/// the deferred gives up.
///
/// # Errors
///
/// [`NewsError`], by the deferred.
pub fn fetch(
    reactor: &Reactor,
    to: impl Into<ClientEndpoint>,
    config: ClientConfig,
    id: MessageId,
    max: usize,
) -> Deferred<Option<Vec<u8>>, NewsError> {
    let (to, of_task) = (to.into(), reactor.clone());
    run(reactor, async move {
        let mut client = NewsClient::connect(&of_task, to, config).await?;
        let text = match client.article(Part::Article, id).await? {
            Some(article) => Some(article.read_to_end(max).await?),
            None => None,
        };
        client.quit().await;
        Ok(text)
    })
}

/// Runs a future as a task, which ends when its deferred is dropped.
fn run<T: 'static>(
    reactor: &Reactor,
    future: impl Future<Output = Result<T, NewsError>> + 'static,
) -> Deferred<T, NewsError> {
    let (promise, deferred) = reactor.promise();
    let place = Rc::<RefCell<Option<Task<()>>>>::default();
    let running = Rc::clone(&place);
    promise.on_cancel(move |_| drop(running.take()));
    let task = reactor.spawn(async move { promise.settle(future.await) });
    place.replace(Some(task));
    deferred
}
