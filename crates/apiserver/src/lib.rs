//! The request pipeline and watch cache, served as a `tower::Service<http::Request>`.

pub mod strategy;
