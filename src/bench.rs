//! `pointsman bench`: what the README quotes. Speeds are ratios within one run, so that the machine cancels out.

mod handwritten;

use std::time::Instant;

use ::cosim::bridge::{BridgeError, Digest, Inputs, Nic};
use ::cosim::card::{Card, Surroundings};
use ::cosim::measure::copies::{self, Direction};
use ::cosim::measure::messages::{self, Way};
use ::cosim::measure::registers;
use ::cosim::mutate::Mutator;
use ::cosim::reference::DispatchConfig;
use ::cosim::rig::RigError;
use ::cosim::source::Outgoing;
use abi::params::NicParams;
use clap::Args;
use serde::Serialize;

use crate::cosim::to_json;
use crate::failure::Failure;
use crate::output;

/// Options of `pointsman bench`.
#[derive(Args)]
pub struct Arguments {
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Minimum frames at the highest rate.
#[derive(Serialize)]
struct Sustained {
    preset: String,
    frames: u64,
    delivered: u64,
    beats: u64,
    /// Cycles from the first write into a processor's memory to the last, both included: `beats` if there is no bubble.
    cycles: u64,
    latency: u64,
    documented_latency: u64,
}

/// The bridge against a loop in C++ over the same model and stimulus.
#[derive(Serialize)]
struct Bridge {
    preset: String,
    tick: f64,
    cpp_loop: f64,
    ratio: f64,
}

/// DMA copies of 4 KiB.
#[derive(Serialize)]
struct Copies {
    preset: String,
    direction: String,
    /// Payload over what the TLP stream carries without headers; core to core, over what the memory port carries.
    ratio: f64,
}

/// Rounds of 64-byte messages from the host to a processor, with many under way: take a frame, fill it, post it, the processor sees it.
#[derive(Serialize)]
struct Messages {
    way: &'static str,
    cycles: f64,
    /// Beats of the TLP stream towards the card, the floor.
    beats: f64,
    /// Cycles in which the card did not take the beat that waited.
    stalls: f64,
}

/// Register reads, in cycles, and operations of the MFA queues per cycle.
#[derive(Serialize)]
struct Queues {
    preset: String,
    host_read: u64,
    core_read: u64,
    host_push: f64,
    host_pop: f64,
    core_push: f64,
    core_pop: f64,
}

/// Everything that is measured.
#[derive(Serialize)]
struct Figures {
    sustained: Vec<Sustained>,
    copies: Vec<Copies>,
    messages: Vec<Messages>,
    queues: Queues,
    bridge: Vec<Bridge>,
    emitted: Emitted,
}

/// The emitted classifier against a hand-written one.
#[derive(Serialize)]
struct Emitted {
    cycles_compared: u64,
    results_compared: u64,
    cycles_raced: u64,
    emitted: f64,
    hand_written: f64,
    ratio: f64,
}

/// Measures.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bar = output::progress(6, "measuring");
    let sustained = ["n4w64", "n16w512"].into_iter().map(sustained).collect::<Result<Vec<_>, _>>()?;
    bar.inc(1);
    let copies =
        ["n4w64", "n4w128", "n4w256", "n16w512"].into_iter().flat_map(|name| Direction::ALL.map(|to| copies(name, to)));
    let copies = copies.collect::<Result<Vec<_>, _>>()?;
    bar.inc(1);
    let messages = [("pull", Way::Pull), ("push", Way::Push)].map(|(name, way)| messages(name, way));
    let messages = messages.into_iter().collect::<Result<Vec<_>, _>>()?;
    bar.inc(1);
    let queues = queues("n4w64")?;
    bar.inc(1);
    let bridge = ["n4w64", "n16w512"].into_iter().map(bridge).collect::<Result<Vec<_>, _>>()?;
    bar.inc(1);
    let emitted = emitted()?;
    bar.finish_and_clear();
    let figures = Figures { sustained, copies, messages, queues, bridge, emitted };
    let text = if arguments.json { to_json(&figures) + "\n" } else { table(&figures) };
    output::print(&text);
    Ok(())
}

