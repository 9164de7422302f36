//! The task of a secondary zone: asks for versions, transfers, waits. The table of states is in `mod.rs`.

use std::{rc::Rc, sync::Arc, time::Duration};

use sinew_transports::reactor::{Failure, Reactor};

use super::{
    SecondaryError, SecondaryState, Shared,
    store::{file_of, load, save},
};
use crate::{
    client::{NameServer, TransferConfig, TransferEvent},
    codec::{Question, RData, Record, RecordType, rdata::SOA},
    server::unix_time::unix_time,
    zone::{Zone, edit::ZoneEdit},
};

/// How long to wait after a failure while there is no zone: doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(5);

pub(super) async fn run(reactor: Reactor, shared: Rc<Shared>) {
    // When a server has confirmed the zone last, in seconds since 1970.
    let mut confirmed = match restore(&reactor, &shared).await {
        Ok(confirmed) => confirmed,
        Err(error) => {
            failed(&shared, error);
            None
        }
    };
    let mut failures = 0u32;
    loop {
        shared.is_notified.set(false);
        match refresh(&reactor, &shared).await {
            Ok(()) => {
                (confirmed, failures) = (Some(unix_time(&reactor)), 0);
                shared.state.set(SecondaryState::Fresh);
                shared.failure.replace(None);
                if let Err(error) = keep(&reactor, &shared, confirmed).await {
                    failed(&shared, error);
                }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                failed(&shared, error);
                grow_stale(&reactor, &shared, confirmed);
            }
        }
        wait(&reactor, &shared, failures, confirmed).await;
    }
}

/// Reports a failure.
fn failed(shared: &Shared, error: SecondaryError) {
    tracing::warn!(zone = %shared.origin, %error, "a secondary zone is not refreshed");
    shared.failure.replace(Some(error));
}

/// Serves the stored zone, unless it has expired. Returns when it was confirmed.
async fn restore(reactor: &Reactor, shared: &Shared) -> Result<Option<u64>, SecondaryError> {
    let Some(folder) = &shared.config.store else { return Ok(None) };
    let (path, origin) = (file_of(folder, &shared.origin), shared.origin.clone());
    let loaded = reactor.defer_to_thread(move || load(&path, &origin)).await??;
    let Some((zone, confirmed)) = loaded else { return Ok(None) };
    let [.., expire, _] = zone.soa_numbers();
    let age = unix_time(reactor).saturating_sub(confirmed);
    if age < u64::from(expire) {
        shared.zones.insert(zone);
        shared.state.set(SecondaryState::Stale);
    } else {
        shared.state.set(SecondaryState::Expired);
    }
    Ok(Some(confirmed))
}

/// Stores the zone with the time of its confirmation.
async fn keep(
    reactor: &Reactor,
    shared: &Shared,
    confirmed: Option<u64>,
) -> Result<(), SecondaryError> {
    let (Some(folder), Some(zone)) = (&shared.config.store, shared.zones.get(&shared.origin))
    else {
        return Ok(());
    };
    let (path, confirmed) = (file_of(folder, &shared.origin), confirmed.unwrap_or(0));
    reactor.defer_to_thread(move || save(&path, &zone, confirmed)).await??;
    Ok(())
}

fn grow_stale(reactor: &Reactor, shared: &Shared, confirmed: Option<u64>) {
    let Some(zone) = shared.zones.get(&shared.origin) else { return };
    let [.., expire, _] = zone.soa_numbers();
    let age = unix_time(reactor).saturating_sub(confirmed.unwrap_or(0));
    if age >= u64::from(expire) {
        let [_, _, retry, ..] = zone.soa_numbers();
        shared.retry.set(Some(Duration::from_secs(retry.into())));
        shared.zones.remove(&shared.origin);
        shared.state.set(SecondaryState::Expired);
    } else {
        shared.state.set(SecondaryState::Stale);
    }
}

/// Until the next attempt, or a notification.
async fn wait(reactor: &Reactor, shared: &Shared, failures: u32, confirmed: Option<u64>) {
    let (min, max) = (shared.config.refresh_min, shared.config.refresh_max);
    let delay = match shared.zones.get(&shared.origin) {
        // After it has expired, as often as before.
        None => match shared.retry.get() {
            Some(retry) => retry.clamp(min, max),
            None => FIRST_RETRY.saturating_mul(1 << failures.min(10)).min(max),
        },
        Some(zone) => {
            let [_, refresh, retry, expire, _] = zone.soa_numbers();
            let seconds = if failures == 0 { refresh } else { retry };
            let delay = Duration::from_secs(seconds.into()).clamp(min, max);
            // An attempt is made when it expires, so that it is not served longer.
            let age = unix_time(reactor).saturating_sub(confirmed.unwrap_or(0));
            delay.min(Duration::from_secs(u64::from(expire).saturating_sub(age).max(1)))
        }
    };
    if shared.is_notified.get() {
        return;
    }
    let (wake, woken) = reactor.promise::<(), Failure>();
    shared.wake.replace(Some(wake));
    // Whichever comes first.
    let _ = reactor.timeout(delay, woken).await;
    shared.wake.take();
}

