//! The table at the head of `state.rs`, row by row.

use super::*;

/// A stream in each stage.
fn open() -> State {
    let mut state = State::new(true);
    state.made();
    state
}

fn closing() -> State {
    let mut state = open();
    assert!(state.lose_connection());
    state
}

fn lingering() -> State {
    let mut state = closing();
    state.fin_sent();
    assert!(state.is_lingering());
    state
}

fn lost() -> State {
    let mut state = open();
    assert!(state.lost());
    state
}

fn output_failed() -> State {
    let mut state = open();
    assert!(state.output_failed());
    state
}

/// A stream that only reads: as one whose output has ended already, so that its input's end is its own.
#[test]
fn without_output() {
    let mut state = open();
    state.set_read_only();
    assert!(!state.takes_output() && !state.close_write() && !state.is_plain());
    assert_eq!(state.drained(), Drained::Idle);
    assert_eq!(state.end_of_stream(), Ended::Tell);
    assert_eq!(state.drained(), Drained::Finish);
}

#[test]
fn output_is_taken_while_open_and_not_ended() {
    assert!(open().takes_output());
    for mut state in [output_failed(), closing(), lingering(), lost()] {
        assert!(!state.takes_output());
        assert!(!state.close_write());
        assert!(!state.lose_connection());
    }
    let mut half = open();
    assert!(half.close_write() && !half.takes_output() && !half.close_write());
    assert!(half.is_open() && half.drained() == Drained::EndOutput);
    half.fin_sent();
    assert!(half.is_open() && half.drained() == Drained::Idle);
}

#[test]
fn a_producer_is_heard_out_also_when_all_others_are_refused() {
    let mut half = open();
    assert!(half.close_write());
    for (mut state, takes) in [
        (open(), true),
        (half, true),
        (output_failed(), false),
        (closing(), true),
        (lingering(), false),
        (lost(), false),
    ] {
        state.set_producing(true);
        assert_eq!(state.takes_output(), takes, "{:?}", state.stage());
        assert!(!state.ask_flush(), "what it writes is sent when it has answered");
        state.set_producing(false);
    }
}

#[test]
fn with_both_directions_ended_it_is_over_and_the_peer_has_ended_it() {
    for peer_first in [true, false] {
        let mut state = open();
        if peer_first {
            state.end_of_stream();
            assert_eq!(state.drained(), Drained::Idle, "output goes on");
        }
        assert!(state.close_write());
        if !peer_first {
            state.fin_sent();
            assert_eq!(state.drained(), Drained::Idle, "input goes on");
            assert_eq!(state.end_of_stream(), Ended::Tell);
        }
        assert_eq!(state.drained(), Drained::Finish);
        assert!(state.peer_ended_first());
    }
}

#[test]
fn what_happens_when_all_is_sent_depends_on_the_stage_and_on_the_peer() {
    assert_eq!(open().drained(), Drained::Idle);
    assert_eq!(closing().drained(), Drained::Linger);
    assert_eq!(lingering().drained(), Drained::Idle);
    for mut state in [closing(), lingering()] {
        let ended = state.end_of_stream();
        assert_eq!(ended, Ended::Noted, "input that is thrown away has no end to tell of");
        assert_eq!(state.drained(), Drained::Finish);
        assert!(!state.peer_ended_first());
    }
    let mut state = open();
    let ended = [state.end_of_stream(), state.end_of_stream()];
    assert_eq!(ended, [Ended::Tell, Ended::Noted], "the end is told once");
    assert!(state.lose_connection() && state.peer_ended_first());
    assert_eq!(state.drained(), Drained::Finish);
}

#[test]
fn input_is_delivered_while_open_and_thrown_away_while_closing() {
    for (mut state, input) in [
        (open(), Input::Deliver),
        (output_failed(), Input::Deliver),
        (closing(), Input::Discard),
        (lingering(), Input::Discard),
        (lost(), Input::Wait),
    ] {
        // Where output has failed, what has come is found by trying.
        state.read_blocked();
        assert_eq!(state.input(), Input::Wait, "nothing has come yet");
        state.became(Ready::READ);
        assert_eq!(state.input(), input);
        state.read_was_short();
        assert_eq!(state.input(), Input::Wait);
    }
}

#[test]
fn a_short_read_proves_nothing_where_reads_are_cut_short() {
    let mut closed = open();
    closed.became(Ready::READ | Ready::READ_CLOSED);
    let mut urgent = open();
    urgent.became(Ready::READ | Ready::URGENT);
    let mut of_its_kind = open();
    of_its_kind.set_cuts_reads();
    of_its_kind.became(Ready::READ);
    for state in [closed, urgent, of_its_kind, output_failed()] {
        let mut state = state;
        state.read_was_short();
        assert_eq!(state.input(), Input::Deliver);
        let mut ended = state;
        ended.end_of_stream();
        assert_eq!(ended.input(), Input::Wait);
        state.read_blocked();
        assert_eq!(state.input(), Input::Wait);
    }
    // The urgent data has been read, so the next short read proves something again.
    urgent.read_blocked();
    urgent.became(Ready::READ);
    urgent.read_was_short();
    assert_eq!(urgent.input(), Input::Wait);
}

