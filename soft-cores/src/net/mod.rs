//! From the Ethernet frame to the transport decision.
//!
//! | module | does |
//! |---|---|
//! | [`ethernet`] | frames and their VLAN tags, apart and together |
//! | [`addresses`] | which addresses are this card's |
//! | [`tally`] | counters by cause |
//! | [`random`] | the seeded generator that delays are drawn from |

pub mod addresses;
pub mod ethernet;
pub mod random;
pub mod tally;

/// A point in time or a duration, in microseconds.
pub type Micros = u64;

/// One second.
pub const SECOND: Micros = 1_000_000;
