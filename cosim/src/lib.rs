//! Cosim.

pub mod capture;
pub mod mutate;
pub mod reference;
pub mod vectors;
