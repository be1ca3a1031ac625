//! Long random runs of everything that takes bytes from outside, each held against laws that must never break.
//!
//! | target | takes |
//! |---|---|
//! | `ip_input` | frames, at the network port |
//! | `stacks` | frames, answers to what was sent, and messages of processors, at two whole stacks with applications |
//! | `reassembly` | fragments, beside a model |
//! | `messages` | socket messages, at their decoders |
//! | `socket_module` | socket messages, at the socket modules on a model of card and network |
//!
//! A case is a list of steps; the seed and the case's number decide it. A case that breaks a law is made as short as it stays
//! wrong, and printed. `cargo test` runs so many cases; `make fuzz` runs for so many seconds.
//!
//! | variable | means |
//! |---|---|
//! | `POINTSMAN_FUZZ_SECONDS` | run for so long |
//! | `POINTSMAN_SEED` | another seed |
//! | `POINTSMAN_FUZZ_CASE` | this case alone |
//! | `POINTSMAN_FUZZ_CAPTURE` | frames of this capture too |

#[allow(dead_code, reason = "three test crates use it, none all of it")]
#[path = "../ism/bench.rs"]
mod bench;
#[allow(dead_code, reason = "three test crates use it, none all of it")]
#[path = "../ism/hand.rs"]
mod hand;
#[allow(dead_code, reason = "three test crates use it, none all of it")]
#[path = "../ism/network.rs"]
mod network;

mod bytes;
mod corpus;
mod draw;
mod engine;
mod ip_input;
mod messages;
mod outgoing;
mod reassembly;
mod socket_module;
mod stacks;

#[test]
fn ip_input_keeps_its_laws() {
    engine::fuzz::<ip_input::Target>();
}

#[test]
fn stacks_keep_their_laws() {
    engine::fuzz::<stacks::Target>();
}

#[test]
fn reassembly_does_as_its_model() {
    engine::fuzz::<reassembly::Target>();
}

#[test]
fn messages_that_are_read_are_what_would_be_written() {
    engine::fuzz::<messages::Target>();
}

#[test]
fn the_socket_module_answers_every_message_once() {
    engine::fuzz::<socket_module::Target>();
}
