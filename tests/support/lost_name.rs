//! The variant name of a `ConnectionLost`, for tests that log why a connection ended. Its `Debug` output is a
//! sentence.

use sinew::prelude::ConnectionLost;

pub(crate) fn lost_name(reason: &ConnectionLost) -> String {
    match reason {
        ConnectionLost::Done => "Done".to_owned(),
        ConnectionLost::Closed => "Closed".to_owned(),
        ConnectionLost::Aborted => "Aborted".to_owned(),
        ConnectionLost::Reset => "Reset".to_owned(),
        ConnectionLost::Shutdown => "Shutdown".to_owned(),
        ConnectionLost::Io(error) => format!("Io({:?})", error.kind()),
        other => panic!("unexpected reason: {other}"),
    }
}
