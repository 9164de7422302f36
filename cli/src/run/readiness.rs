//! What the services of this process wait for before the server is ready: [`Readiness`]. The service manager is told that it is once nothing is
//! waited for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Sender},
};

use super::order::Order;

/// What is waited for. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    waits: BTreeMap<u64, String>,
    next: u64,
    /// Where the main thread is told that nothing is waited for any more.
    orders: Option<Sender<Order>>,
}

/// The server is not ready as long as this exists.
#[derive(Debug)]
pub(crate) struct Wait {
    readiness: Readiness,
    id: u64,
}

impl Readiness {
    pub(super) fn new(orders: Sender<Order>) -> Self {
        let state = State { orders: Some(orders), ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The server is not ready until the result is dropped. `what` says who waits for what: `mail waits for its queue`.
    pub(crate) fn wait(&self, what: impl Into<String>) -> Wait {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        state.waits.insert(id, what.into());
        drop(state);
        Wait { readiness: self.clone(), id }
    }

    /// What is waited for; `None` if nothing is.
    pub(crate) fn waits(&self) -> Option<String> {
        let state = self.lock();
        let waits: Vec<_> = state.waits.values().map(String::as_str).collect();
        (!waits.is_empty()).then(|| waits.join(", "))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut state = self.readiness.lock();
        state.waits.remove(&self.id);
        if let Some(orders) = state.orders.as_ref().filter(|_| state.waits.is_empty()) {
            // An error says that the main thread has ended.
            let _ = orders.send(Order::Ready);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn it_is_ready_when_nothing_is_waited_for() {
        let (orders, told) = mpsc::channel();
        let readiness = Readiness::new(orders);
        assert_eq!(readiness.waits(), None);
        let (mail, news) = (readiness.wait("mail waits"), readiness.wait("news waits"));
        assert_eq!(readiness.waits().as_deref(), Some("mail waits, news waits"));
        drop(mail);
        assert_eq!(readiness.waits().as_deref(), Some("news waits"));
        assert!(told.try_recv().is_err());
        drop(news);
        assert_eq!(readiness.waits(), None);
        assert!(matches!(told.try_recv(), Ok(Order::Ready)));
    }
}
