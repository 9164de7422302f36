//! Test case shrinking: [`Minimiser`] (delta debugging). Independent of what is shrunk.

/// Shrinks failing cases, with a bounded number of tries.
pub(crate) struct Minimiser {
    tries_left: usize,
    tries: usize,
}

impl Minimiser {
    pub(crate) const fn new(tries_max: usize) -> Self {
        Self { tries_left: tries_max, tries: 0 }
    }

    /// The number of cases tried.
    pub(crate) const fn tries(&self) -> usize {
        self.tries
    }

    /// Whether a smaller case also fails; `false` once the tries are used up.
    pub(crate) fn fails(&mut self, try_it: impl FnOnce() -> bool) -> bool {
        if self.tries_left == 0 {
            return false;
        }
        (self.tries_left, self.tries) = (self.tries_left - 1, self.tries + 1);
        try_it()
    }

    /// Removes items that are not needed for the failure: all of them, then halves, down to single items, until none
    /// can be removed (delta debugging, Zeller and Hildebrandt 2002, without testing the subsets alone).
    pub(crate) fn fewest<T: Clone>(
        &mut self,
        mut items: Vec<T>,
        mut fails: impl FnMut(&[T]) -> bool,
    ) -> Vec<T> {
        let mut piece = items.len();
        while piece > 0 {
            let before = items.len();
            let mut at = 0;
            while at < items.len() && self.tries_left > 0 {
                let end = items.len().min(at + piece);
                let without = [&items[..at], &items[end..]].concat();
                if self.fails(|| fails(&without)) {
                    items = without;
                } else {
                    at = end;
                }
            }
            let is_done = piece == 1 && items.len() == before;
            piece = if is_done || self.tries_left == 0 { 0 } else { (piece / 2).max(1) };
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_not_needed_are_removed() {
        let fails = |items: &[u32]| items.contains(&3) && items.contains(&70);
        let mut minimiser = Minimiser::new(1_000);
        assert_eq!(minimiser.fewest((0..100).collect(), fails), [3, 70]);
        assert!(minimiser.tries() < 60, "{}", minimiser.tries());
        assert!(minimiser.fewest(vec![1, 2, 3], |_| true).is_empty());
    }

    #[test]
    fn tries_are_bounded() {
        let mut minimiser = Minimiser::new(5);
        let left = minimiser.fewest((0..100).collect(), |items| items.contains(&50));
        assert!(left.contains(&50) && left.len() > 1, "{left:?}");
        assert_eq!(minimiser.tries(), 5);
        assert!(!minimiser.fails(|| true));
    }
}
