//! The host's computer on the verilated card: driver, socket module and applications, whose messages go through the card's queues and its
//! DMA to the socket modules of native processors. Below those is a model network, the same that the modules are tested on.

mod bench;
#[allow(dead_code, reason = "several test crates use it, none all of it")]
#[path = "../../../soft-cores/tests/ism/network.rs"]
mod network;
#[path = "../sockets/peer.rs"]
mod peer;

mod ends;
mod errors;
mod serving;
mod world;

/// Seeds of a random test: so many, or the one in POINTSMAN_SEED. Tests name the seed when they fail.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("POINTSMAN_SEED") {
        Ok(seed) => vec![seed.parse().expect("POINTSMAN_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}