fn preset(name: &str) -> NicParams {
    name.parse().expect("a preset")
}

/// A UDP datagram of 60 bytes from a flow of its own.
fn minimum_frame(flow: u16) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0]);
    frame.extend(flow.to_be_bytes());
    frame.extend([10, 9, 9, 9]);
    frame.extend(flow.wrapping_mul(40503).to_be_bytes());
    frame.resize(60, 0);
    frame
}

fn sustained(name: &str) -> Result<Sustained, Failure> {
    const FRAMES: u16 = 2_000;
    let params = preset(name);
    let config = DispatchConfig::reset(params.processors() as u8);
    let mut card = Card::new(params, &config, &Surroundings { buffers: 250, ..Surroundings::default() })?;
    (0..FRAMES).for_each(|flow| card.send(Outgoing { index: flow.into(), bytes: minimum_frame(flow), bad: false }));
    let (mut delivered, mut first_beat, mut writes) = (0, 0, None);
    while !card.quiet() {
        let cycle = card.cycles();
        let events = card.cycle()?;
        if events.started == Some(0) {
            first_beat = cycle;
        }
        if events.wrote {
            let (first, _) = writes.unwrap_or((cycle, cycle));
            writes = Some((first, cycle));
        }
        delivered += events.received.len() as u64;
    }
    let (first, last) = writes.unwrap_or_default();
    Ok(Sustained {
        preset: name.to_string(),
        frames: FRAMES.into(),
        delivered,
        beats: u64::from(FRAMES) * 60usize.div_ceil(params.beat_bytes()) as u64,
        cycles: last + 1 - first,
        latency: first - first_beat,
        documented_latency: hdl::nic::latency(params) as u64,
    })
}

fn copies(name: &str, direction: Direction) -> Result<Copies, Failure> {
    let ratio = copies::throughput(preset(name), direction)?;
    Ok(Copies { preset: name.to_string(), direction: direction.to_string(), ratio })
}

fn messages(name: &'static str, way: Way) -> Result<Messages, Failure> {
    let messages::Rounds { cycles, beats, stalls, .. } = messages::inbound_rounds(preset("n4w64"), way, 2_000)?;
    Ok(Messages { way: name, cycles, beats, stalls })
}

fn queues(name: &str) -> Result<Queues, Failure> {
    let registers::Latency { host, core } = registers::read_latency(preset(name))?;
    let registers::Rates { host_push, host_pop, core_push, core_pop } = registers::queue_rates(preset(name))?;
    Ok(Queues { preset: name.to_string(), host_read: host, core_read: core, host_push, host_pop, core_push, core_pop })
}

/// Rounds of each contestant, alternating; the median counts.
const ROUNDS: usize = 31;

