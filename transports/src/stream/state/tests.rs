//! Tests of the table at the head of `state.rs`, row by row.

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

/// A read-only stream counts as one whose output has ended already, so the end of its input is the end of the connection.
#[test]
fn read_only_stream_ends_with_its_input() {
    let mut state = open();
    state.set_read_only();
    assert!(!state.takes_output() && !state.close_write() && !state.has_plain_output());
    assert_eq!(state.drained(), Drained::Idle);
    assert_eq!(state.end_of_stream(), Ended::Notify);
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
fn producer_may_write_while_other_writes_are_refused() {
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
        assert!(!state.ask_flush(), "its output is flushed after its call");
        state.set_producing(false);
    }
}

#[test]
fn connection_is_over_when_both_directions_have_ended() {
    for peer_first in [true, false] {
        let mut state = open();
        if peer_first {
            state.end_of_stream();
            assert_eq!(state.drained(), Drained::Idle, "output continues");
        }
        assert!(state.close_write());
        if !peer_first {
            state.fin_sent();
            assert_eq!(state.drained(), Drained::Idle, "input continues");
            assert_eq!(state.end_of_stream(), Ended::Notify);
        }
        assert_eq!(state.drained(), Drained::Finish);
        assert!(state.peer_ended_first());
    }
}

#[test]
fn drained_output_is_handled_by_stage_and_peer() {
    assert_eq!(open().drained(), Drained::Idle);
    assert_eq!(closing().drained(), Drained::Linger);
    assert_eq!(lingering().drained(), Drained::Idle);
    for mut state in [closing(), lingering()] {
        let ended = state.end_of_stream();
        assert_eq!(ended, Ended::Recorded, "discarded input calls no read_closed");
        assert_eq!(state.drained(), Drained::Finish);
        assert!(!state.peer_ended_first());
    }
    let mut state = open();
    let ended = [state.end_of_stream(), state.end_of_stream()];
    assert_eq!(ended, [Ended::Notify, Ended::Recorded], "read_closed is called once");
    assert!(state.lose_connection() && state.peer_ended_first());
    assert_eq!(state.drained(), Drained::Finish);
}

#[test]
fn input_is_delivered_while_open_and_discarded_while_closing() {
    for (mut state, input) in [
        (open(), Input::Deliver),
        (output_failed(), Input::Deliver),
        (closing(), Input::Discard),
        (lingering(), Input::Discard),
        (lost(), Input::Wait),
    ] {
        // After a failure of the output a read finds out what has arrived.
        state.read_blocked();
        assert_eq!(state.input(), Input::Wait, "not readable yet");
        state.set_ready(Ready::READ);
        assert_eq!(state.input(), input);
        state.read_was_short();
        assert_eq!(state.input(), Input::Wait);
    }
}

#[test]
fn short_read_does_not_drain_where_reads_may_be_short() {
    let mut closed = open();
    closed.set_ready(Ready::READ | Ready::READ_CLOSED);
    let mut urgent = open();
    urgent.set_ready(Ready::READ | Ready::URGENT);
    let mut of_its_kind = open();
    of_its_kind.set_always_read_until_blocked();
    of_its_kind.set_ready(Ready::READ);
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
    // The urgent data has been read, so the next short read drains again.
    urgent.read_blocked();
    urgent.set_ready(Ready::READ);
    urgent.read_was_short();
    assert_eq!(urgent.input(), Input::Wait);
}

#[test]
fn input_continues_after_output_failed() {
    let mut state = open();
    state.above_high();
    assert!(state.notify_writing_paused());
    state.set_ready(Ready::READ);
    assert!(state.output_failed() && !state.output_failed());
    assert!(!state.takes_output() && !state.close_write() && !state.lose_connection());
    assert!(state.is_open() && state.has_output_failed() && state.is_reset());
    assert_eq!(state.input(), Input::Wait, "still above the high watermark");
    assert!(state.below_low(), "writing_resumed is owed");
    assert_eq!((state.input(), state.input()), (Input::Resume, Input::Deliver));
    state.pause();
    assert_eq!(state.input(), Input::Wait, "the user's pause stays after the failure");
    state.resume();
    assert_eq!(state.end_of_stream(), Ended::ConnectionOver, "not a clean end, so no read_closed");
    assert_eq!(state.drained(), Drained::Idle);
    // With the input ended, nothing is left.
    let mut state = open();
    state.end_of_stream();
    assert!(!state.output_failed() && !closing().output_failed() && !lost().output_failed());
}

