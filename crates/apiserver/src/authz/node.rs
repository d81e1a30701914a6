//! The Node authorizer.
