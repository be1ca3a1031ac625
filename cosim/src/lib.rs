//! Cosim.

pub mod capture;
pub mod reference;
