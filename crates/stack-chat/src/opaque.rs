//! What a provider wants back unchanged and nobody else can read.

use std::fmt;

/// Bytes that belong to a part of an answer and that its provider wants to see again: the signature of a thought, an
/// encrypted thought, the state behind a tool call.
///
/// They are never parsed, trimmed, reordered or logged, and return to the origin that they came from alone: another
/// provider refuses them, and the same provider refuses a conversation that has lost them.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque {
    /// Who can read them.
    pub origin: Origin,
    /// The word by which their interface tells them from others.
    pub kind: String,
    /// The bytes, as the text that they travel as.
    pub data: String,
}

/// Who wrote an [`Opaque`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The provider, by its configured name.
    pub provider: String,
    /// The interface that it was asked through.
    pub family: String,
}

/// The data are nobody's to read, a log's least of all.
impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opaque")
            .field("origin", &self.origin)
            .field("kind", &self.kind)
            .field("bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_not_shown() {
        let origin = Origin { provider: "p".into(), family: "f".into() };
        let opaque = Opaque { origin, kind: "signature".into(), data: "c2VjcmV0".into() };
        let shown = format!("{opaque:?}");
        assert!(shown.contains("signature") && !shown.contains("c2VjcmV0"), "{shown}");
    }
}
