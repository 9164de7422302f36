//! The archives of messages: [`sweep`] looks at all of them at the start and each day, so that messages of accounts that nobody uses any
//! more are not kept for longer than the others.

use std::time::Duration;

use sinew::{
    chat::xmpp::server::archive::{ArchiveConfig, FolderArchive},
    prelude::Reactor,
};

const EVERY: Duration = Duration::from_secs(86_400);

/// Sweeps until it is dropped.
pub(super) async fn sweep(reactor: Reactor, archive: FolderArchive, config: ArchiveConfig) {
    loop {
        match archive.sweep(&reactor, config.limits(reactor.wall_clock())).await {
            Ok(archives) => tracing::debug!(archives, "archives of messages were swept"),
            Err(error) => tracing::error!("an archive of messages could not be swept: {error:?}"),
        }
        reactor.sleep(EVERY).await;
    }
}
