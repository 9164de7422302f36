//! Captures expected panic messages instead of printing them: [`Silence`].

use std::{cell::RefCell, panic, sync::Once};

thread_local! {
    /// Messages of panics on this thread, while they are captured.
    static UNPRINTED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// While it exists, panics on this thread are captured and not printed. Other threads are not affected.
pub(crate) struct Silence {
    before: Option<Vec<String>>,
}

impl Silence {
    pub(crate) fn begin() -> Self {
        // The panic hook is process-wide and stays installed; capturing is per thread. Other panics are passed to the
        // previous hook.
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let print = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let kept = UNPRINTED.try_with(|unprinted| match unprinted.try_borrow_mut() {
                    Ok(mut unprinted) => {
                        unprinted.as_mut().map(|message| message.push(info.to_string())).is_some()
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

    /// The message and location of the first captured panic.
    pub(crate) fn first_message(&self) -> Option<String> {
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
    fn captured_panics_are_kept() {
        let outer = Silence::begin();
        {
            let inner = Silence::begin();
            assert!(panic::catch_unwind(|| panic!("one")).is_err());
            assert!(panic::catch_unwind(|| panic!("two")).is_err());
            let message = inner.first_message().unwrap();
            assert!(message.contains("silence.rs") && message.ends_with("one"), "{message}");
        }
        assert_eq!(outer.first_message(), None);
        drop(outer);
        assert!(UNPRINTED.with_borrow(Option::is_none));
    }
}
