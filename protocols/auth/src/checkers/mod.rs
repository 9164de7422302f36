//! Checkers, one file each: users in memory, a file of hashed passwords, a program, a closure. `gate.rs` bounds how many checks are
//! made at once.

mod callback;
pub(crate) mod gate;
#[cfg(feature = "password-file")]
mod password_file;
#[cfg(unix)]
mod program;
mod users;

#[cfg(feature = "password-file")]
pub use self::password_file::{PasswordFile, PasswordFileError, UserChanges};
#[cfg(unix)]
pub use self::program::{Program, ProgramError};
pub use self::{
    callback::{CheckBy, check_by},
    users::Users,
};