/// Asks the servers in turn for their version, and transfers the zone from the first that has a newer one.
async fn refresh(reactor: &Reactor, shared: &Shared) -> Result<(), SecondaryError> {
    let mut error = SecondaryError::Version {
        zone: Box::new(shared.origin.clone()),
        why: "there is no server".into(),
    };
    let mut is_confirmed = false;
    for server in &shared.config.servers {
        match version(shared, server).await {
            Ok((serial, ttl)) => {
                let ours = shared.zones.get(&shared.origin);
                let is_newer = ours
                    .as_ref()
                    .is_none_or(|zone| (serial.wrapping_sub(zone.serial()) as i32) > 0);
                if !is_newer {
                    is_confirmed = true;
                    continue;
                }
                match transfer(reactor, shared, server, ours, ttl).await {
                    Ok(()) => return Ok(()),
                    Err(failure) => error = failure,
                }
            }
            Err(failure) => error = failure,
        }
    }
    if is_confirmed { Ok(()) } else { Err(error) }
}

/// The serial number and the TTL of the SOA record of a server.
async fn version(shared: &Shared, server: &NameServer) -> Result<(u32, u32), SecondaryError> {
    let failed = |why: String| SecondaryError::Version {
        zone: Box::new(shared.origin.clone()),
        why: format!("{server}: {why}").into(),
    };
    let question = Question::new(shared.origin.clone(), RecordType::SOA).recursion_desired(false);
    let message = shared.resolver.query_server(server, question).await;
    let message = message.map_err(|error| failed(error.to_string()))?;
    let soa = message.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) if record.name == shared.origin => Some((soa.serial, record.ttl)),
        _ => None,
    });
    soa.filter(|_| message.metadata.authoritative)
        .ok_or_else(|| failed("it is not authoritative for the zone".to_owned()))
}

/// Receives the zone, or what has changed since ours; if that does not fit, the whole zone.
async fn transfer(
    reactor: &Reactor,
    shared: &Shared,
    server: &NameServer,
    ours: Option<Arc<Zone>>,
    soa_ttl: u32,
) -> Result<(), SecondaryError> {
    if let Some(ours) = ours {
        match receive(reactor, shared, server, Some(ours), soa_ttl).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                tracing::debug!(zone = %shared.origin, %error, "the whole zone is asked for");
            }
        }
    }
    receive(reactor, shared, server, None, soa_ttl).await
}

async fn receive(
    reactor: &Reactor,
    shared: &Shared,
    server: &NameServer,
    ours: Option<Arc<Zone>>,
    soa_ttl: u32,
) -> Result<(), SecondaryError> {
    let origin = &shared.origin;
    let zone = || Box::new(origin.clone());
    let failed = |source| SecondaryError::Transfer { zone: zone(), source };
    let invalid = |source| SecondaryError::Zone { zone: zone(), source };
    let mut config = TransferConfig::default().records_max(shared.config.records_max);
    if let Some(key) = &shared.config.key {
        config = config.key(key.clone());
    }
    let mut edit = match &ours {
        Some(ours) => {
            config = config.since(ours.serial());
            ZoneEdit::of(ours)
        }
        None => ZoneEdit::default(),
    };
    let text = origin.to_ascii();
    let mut transfer = shared.resolver.transfer(server, &text, config).await.map_err(failed)?;
    let mut is_unchanged = false;
    let soa_record = |soa: SOA| Record::from_rdata(origin.clone(), soa_ttl, RData::SOA(soa));
    while let Some(event) = transfer.next().await.map_err(failed)? {
        match event {
            TransferEvent::Unchanged => is_unchanged = true,
            TransferEvent::Whole { soa } => {
                edit.clear();
                edit.set_soa(&soa_record(*soa)).map_err(invalid)?;
            }
            TransferEvent::To { soa } => edit.set_soa(&soa_record(*soa)).map_err(invalid)?,
            TransferEvent::Added(record) => edit.add(&record).map_err(invalid)?,
            TransferEvent::Removed(record) => {
                let was_there = edit.remove(&record).map_err(invalid)?;
                was_there.then_some(()).ok_or_else(|| SecondaryError::Differs { zone: zone() })?;
            }
            _ => {}
        }
    }
    if is_unchanged {
        return Ok(());
    }
    // Building takes time in proportion to the zone, so a thread does it.
    let name = origin.clone();
    let built = reactor.defer_to_thread(move || edit.build(&name)).await?.map_err(invalid)?;
    let (serial, records) = (built.serial(), built.record_count());
    tracing::info!(zone = %origin, serial, records, "a secondary zone is received");
    shared.zones.insert(built);
    Ok(())
}
