//! A table in memory that can undo what was written to it since a mark.

use core::ops::Bound::{Excluded, Unbounded};
use std::collections::BTreeMap;

use super::{MISUSE, StoreError};

/// Rows by key, and what each write since the transaction's beginning replaced.
#[derive(Debug, Clone)]
pub(super) struct Table<K, V> {
    pub(super) rows: BTreeMap<K, V>,
    replaced: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), replaced: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    /// Rows in order of their keys, past `key` or from the beginning.
    pub(super) fn after<'a>(
        &'a self,
        key: Option<&K>,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
        self.rows.range((key.map_or(Unbounded, Excluded), Unbounded))
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        let before = self.rows.insert(key.clone(), value);
        self.replaced.push((key, before));
    }

    pub(super) fn remove(&mut self, key: K) {
        let before = self.rows.remove(&key);
        self.replaced.push((key, before));
    }

    pub(super) fn change(
        &mut self,
        key: &K,
        change: impl FnOnce(&mut V),
    ) -> Result<(), StoreError> {
        let row = self.rows.get_mut(key).ok_or(MISUSE)?;
        self.replaced.push((key.clone(), Some(row.clone())));
        change(row);
        Ok(())
    }
}

/// The part of a table that a transaction deals with.
pub(super) trait Journaled {
    fn mark(&self) -> usize;
    fn undo_to(&mut self, mark: usize);
    fn keep(&mut self);
}

impl<K: Ord, V> Journaled for Table<K, V> {
    fn mark(&self) -> usize {
        self.replaced.len()
    }

    fn undo_to(&mut self, mark: usize) {
        while self.replaced.len() > mark {
            match self.replaced.pop() {
                Some((key, Some(before))) => drop(self.rows.insert(key, before)),
                Some((key, None)) => drop(self.rows.remove(&key)),
                None => return,
            }
        }
    }

    fn keep(&mut self) {
        self.replaced.clear();
    }
}
