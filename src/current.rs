//! A value that is replaced while others use it, such as a secret whose file has changed.
//!
//! Owns that nobody sees half of it, and that whoever has begun with the old one may end with it. Must not
//! know what it holds.

use std::sync::{Arc, PoisonError, RwLock};

/// The value as it is now. Clones share it. No `Debug`: it may hold a secret.
pub struct Current<T>(Arc<RwLock<Arc<T>>>);

impl<T> Current<T> {
    /// Begins with this one.
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// The one in force.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place.
    pub fn replace(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_begun_with_the_old_one_may_end_with_it() {
        let current = Current::new("old");
        let (clone, begun) = (current.clone(), current.get());
        current.replace("new");
        assert_eq!((*begun, *current.get(), *clone.get()), ("old", "new", "new"));
    }
}
