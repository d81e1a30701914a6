//! The Kubernetes API as data: the table of kinds, object metadata, `Status`, selectors, quantities, columns.