fn bridge(name: &str) -> Result<Bridge, Failure> {
    const CYCLES: u64 = 60_000;
    // Set-up included, so that the replayed card is configured and has buffers.
    let params = preset(name);
    let config = DispatchConfig::reset(params.processors() as u8);
    let mut card = Card::new(params, &config, &Surroundings::default())?;
    let frames = Mutator::new(1).take(400);
    frames.enumerate().for_each(|(index, bytes)| card.send(Outgoing { index, bytes, bad: false }));
    let mut stimulus: Vec<Inputs> = vec![Inputs { reset: true, ..Inputs::default() }; abi::limits::RESET_CYCLES];
    while !card.quiet() {
        card.cycle()?;
        stimulus.push(*card.inputs());
    }

    let (mut ticks, mut loops) = (Vec::new(), Vec::new());
    let timed = |go: &dyn Fn(&mut Nic) -> Result<Digest, BridgeError>| {
        let mut nic = Nic::new(name)?;
        let start = Instant::now();
        let digest = go(&mut nic)?;
        Ok::<_, BridgeError>((CYCLES as f64 / start.elapsed().as_secs_f64(), digest))
    };
    let tick = || timed(&|nic| nic.play(&stimulus, CYCLES));
    let cpp_loop = || timed(&|nic| nic.replay(&stimulus, CYCLES));
    for round in 0..ROUNDS {
        // Who goes first changes, lest a warm cache favour one.
        let both = if round % 2 == 0 {
            tick().and_then(|t| Ok((t, cpp_loop()?)))
        } else {
            cpp_loop().and_then(|l| Ok((tick()?, l)))
        };
        let (ticked, looped) = both.map_err(|e| Failure::Card(RigError::from(e).into()))?;
        if ticked.1 != looped.1 {
            return Err(Failure::Check(format!("{name}: the bridge and the loop in C++ saw different outputs")));
        }
        ticks.push(ticked.0);
        loops.push(looped.0);
    }
    let ratio = median(ticks.iter().zip(&loops).map(|(t, l)| t / l).collect());
    Ok(Bridge { preset: name.to_string(), tick: median(ticks), cpp_loop: median(loops), ratio })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn emitted() -> Result<Emitted, Failure> {
    let work = tempfile::tempdir().map_err(|e| Failure::Tool(format!("no temporary folder: {e}")))?;
    let verilog = hdl::nic::emit_classifier(preset("n4w64"))?.verilog;
    let stimulus = handwritten::stimulus(Mutator::new(1).take(2_000), 1);
    let compared =
        handwritten::compare(work.path(), &verilog, handwritten::HAND_WRITTEN, &stimulus).map_err(Failure::Check)?;
    let race = handwritten::race(work.path(), &verilog, &stimulus).map_err(Failure::Tool)?;
    let handwritten::Compared { cycles: cycles_compared, results: results_compared } = compared;
    let handwritten::Race { emitted, hand_written, ratio, cycles: cycles_raced } = race;
    Ok(Emitted { cycles_compared, results_compared, cycles_raced, emitted, hand_written, ratio })
}

fn table(figures: &Figures) -> String {
    let mut text = String::from("minimum frames back to back\n");
    for s in &figures.sustained {
        text += &format!(
            "  {:<9} {} of {} frames delivered; {} beats written in {} cycles ({:.3}); latency {} cycles, documented {}\n",
            s.preset,
            s.delivered,
            s.frames,
            s.beats,
            s.cycles,
            s.beats as f64 / s.cycles as f64,
            s.latency,
            s.documented_latency
        );
    }
    text += "DMA of 4 KiB, host 500 ns away: payload over the limit of stream or memory port (aim 0.95)\n";
    for c in figures.copies.chunks(Direction::ALL.len()) {
        let ratios: Vec<String> = c.iter().map(|c| format!("{} {:.3}", c.direction, c.ratio)).collect();
        text += &format!("  {:<9} {}\n", c[0].preset, ratios.join("; "));
    }
    text += "64-byte messages from the host to a processor, many under way (aim 16 cycles)\n";
    for m in &figures.messages {
        text += &format!(
            "  {:<9} {:.2} cycles a round: {:.2} beats of the stream to the card, {:.2} stalls\n",
            m.way, m.cycles, m.beats, m.stalls
        );
    }
    let q = &figures.queues;
    text += "registers and MFA queues (aim one operation a cycle)\n";
    text += &format!(
        "  {:<9} a register read takes the host {} cycles, a processor {}\n",
        q.preset, q.host_read, q.core_read
    );
    text += &format!(
        "  {:<9} operations per cycle: host pushes {:.3}, pops {:.3}; processors push {:.3}, pop {:.3}\n",
        "", q.host_push, q.host_pop, q.core_push, q.core_pop
    );
    text += "bridge, one tick a cycle, against a loop in C++ (aim 0.95)\n";
    for b in &figures.bridge {
        text += &format!("  {:<9} {:.3}  ({:.0} and {:.0} cycles/s)\n", b.preset, b.ratio, b.tick, b.cpp_loop);
    }
    let e = &figures.emitted;
    text += &format!(
        "emitted classifier against a hand-written one, in Verilator (aim 0.9)\n  n4w64     {:.3}  ({:.0} and {:.0} cycles/s; equal in {} cycles)\n",
        e.ratio, e.emitted, e.hand_written, e.cycles_compared
    );
    text
}