#[test]
fn input_goes_on_when_output_has_failed() {
    let mut state = open();
    state.above_high();
    assert!(state.tell_pause());
    state.became(Ready::READ);
    assert!(state.output_failed() && !state.output_failed());
    assert!(!state.takes_output() && !state.close_write() && !state.lose_connection());
    assert!(state.is_open() && state.has_output_failed() && state.is_reset());
    assert_eq!(state.input(), Input::Wait, "the queue is dropped by others");
    assert!(state.below_low(), "writing_resumed is owed");
    assert_eq!((state.input(), state.input()), (Input::Resume, Input::Deliver));
    state.pause();
    assert_eq!(state.input(), Input::Wait, "the user's pause outlives the failure");
    state.resume();
    assert_eq!(state.end_of_stream(), Ended::Over, "no read_closed: it is no clean end");
    assert_eq!(state.drained(), Drained::Idle);
    // With the input ended, there is nothing left.
    let mut state = open();
    state.end_of_stream();
    assert!(!state.output_failed() && !closing().output_failed() && !lost().output_failed());
}

#[test]
fn who_closes_with_a_reset_resets_when_all_is_sent() {
    for mut state in [open(), closing()] {
        assert!(state.close_with_reset());
        assert!(!state.takes_output() && state.drained() == Drained::Reset);
        state.end_of_stream();
        assert_eq!(state.drained(), Drained::Reset, "whatever the peer does");
    }
    for mut state in [output_failed(), lingering(), lost()] {
        assert!(!state.close_with_reset());
    }
}

#[test]
fn what_comes_after_the_end_is_looked_at_once_for_it_may_be_a_reset() {
    let mut state = open();
    state.end_of_stream();
    state.pause();
    state.became(Ready::READ | Ready::READ_CLOSED);
    assert_eq!(state.input(), Input::Check);
    state.looked();
    assert_eq!(state.input(), Input::Wait);
    assert!(!state.wants_input(), "the end is readable for ever");
}

#[test]
fn what_comes_while_input_is_held_back_is_looked_at_once() {
    let mut state = open();
    state.pause();
    state.became(Ready::READ);
    assert_eq!(state.input(), Input::Wait, "that is only input");
    state.became(Ready::READ | Ready::READ_CLOSED);
    assert_eq!(state.input(), Input::Check);
    state.looked();
    assert_eq!(state.input(), Input::Wait);
    state.look();
    assert!(state.hears_nothing() && state.input() == Input::Check, "where no engine tells");
    state.looked();
    state.resume();
    assert_eq!((state.input(), state.input()), (Input::Resume, Input::Deliver));
    state.read_was_short();
    assert_eq!(state.input(), Input::Deliver, "to the end, which was announced");
}

#[test]
fn input_held_back_is_resumed_before_it_is_delivered() {
    let mut paused = open();
    paused.became(Ready::READ);
    paused.pause();
    assert_eq!(paused.input(), Input::Wait);
    paused.resume();
    assert_eq!((paused.input(), paused.input()), (Input::Resume, Input::Deliver));

    let mut full = open();
    full.became(Ready::READ);
    full.above_high();
    assert!(full.is_held_back() && full.input() == Input::Wait);
    full.pause();
    full.below_low();
    assert_eq!(full.input(), Input::Wait, "the user's pause outlives the watermark's");
    full.resume();
    assert_eq!((full.input(), full.input()), (Input::Resume, Input::Deliver));
}

#[test]
fn without_auto_pause_the_watermark_only_tells() {
    let mut state = State::new(false);
    state.became(Ready::READ);
    state.above_high();
    assert!(!state.is_held_back() && state.input() == Input::Deliver);
    assert!(state.tell_pause() && !state.tell_pause());
    assert!(state.below_low() && !state.below_low());
}

#[test]
fn a_burst_that_the_system_takes_at_once_tells_nothing() {
    let mut state = open();
    state.above_high();
    assert!(!state.below_low(), "writing_paused was not told, so writing_resumed is not owed");
    assert!(!state.tell_pause());
}

#[test]
fn it_is_lost_once() {
    for mut state in [open(), output_failed(), closing(), lingering()] {
        assert!(state.lost() && !state.lost());
        assert!(!state.is_end_told() && state.tell_end() && !state.tell_end());
        state.gone();
        assert!(!state.lost() && state.is_over() && state.is_gone());
    }
}

#[test]
fn the_loop_is_asked_once() {
    let mut state = open();
    assert!(state.ask_flush() && !state.ask_flush());
    state.flush_begins();
    state.set_in_callback(true);
    assert!(!state.ask_flush(), "the end of the callback flushes anyway");
    state.set_in_callback(false);
    assert!(state.ask_flush());
    assert!(state.request_reschedule() && !state.request_reschedule());
    state.reschedule_begins();
    assert!(state.request_reschedule());
}