#[test]
fn close_with_reset_resets_when_all_is_sent() {
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
fn event_after_end_of_stream_is_checked_once_for_a_reset() {
    let mut state = open();
    state.end_of_stream();
    state.pause();
    state.set_ready(Ready::READ | Ready::READ_CLOSED);
    assert_eq!(state.input(), Input::Check);
    state.checked();
    assert_eq!(state.input(), Input::Wait);
    assert!(!state.wants_input(), "an end of stream stays readable");
}

#[test]
fn event_while_input_is_blocked_is_checked_once_for_a_reset() {
    let mut state = open();
    state.pause();
    state.set_ready(Ready::READ);
    assert_eq!(state.input(), Input::Wait, "only data has arrived");
    state.set_ready(Ready::READ | Ready::READ_CLOSED);
    assert_eq!(state.input(), Input::Check);
    state.checked();
    assert_eq!(state.input(), Input::Wait);
    state.request_check();
    assert!(state.needs_reset_checks() && state.input() == Input::Check, "no engine reports it");
    state.checked();
    state.resume();
    assert_eq!((state.input(), state.input()), (Input::Resume, Input::Deliver));
    state.read_was_short();
    assert_eq!(state.input(), Input::Deliver, "reads to the announced end");
}

#[test]
fn reading_resumed_comes_before_more_input() {
    let mut paused = open();
    paused.set_ready(Ready::READ);
    paused.pause();
    assert_eq!(paused.input(), Input::Wait);
    paused.resume();
    assert_eq!((paused.input(), paused.input()), (Input::Resume, Input::Deliver));

    let mut full = open();
    full.set_ready(Ready::READ);
    full.above_high();
    assert!(full.is_input_blocked() && full.input() == Input::Wait);
    full.pause();
    full.below_low();
    assert_eq!(full.input(), Input::Wait, "the user's pause stays below the low watermark");
    full.resume();
    assert_eq!((full.input(), full.input()), (Input::Resume, Input::Deliver));
}

#[test]
fn without_auto_pause_the_high_watermark_does_not_block_input() {
    let mut state = State::new(false);
    state.set_ready(Ready::READ);
    state.above_high();
    assert!(!state.is_input_blocked() && state.input() == Input::Deliver);
    assert!(state.notify_writing_paused() && !state.notify_writing_paused());
    assert!(state.below_low() && !state.below_low());
}

#[test]
fn burst_accepted_at_once_notifies_nobody() {
    let mut state = open();
    state.above_high();
    assert!(!state.below_low(), "no writing_paused, so no writing_resumed");
    assert!(!state.notify_writing_paused());
}

#[test]
fn connection_is_lost_once() {
    for mut state in [open(), output_failed(), closing(), lingering()] {
        assert!(state.lost() && !state.lost());
        assert!(!state.is_end_notified() && state.notify_end() && !state.notify_end());
        state.gone();
        assert!(!state.lost() && state.is_over() && state.is_gone());
    }
}

#[test]
fn flush_and_reschedule_are_requested_once() {
    let mut state = open();
    assert!(state.ask_flush() && !state.ask_flush());
    state.flush_begins();
    state.set_in_callback(true);
    assert!(!state.ask_flush(), "a flush follows the callback anyway");
    state.set_in_callback(false);
    assert!(state.ask_flush());
    assert!(state.request_reschedule() && !state.request_reschedule());
    state.reschedule_begins();
    assert!(state.request_reschedule());
}
