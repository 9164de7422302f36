//! The data of the records of a set, in one piece of memory: [`Records`].

/// Data, each behind its length in two bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records(Box<[u8]>);

impl Records {
    /// From data that are at most 65,535 bytes each.
    pub(super) fn new<'a>(data: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut bytes = Vec::new();
        for data in data {
            bytes.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(data);
        }
        Self(bytes.into())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (len, after) = rest.split_first_chunk::<2>()?;
            let (data, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
            rest = after;
            Some(data)
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn first(&self) -> Option<&[u8]> {
        self.iter().next()
    }
}
