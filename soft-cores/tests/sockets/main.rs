//! The sockets of the stack as the socket module sees them (¶69), between the stacks of a card and hosts that are not ours, with
//! buffers in a memory that forgives nothing.

#[allow(dead_code, reason = "two test crates use it, neither all of it")]
#[path = "../ism/bench.rs"]
mod bench;
mod datagrams;
mod endings;
#[allow(dead_code, reason = "two test crates use it, neither all of it")]
#[path = "../stack/host.rs"]
mod host;
mod limits;
mod module;
mod options;
mod rig;
mod streams;
#[allow(dead_code, reason = "two test crates use it, neither all of it")]
#[path = "../stack/world.rs"]
mod world;
