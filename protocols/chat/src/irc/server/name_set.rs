//! Names of channels, of which most clients have few: [`NameSet`], a sorted list. Pure.

/// A set in order. Takes no more memory than its names need.
#[derive(Clone, Debug, Default)]
pub(super) struct NameSet(Vec<Box<[u8]>>);

impl NameSet {
    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|known| known.as_ref().cmp(name))
    }

    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.find(name).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn insert(&mut self, name: &[u8]) {
        if let Err(at) = self.find(name) {
            if self.0.is_empty() {
                self.0.reserve_exact(1);
            }
            self.0.insert(at, name.into());
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        if let Ok(at) = self.find(name) {
            self.0.remove(at);
        }
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }

    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        !self.iter().any(|name| other.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_there_once_and_in_order() {
        let mut names = NameSet::default();
        for name in ["#b", "#a", "#c", "#a"] {
            names.insert(name.as_bytes());
        }
        assert_eq!(
            (names.len(), names.iter().collect::<Vec<_>>()),
            (3, vec![&b"#a"[..], b"#b", b"#c"])
        );
        names.remove(b"#b");
        names.remove(b"#x");
        assert!(names.contains(b"#a") && !names.contains(b"#b"));
        let mut other = NameSet::default();
        other.insert(b"#b");
        assert!(names.is_disjoint(&other));
        other.insert(b"#c");
        assert!(!names.is_disjoint(&other));
        other.remove(b"#b");
        other.remove(b"#c");
        assert_eq!((other.len(), other.0.capacity()), (0, 0));
    }
}
