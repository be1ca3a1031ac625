//! Cosim.

pub mod capture;
pub mod reference;
pub mod vectors;
