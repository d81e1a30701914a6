//! A revisioned key-value log: get, list, compare-and-set transactions, watch from a revision, compaction.
