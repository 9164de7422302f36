//! Options that mean nothing to a server that has no ports of its own are refused: [`listens_nowhere`].

use sinew::application::StartError;

use crate::run::Context;

/// For a server that does not listen by `--listen`.
///
/// # Errors
///
/// An endpoint or a limit of connections was given.
pub(super) fn listens_nowhere(context: &Context, name: &str) -> Result<(), StartError> {
    if context.has_listen_options() {
        return Err(StartError::other(format!(
            "{name} has no endpoints of its own: leave out listen, and the limits of connections"
        )));
    }
    Ok(())
}
