//! Cosim.

pub mod reference;
