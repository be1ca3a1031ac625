//! Blocks under test, in rust-hdl's simulator and, all at once, in Verilator.

use super::generator::Random;
use super::verilator;
use hdl::emit::{Direction, Emitted, emit};
use num_bigint::BigUint;
use rust_hdl_core::direction::Direction as SignalDirection;
use rust_hdl_core::prelude::*;

/// Cycles that every block runs for.
pub const VECTORS: usize = 4096;

/// A value that travels between the two simulators as a number.
pub trait Value: Synth {
    /// From the low bits of `number`.
    fn from_number(number: BigUint) -> Self;
    /// As a number below `2^BITS`.
    fn to_number(self) -> BigUint;
}

impl<const N: usize> Value for Bits<N> {
    fn from_number(number: BigUint) -> Self {
        number.into()
    }
    fn to_number(self) -> BigUint {
        self.into()
    }
}

impl<const N: usize> Value for Signed<N> {
    fn from_number(number: BigUint) -> Self {
        // Never the most negative value: `signed_bit_cast` does not return from it.
        let lowest = BigUint::from(1u8) << (N - 1);
        let number = if number == lowest { lowest + 1u8 } else { number };
        signed_cast(Bits::<N>::from(number))
    }
    fn to_number(self) -> BigUint {
        unsigned_cast(self).into()
    }
}

impl Value for bool {
    fn from_number(number: BigUint) -> Self {
        number.bits() > 0
    }
    fn to_number(self) -> BigUint {
        BigUint::from(self)
    }
}

/// Takes the type of a signal's value from the signal.
pub fn drive<T: Value>(signal: &mut Signal<In, T>, number: BigUint) -> BigUint {
    signal.next = T::from_number(number);
    signal.next.to_number()
}

/// Width of a signal.
pub fn width<D: SignalDirection, T: Synth>(_: &Signal<D, T>) -> usize {
    T::BITS
}

/// A block whose inputs, but for `clock`, can be driven and whose outputs can be read.
pub trait Subject: Block {
    /// What it is called in messages.
    const NAME: &'static str;
    /// A new one, unconnected.
    fn create() -> Self;
    /// Drives all inputs from `source`, which is given widths; returns what was driven, in order.
    fn drive(&mut self, source: &mut dyn FnMut(usize) -> BigUint) -> Vec<BigUint>;
    /// Sets the clock, if there is one.
    fn set_clock(&mut self, level: bool);
    /// All outputs in order.
    fn read(&self) -> Vec<BigUint>;
}

/// Implements [`Subject`] for a block: inputs, outputs and, where it has them, its clock and how to make one.
macro_rules! subject {
    ($block:ty, [$($input:ident),*], [$($output:ident),*]) => {
        subject!(@impl $block, [$($input),*], [$($output),*], (), Default::default());
    };
    ($block:ty, clocked, [$($input:ident),*], [$($output:ident),*]) => {
        subject!(@impl $block, [$($input),*], [$($output),*], (clock), Default::default());
    };
    ($block:ty, clocked, [$($input:ident),*], [$($output:ident),*], $new:expr) => {
        subject!(@impl $block, [$($input),*], [$($output),*], (clock), $new);
    };
    (@impl $block:ty, [$($input:ident),*], [$($output:ident),*], ($($clock:ident)?), $new:expr) => {
        impl $crate::subject::Subject for $block {
            const NAME: &'static str = stringify!($block);
            fn create() -> Self {
                $new
            }
            fn drive(
                &mut self,
                source: &mut dyn FnMut(usize) -> num_bigint::BigUint,
            ) -> Vec<num_bigint::BigUint> {
                vec![$({
                    let bits = $crate::subject::width(&self.$input);
                    $crate::subject::drive(&mut self.$input, source(bits))
                }),*]
            }
            fn set_clock(&mut self, _level: bool) {
                $(self.$clock.next = _level.into();)?
            }
            fn read(&self) -> Vec<num_bigint::BigUint> {
                vec![$($crate::subject::Value::to_number(self.$output.val())),*]
            }
        }
    };
}
pub(crate) use subject;

