//! Timers that never fire.

use std::time::Duration;

use sinew::prelude::*;

use crate::Failed;

const TIMERS: u64 = 100_000;

pub(crate) fn run() -> Result<(), Failed> {
    let reactor = Reactor::simulated(0);
    // From a second to a minute, in no order.
    let delay = |timer: u64, step: u64| Duration::from_millis(1_000 + timer * step % 59_009);
    let mut made = Vec::with_capacity(TIMERS as usize);
    crate::budgeted(&mut || {
        made.extend((0..TIMERS).map(|timer| reactor.call_later(delay(timer, 7_919), |_| {})));
    });
    let mut done = 0;
    crate::budgeted(&mut || {
        let timers = (0..).zip(&made);
        done += timers.filter(|(timer, call)| call.reset(delay(*timer, 6_151))).count();
        done += made.iter().filter(|call| call.cancel()).count();
    });
    // The loop drops the cancelled ones.
    crate::turn(&reactor, Duration::ZERO)?;
    if done as u64 != 2 * TIMERS {
        return Err(format!("{done} were reset or cancelled").into());
    }
    Ok(())
}
