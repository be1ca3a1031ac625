//! The host's socket module and the processors' joined: applications, on message frames and copies of a model card, over a model
//! network. What is promised in ¶67 and ¶69 between host and processors.

#[path = "../../../soft-cores/tests/ism/bench.rs"]
mod bench;
#[allow(dead_code, reason = "several test crates use it, none all of it")]
#[path = "../../../soft-cores/tests/ism/network.rs"]
mod network;

mod ends;
mod peer;
mod serving;
mod system;

/// Seeds of a random test: so many, or the one in POINTSMAN_SEED. Tests name the seed when they fail.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("POINTSMAN_SEED") {
        Ok(seed) => vec![seed.parse().expect("POINTSMAN_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}
