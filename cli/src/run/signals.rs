//! Signals, which the first reactor takes: they become orders for the main thread.

use std::{cell::Cell, io, rc::Rc, sync::mpsc::Sender};

use sinew::{
    reactor::{Reactor, Signal},
    transports::reactors::Shard,
};

use super::order::Order;

/// Watches all signals that mean something. Called before the loop of the first reactor runs.
pub(super) fn watch(shard: &Shard, orders: &Sender<Order>) -> io::Result<()> {
    let reactor = shard.reactor();
    let order = |signal, order: fn() -> Order| {
        let orders = orders.clone();
        reactor.on_signal(signal, move |_| drop(orders.send(order())))
    };
    order(Signal::HUP, || Order::Reload)?;
    order(Signal::USR1, || Order::Rotate)?;
    order(Signal::USR2, || Order::Upgrade)?;
    let is_stopping = Rc::new(Cell::new(false));
    for signal in [Signal::TERM, Signal::INT] {
        let (orders, handle, is_stopping) =
            (orders.clone(), shard.handle().clone(), is_stopping.clone());
        reactor.on_signal(signal, move |_: &Reactor| {
            let _ = orders.send(Order::Stopping(signal));
            // The main thread may be busy with a reload; a stop does not wait for that. A second signal ends the drain.
            let _ = if is_stopping.replace(true) { handle.stop_now() } else { handle.stop() };
        })?;
    }
    Ok(())
}
