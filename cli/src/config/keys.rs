//! The keys of a table, from the struct that it is read into: [`keys_of`].

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// The names of the fields of a struct, as serde knows them. Empty for types that are no structs.
pub(crate) fn keys_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(Asker) {
        Ok(_) => &[],
        Err(Fields(names)) => names,
    }
}

/// Stands for a document, and answers the question for a struct with the names of its fields, as an error.
struct Asker;

#[derive(Debug)]
struct Fields(&'static [&'static str]);

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Fields {}

impl de::Error for Fields {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for Asker {
    type Error = Fields;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fields> {
        Err(Fields(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fields> {
        Err(Fields(fields))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Limits, LogOptions};

    #[test]
    fn names_of_fields() {
        assert_eq!(keys_of::<Limits>(), ["max_connections", "max_per_ip", "idle_timeout"]);
        assert_eq!(keys_of::<LogOptions>(), ["level", "format", "file", "max_size", "keep"]);
        assert!(keys_of::<u8>().is_empty());
    }
}
