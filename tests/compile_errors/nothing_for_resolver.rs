//! Something that looks up no names.
//~ `()` does not look up names
//~ or a type that implements `Resolve`
use sinew::{prelude::*, transports::names::ReactorNames};

fn choose(reactor: Reactor) {
    reactor.set_resolver(());
}
