//! A way to end what waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says to those who wait that nobody wants the result any more. Clones are handles of the same one.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    own: Arc<AtomicBool>,
    parent: Option<Arc<AtomicBool>>,
}

impl Cancel {
    /// Ends what waits on this one and on its children.
    pub fn cancel(&self) {
        self.own.store(true, Ordering::Release);
    }

    /// Whether it was ended.
    pub fn is_cancelled(&self) -> bool {
        self.own.load(Ordering::Acquire)
            || self.parent.as_ref().is_some_and(|parent| parent.load(Ordering::Acquire))
    }

    /// Makes one that ends with this one, or before. Children have no children of their own.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { own: Arc::default(), parent: Some(Arc::clone(&self.own)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_end_with_their_parent_and_not_the_other_way() {
        let parent = Cancel::default();
        let (one, other) = (parent.child(), parent.child());
        one.cancel();
        assert_eq!([&parent, &one, &other].map(Cancel::is_cancelled), [false, true, false]);
        parent.cancel();
        assert!(other.is_cancelled());
    }
}
