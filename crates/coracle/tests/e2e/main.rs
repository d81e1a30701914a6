//! The real binary, as its users run it: own data directory, own ports, real kubectl.

mod api;
mod cluster;
mod lifecycle;
mod workloads;
