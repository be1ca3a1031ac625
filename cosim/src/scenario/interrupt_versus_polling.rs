//! ¶66: protocol work at interrupt level, in order to minimize context switching; and polling of the Ethernet MAC, in place of interrupts.
//! The same pings at two loads, with kernels that work in three ways.

use std::net::IpAddr;

use soft_cores::kernel::interrupt::{Mode, Place, Policy, Source};

use super::echo::Echoes;
use super::{Failed, Play, Scenario, Setting, Stage, Table};
use crate::clients::CYCLES_PER_MICRO;
use crate::clients::ping::PingScript;
use crate::clients::station::{SharedStation, Station};
use crate::programs::{CARD_IPV4, neighbour};
use crate::record::Distribution;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "interrupt-versus-polling",
    about: "The same pings at low and at high load, answered at interrupt level, in a thread, and by polling: context switches, interrupts and latency compared.",
    takes_mode: false,
    run,
};

const STATIONS: u16 = 16;
/// Bytes of a ping behind its header.
const PAYLOAD: usize = 56;
/// Cycles in which all is over.
const LIMIT: u64 = 1_000_000;

/// Pings of each station, microseconds between them, and how long the last answers may take.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    count: u16,
    interval: u64,
    patience: u64,
}

/// In which everybody learns everybody's address: each of 16 questions goes to all processors, some 1,000 cycles each, before the pings.
const INTRODUCTION: Load = Load { name: "introduction", count: 1, interval: 16, patience: 300 };

/// A ping takes a processor some 1,000 cycles, or 8 us, and each of four processors answers 4 stations: a sixth of its time, and half as
/// much again as it has.
const LOADS: [Load; 2] = [
    Load { name: "low load", count: 4, interval: 200, patience: 100 },
    Load { name: "high load", count: 16, interval: 20, patience: 500 },
];

/// A way to work.
struct Way {
    name: &'static str,
    policy: Policy,
}

const BUDGET: u32 = 16;
const WAYS: [Way; 3] = [
    Way { name: "interrupt level", policy: Policy { mode: Mode::Interrupt, place: Place::Interrupt, budget: BUDGET } },
    Way { name: "thread", policy: Policy { mode: Mode::Interrupt, place: Place::Thread, budget: BUDGET } },
    Way { name: "polling", policy: Policy { mode: Mode::Poll, place: Place::Interrupt, budget: BUDGET } },
];

/// How it went, all processors together.
struct Measured {
    pings: u64,
    interrupts: u64,
    switches: u64,
    /// Looks at the MAC, and those of them that found nothing.
    rounds: u64,
    empty: u64,
    /// Percent of the cycles in which a processor did not wait.
    busy: u64,
    latency: Distribution,
}

fn run(stage: &mut Stage) -> Result<(), Failed> {
    let columns = [
        "load",
        "way",
        "pings answered",
        "interrupts",
        "context switches",
        "looks at the MAC",
        "of these in vain",
        "processors' load %",
        "latency, median (cycles)",
        "latency, 99 of 100",
        "latency, most",
    ];
    let mut table = Table::new("Compared", columns);
    for load in LOADS {
        let mut measured = Vec::new();
        for way in &WAYS {
            let one = play(stage, load, way)?;
            let (median, most, worst) = (one.latency.at(500), one.latency.at(990), one.latency.most());
            let Measured { pings, interrupts, switches, rounds, empty, busy, .. } = one;
            stage.say(format_args!(
                "{:<9}  {:<15}  {pings} pings, {interrupts:>4} interrupts, {switches:>4} context switches, load {busy:>3} %, \
                 latency {median} cycles (median), {worst} (most)",
                load.name, way.name
            ));
            table.row([
                &load.name,
                &way.name,
                &pings,
                &interrupts,
                &switches,
                &rounds,
                &empty,
                &busy,
                &median,
                &most,
                &worst,
            ]);
            measured.push(one);
        }
        let [interrupt, thread, polling] = &measured[..] else { continue };
        stage.check(
            interrupt.switches == 0 && thread.switches >= 2,
            format_args!("at {}, work at interrupt level switches no context, in a thread it does (66.7)", load.name),
        )?;
        stage.check(
            polling.switches == 0 && polling.rounds > 0 && polling.busy > interrupt.busy,
            format_args!(
                "at {}, polling switches no context either, and takes all of a processor's time (66.8)",
                load.name
            ),
        )?;
    }
    stage.say("interrupts of a kernel that polls are its timer's: it looks while it works, too");
    stage.compare(table);
    Ok(())
}

/// What kernels have counted: interrupts, context switches, looks at the MAC, those in vain.
fn counted(play: &mut Play) -> Result<[u64; 4], Failed> {
    let of_one = play.look_at_all(|net| {
        let (counters, served) = (net.kernel().counters(), net.kernel().served(Source::Mac));
        [counters.interrupts, counters.context_switches, served.rounds, served.empty]
    })?;
    Ok(of_one.iter().fold([0; 4], |sum, one| std::array::from_fn(|k| sum[k] + one[k])))
}

/// Has every station ping, one after the other, and waits for all.
fn ping(play: &mut Play, stations: &[SharedStation], load: Load) -> Result<(), Failed> {
    let Load { count, interval, patience, .. } = load;
    let start = play.cycles() / CYCLES_PER_MICRO + 40;
    for (number, station) in stations.iter().enumerate() {
        let start = start + interval * number as u64 / u64::from(STATIONS);
        let target = IpAddr::V4(CARD_IPV4);
        station.borrow_mut().ping(PingScript { target, count, payload: PAYLOAD, start, interval, patience });
        play.system.wake_client(number);
    }
    play.run_until(LIMIT, |_| stations.iter().all(|station| station.borrow().is_done()))
}

fn play(stage: &mut Stage, load: Load, way: &Way) -> Result<Measured, Failed> {
    let title = format!("{}, {}", load.name, way.name);
    let mut play = stage.open(&title, Setting { policy: Some(way.policy), ..Setting::default() })?;
    let seed = stage.options().seed;
    let stations: Vec<_> = (0..STATIONS).map(|number| Station::new(neighbour(number, seed)).shared()).collect();
    for station in &stations {
        play.system.add_client(station.clone());
    }
    ping(&mut play, &stations, INTRODUCTION)?;
    let idle = |play: &Play| play.system.processors().iter().map(|processor| processor.idle_cycles()).sum::<u64>();
    let (before, start, idle_before) = (counted(&mut play)?, play.cycles(), idle(&play));
    play.keep_frames();
    ping(&mut play, &stations, load)?;
    let cycles = (play.cycles() - start) * play.processors() as u64;
    let busy = cycles.saturating_sub(idle(&play) - idle_before);
    let after = counted(&mut play)?;

    let mut echoes = Echoes::default();
    play.take_frames().iter().for_each(|passing| echoes.pass(passing));
    let expected = u64::from(STATIONS) * u64::from(load.count);
    stage.check(
        echoes.balance() && echoes.asked() == expected,
        format_args!("{title}: each of {expected} pings is answered once"),
    )?;
    let [interrupts, switches, rounds, empty] = std::array::from_fn(|k| after[k] - before[k]);
    let latency = echoes.latency().clone();
    play.recording.latency_of = "from an echo request in to its answer out, at the card's MAC".to_string();
    play.recording.latency = latency.clone();
    stage.close(play)?;
    let busy = 100 * busy / cycles.max(1);
    Ok(Measured { pings: echoes.answered(), interrupts, switches, rounds, empty, busy, latency })
}
