//! The names that users of a store may have: none of them is a path that leads elsewhere.

use super::StoreError;

/// Most bytes of the name of a user: as a file name may have.
const USER_LEN_MAX: usize = 255;

pub(crate) fn check_user(user: &str) -> Result<(), StoreError> {
    let is_wrong = |c: char| c.is_control() || matches!(c, '/' | '\\');
    let len = user.len();
    if len == 0 || len > USER_LEN_MAX || user.starts_with('.') || user.contains(is_wrong) {
        return Err(StoreError::UserName { user: user.to_owned(), max: USER_LEN_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_no_path() {
        let long = "u".repeat(256);
        for user in ["", ".", "..", "../etc", "a/b", "a\\b", "a\0", "a\nb", ".hidden", &long] {
            assert!(check_user(user).is_err(), "{user:?}");
        }
        for user in ["ann", "ann@example.org", "ann smith", "anä", "a.b", "a..b"] {
            assert!(check_user(user).is_ok(), "{user:?}");
        }
    }
}
