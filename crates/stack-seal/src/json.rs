//! JSON from strangers: what must hold before a typed parser sees it.
//!
//! Two readers of one JSON text must never see two documents. Where a field is duplicated, some readers take the first
//! and some the last; so no field may stand twice, anywhere, not even where nobody looks.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A field of one object stands twice.
    Duplicate,
    /// Arrays and objects are nested too deeply.
    TooDeep,
    /// It is no JSON, or something follows it.
    Syntax,
}

/// Checks a text: JSON without a byte order mark, nothing after it, no field twice, at most [`DEPTH_MAX`] levels.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Fault> {
    let fault = Cell::new(Fault::Syntax);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let walked = Value { depth: 0, fault: &fault }.deserialize(&mut deserializer);
    walked.and_then(|()| deserializer.end()).map_err(|_| fault.get())
}

/// Walks a value and forgets it. What is wrong is left in `fault`, because errors of the parser are only text.
#[derive(Clone, Copy)]
struct Value<'a> {
    depth: usize,
    fault: &'a Cell<Fault>,
}

impl Value<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            self.fault.set(Fault::TooDeep);
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut seen = HashSet::new();
        while let Some(field) = fields.next_key::<String>()? {
            if !seen.insert(field) {
                self.fault.set(Fault::Duplicate);
                return Err(A::Error::custom("a field is duplicated"));
            }
            fields.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// Levels of arrays and objects in each other. Statements have eight.
pub(crate) const DEPTH_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_without_surprises_passes() {
        for text in ["{}", " [1, -2, 0.5, \"x\", true, null] \n", r#"{"a": {"a": [{"a": 1}, {"a": 2}]}}"#] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn no_field_stands_twice_anywhere() {
        for text in
            [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "c": 2, "a": 3}}]"#, "{\"a\": 1, \"\\u0061\": 2}"]
        {
            assert_eq!(check(text.as_bytes()), Err(Fault::Duplicate), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| [&"[".repeat(depth)[..], &"]".repeat(depth)].concat();
        assert_eq!(check(nested(DEPTH_MAX).as_bytes()), Ok(()));
        assert_eq!(check(nested(DEPTH_MAX + 1).as_bytes()), Err(Fault::TooDeep));
        assert_eq!(check("[".repeat(1 << 20).as_bytes()), Err(Fault::TooDeep));
    }

    #[test]
    fn other_bytes_are_refused() {
        let trailing: &[&[u8]] =
            &[b"", b"{}x", b"{} {}", b"\xEF\xBB\xBF{}", b"{'a': 1}", b"\"\xFF\"", b"{\"a\"}"];
        for bytes in trailing {
            assert_eq!(check(bytes), Err(Fault::Syntax), "{}", bytes.escape_ascii());
        }
    }
}
