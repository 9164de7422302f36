//! What the clients of both protocols have in common when they sign on.

use std::{future::Future, pin::pin, time::Duration};

use sinew_transports::reactor::Reactor;

use super::{ScreenName, SignOnError};

/// How long signing on may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a client calls itself.
pub(super) const CLIENT: &str = concat!("sinew/", env!("CARGO_PKG_VERSION"));

/// Signs on, or gives up when it takes too long.
pub(super) async fn in_time<T>(
    reactor: &Reactor,
    name: &ScreenName,
    signing_on: impl Future<Output = Result<T, SignOnError>>,
) -> Result<T, SignOnError> {
    let timed_out = |_| SignOnError::TimedOut { name: name.clone(), after: TIMEOUT };
    reactor.timeout(TIMEOUT, pin!(signing_on)).await.map_err(timed_out)?
}
