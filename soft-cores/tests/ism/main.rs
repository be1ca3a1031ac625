//! The socket module on a card, a network and a host that are all models: what is promised in ¶67 and ¶69, as far as it is the
//! processor's.

#[allow(dead_code, reason = "three test crates use it, none all of it")]
mod bench;
mod copying;
mod datagrams;
mod hand;
mod hostile;
mod network;
mod streams;

/// Seeds of a random test: so many, or the one in POINTSMAN_SEED. Tests name the seed when they fail.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("POINTSMAN_SEED") {
        Ok(seed) => vec![seed.parse().expect("POINTSMAN_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}
