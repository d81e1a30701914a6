//! The scheduler: queue, filter, score, bind.
