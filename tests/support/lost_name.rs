//! The name of a reason, for tests that write down in words why a connection ended. Its `Debug` is a sentence.

use sinew::prelude::ConnectionLost;

pub(crate) fn lost_name(reason: &ConnectionLost) -> String {
    match reason {
        ConnectionLost::Done => "Done".to_owned(),
        ConnectionLost::Closed => "Closed".to_owned(),
        ConnectionLost::Aborted => "Aborted".to_owned(),
        ConnectionLost::Reset => "Reset".to_owned(),
        ConnectionLost::Shutdown => "Shutdown".to_owned(),
        ConnectionLost::Io(error) => format!("Io({:?})", error.kind()),
        other => panic!("a reason that these tests do not know: {other}"),
    }
}
