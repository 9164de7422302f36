//! Tests of tasks in virtual time: [`task_test`], and [`task_test_on`] for several hosts.

use std::{future::Future, time::Duration};

use sinew_reactor::Reactor;

use super::seed;
use crate::sim::{Host, Network, SimError};

/// How long a test may take, in simulated time.
const TEST_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the tasks that a test has spawned may go on after it, in simulated time.
const ENDING_MAX: Duration = Duration::from_secs(60 * 60);

/// Runs an async test on a host of a simulated network, on a virtual clock: a sleep of an hour takes no time. Returns
/// the output of the future.
///
/// The host is reached as `localhost` and as `test`. After the test all tasks that it has spawned must end by themselves
/// within an hour of simulated time. For what else may be left, such as connections, there is
/// [`assert_clean`](super::assert_clean).
///
/// # Panics
///
/// - If the test or another callback panics.
/// - If the test does not end: it waits for something that never happens, or takes more than a day of simulated time. The
///   message lists what is left on the reactor.
/// - If a task never ends. The message has the places where such tasks were spawned.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_testkit::testing::task_test;
///
/// task_test(|reactor| async move {
///     let sleep = reactor.sleep(Duration::from_secs(3600));
///     let alarm = reactor.spawn(async move {
///         sleep.await;
///         "ring"
///     });
///     assert_eq!(alarm.await, Ok("ring"));
///     assert_eq!(reactor.age(), Duration::from_secs(3600));
/// });
/// ```
#[track_caller]
pub fn task_test<F>(test: impl FnOnce(Reactor) -> F) -> F::Output
where
    F: Future<Output: 'static> + 'static,
{
    let network = Network::new(seed().unwrap_or(0));
    task_test_on(&network, &network.host("test"), test)
}

/// As [`task_test`], on one of the hosts of a network. The tasks of the other hosts are not checked.
///
/// # Panics
///
/// As [`task_test`].
///
/// # Examples
///
/// ```
/// use sinew_testkit::{sim::Network, testing::task_test_on};
/// use sinew_transports::{Peer, Protocol, ReactorTcp, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let network = Network::new(7);
/// let (server, client) = (network.host("server"), network.host("client"));
/// server.boot(|reactor| {
///     reactor.listen_tcp("0.0.0.0:7", |_: &Peer| Echo).expect("the port is free");
/// });
/// task_test_on(&network, &client, |reactor| async move {
///     let connection = reactor.connect_tcp("server:7", |_: &Peer| Echo).await.expect("it listens");
///     assert!(!connection.transport().is_closing());
/// });
/// ```
#[track_caller]
pub fn task_test_on<F>(network: &Network, host: &Host, test: impl FnOnce(Reactor) -> F) -> F::Output
where
    F: Future<Output: 'static> + 'static,
{
    let reactor = host.reactor();
    let task = reactor.spawn(test(reactor.clone()));
    let ran = network.run_until(TEST_MAX, || task.is_done());
    let output = match (task.take(), ran) {
        (Some(Ok(output)), Ok(())) => output,
        (Some(Err(failure)), _) => panic!("the test has failed: {failure}"),
        (None, Err(SimError::NotReached { .. })) => {
            panic!("the test does not end; left: {}", reactor.leak_report())
        }
        (_, ran) => panic!("{}", ran.expect_err("the test has not ended")),
    };
    drop(task);
    match network.run_until(ENDING_MAX, || reactor.stats().tasks == 0) {
        Ok(()) => output,
        Err(SimError::NotReached { within, .. }) => panic!(
            "still there {within:?} of simulated time after the test: {}",
            reactor.leak_report().tasks.join(", ")
        ),
        Err(error) => panic!("{error}"),
    }
}
