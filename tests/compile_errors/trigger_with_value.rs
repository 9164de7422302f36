//! A trigger that returns what nobody waits for.
//~ a trigger cannot return `u32`
//~ end the closure with `;`
use sinew::prelude::*;

fn at_the_end(reactor: Reactor) {
    reactor.on(Phase::AfterShutdown, |_| 7_u32);
}
