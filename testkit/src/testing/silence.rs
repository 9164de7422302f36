//! Panics that are expected, and so not printed: [`Silence`].

use std::{cell::RefCell, panic, sync::Once};

thread_local! {
    /// What panics on this thread said, while they are not printed.
    static UNPRINTED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// While it lives, panics on this thread are kept and not printed. Those on other threads are printed as ever.
pub(crate) struct Silence {
    before: Option<Vec<String>>,
}

impl Silence {
    pub(crate) fn begin() -> Self {
        // The hook is the process's, and stays; whether it keeps silent is the thread's. It asks the one that was there
        // before it for all that is to be printed.
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let print = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let kept = UNPRINTED.try_with(|unprinted| match unprinted.try_borrow_mut() {
                    Ok(mut unprinted) => {
                        unprinted.as_mut().map(|said| said.push(info.to_string())).is_some()
                    }
                    Err(_) => false,
                });
                if !kept.unwrap_or(false) {
                    print(info);
                }
            }));
        });
        Self { before: UNPRINTED.replace(Some(Vec::new())) }
    }

    /// What the first panic since then said, and where it was.
    pub(crate) fn first_said(&self) -> Option<String> {
        UNPRINTED.with_borrow(|unprinted| unprinted.as_ref()?.first().cloned())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        UNPRINTED.set(self.before.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printed_is_kept() {
        let outer = Silence::begin();
        {
            let inner = Silence::begin();
            assert!(panic::catch_unwind(|| panic!("one")).is_err());
            assert!(panic::catch_unwind(|| panic!("two")).is_err());
            let said = inner.first_said().unwrap();
            assert!(said.contains("silence.rs") && said.ends_with("one"), "{said}");
        }
        assert_eq!(outer.first_said(), None);
        drop(outer);
        assert!(UNPRINTED.with_borrow(Option::is_none));
    }
}