/// A random number with corners: all zeros, all ones, one bit, and small values are frequent.
fn stimulus(random: &mut Random, width: usize) -> BigUint {
    let all = (BigUint::from(1u8) << width) - 1u8;
    let any = (0..width.div_ceil(64)).fold(BigUint::default(), |n, _| (n << 64) + random.next());
    let value = match random.below(8) {
        0 => BigUint::default(),
        1 => all.clone(),
        2 => BigUint::from(1u8) << random.below(width),
        3 => BigUint::from(random.below(4)),
        _ => any,
    };
    value & all
}

/// One block with what it was given and what the simulator made of it.
#[derive(Clone)]
pub struct Run {
    /// Type name of the block.
    pub name: String,
    /// Its Verilog.
    pub emitted: Emitted,
    /// Per cycle, the inputs in port order.
    pub inputs: Vec<Vec<BigUint>>,
    /// Per cycle, the outputs in port order.
    pub outputs: Vec<Vec<BigUint>>,
}

/// Collects runs, then compares all of them in one verilated model.
pub struct Bench {
    /// Decides all stimuli.
    pub seed: u64,
    /// Blocks so far.
    pub runs: Vec<Run>,
    /// Whether a warning of Verilator fails the test.
    pub lint: bool,
}

impl Bench {
    /// An empty bench; `EMISSION_SEED` overrides the seed.
    pub fn new() -> Bench {
        let given = std::env::var("EMISSION_SEED").ok().map(|s| s.parse().expect("EMISSION_SEED is a number"));
        let seed = given.unwrap_or(20_260_101);
        println!("EMISSION_SEED={seed}");
        Bench { seed, runs: vec![], lint: true }
    }

    /// Runs a block in rust-hdl's simulator and prints it.
    pub fn add<S: Subject>(&mut self) {
        let emitted = emit(&mut S::create(), &format!("case_{}", self.runs.len()))
            .unwrap_or_else(|error| panic!("{}: {error}", S::NAME));
        let mut block = Box::new(S::create());
        block.connect_all();
        let mut random = Random(self.seed ^ self.runs.len() as u64);
        let settle = |block: &mut Box<S>| {
            assert!(simulate(block.as_mut(), 200), "{} does not settle", S::NAME);
        };
        let (mut inputs, mut outputs) = (vec![], vec![]);
        for _ in 0..VECTORS {
            inputs.push(block.drive(&mut |width| stimulus(&mut random, width)));
            block.set_clock(false);
            settle(&mut block);
            outputs.push(block.read());
            block.set_clock(true);
            settle(&mut block);
        }
        self.runs.push(Run { name: S::NAME.to_string(), emitted, inputs, outputs });
    }

    /// Per run, the number of cycles in which any output differs in Verilator, and the number compared.
    pub fn compare(&self) -> Vec<(usize, usize)> {
        verilator::outputs(&self.runs, self.lint)
            .into_iter()
            .zip(&self.runs)
            .map(|(found, run)| {
                assert_eq!(found.len(), run.outputs.len(), "{}: cycles", run.name);
                let wrong: Vec<usize> = (0..found.len()).filter(|at| found[*at] != run.outputs[*at]).collect();
                if let Some(first) = wrong.first() {
                    println!(
                        "{}: {} of {} cycles differ; cycle {first}:\n  inputs    {:x?}\n  rust-hdl  {:x?}\n  verilator {:x?}",
                        run.name,
                        wrong.len(),
                        found.len(),
                        run.inputs[*first],
                        run.outputs[*first],
                        found[*first]
                    );
                }
                (wrong.len(), found.len())
            })
            .collect()
    }
}

/// Ports of a run but for its clock, in port order.
pub fn ports(run: &Run, direction: Direction) -> Vec<(&str, usize)> {
    run.emitted
        .ports
        .iter()
        .filter(|p| p.direction == direction && p.name != "clock")
        .map(|p| (p.name.as_str(), p.width))
        .collect()
}
