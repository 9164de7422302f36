//! A protocol in the place of a handler of events.
//~ `Echo` is not a handler of events
use std::rc::Rc;

use sinew::prelude::*;

struct Echo;

fn bind(reactor: Reactor) {
    let _ = reactor.register_unwatched(Rc::new(Echo));
}
