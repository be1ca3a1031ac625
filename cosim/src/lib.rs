//! Cycle-accurate cosimulation of the Pointsman card.
//!
//! The verilated gateware stands in [`bridge`]; around it the network ([`source`]), the processors ([`processor`]) and the host's
//! registers, all in one clock ([`card`]). [`replay`] sends frames through and holds the card against [`mod@reference`], a model that shares
//! no code with the gateware; [`verify`] does so with golden [`vectors`]. [`capture`] reads frames from files, [`mutate`] spoils them.
//! [`system`] has net kernels on the processors ([`native`], [`programs`]), [`clients`] beyond a [`link`], and a host.
//! [`host`] is the host's socket module and its applications.

pub mod bridge;
pub mod capture;
pub mod card;
pub mod clients;
pub mod core_memory;
pub mod cores;
pub mod dma_traffic;
pub mod fiber;
pub mod host;
pub mod link;
pub mod measure;
pub mod memory;
pub mod mutate;
pub mod native;
pub mod processor;
pub mod programs;
pub mod queue_traffic;
pub mod record;
pub mod reference;
pub mod register_port;
pub mod replay;
pub mod report;
pub mod rig;
pub mod root_complex;
pub mod scenario;
pub mod scoreboard;
pub mod sink;
pub mod source;
pub mod system;
pub mod tlp;
pub mod vectors;
pub mod verify;
pub mod watch;

/// The card's clock in hertz, as on the first board.
pub const CLOCK_HZ: u64 = 125_000_000;
