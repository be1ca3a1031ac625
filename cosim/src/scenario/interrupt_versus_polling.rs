//! ¶66: protocol work at interrupt level, in order to minimize context switching; and polling of the Ethernet MAC, in place of interrupts.
//! The same pings at two loads, with kernels that work in three ways.

use std::net::IpAddr;

use soft_cores::kernel::interrupt::{Mode, Place, Policy};

use super::echo::Echoes;
use super::{Failed, Scenario, Setting, Stage, Table};
use crate::clients::CYCLES_PER_MICRO;
use crate::clients::ping::PingScript;
use crate::clients::station::Station;
use crate::programs::{CARD_IPV4, neighbour};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "interrupt-versus-polling",
    about: "The same pings at low and at high load, answered at interrupt level, in a thread, and by polling: context switches, interrupts and latency compared.",
    takes_mode: false,
    run,
};

const STATIONS: u16 = 16;
/// Bytes of a ping behind its header.
const PAYLOAD: usize = 56;
/// Microseconds until the last answers have come.
const PATIENCE: u64 = 500;
/// Cycles in which all is over.
const LIMIT: u64 = 1_000_000;

/// Pings of each station, and microseconds between them.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    count: u16,
    interval: u64,
}

/// A ping takes a processor some 2,000 cycles, or 16 us, and each answers for 4 stations of n4w64: below a third of its time, and twice
/// as much as it has.
const LOADS: [Load; 2] =
    [Load { name: "low load", count: 6, interval: 200 }, Load { name: "high load", count: 12, interval: 30 }];

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

/// How it went.
struct Measured {
    pings: u64,
    interrupts: u64,
    switches: u64,
    median: u64,
    worst: u64,
}

fn run(stage: &mut Stage) -> Result<(), Failed> {
    let columns = [
        "load",
        "way",
        "pings answered",
        "interrupts",
        "context switches",
        "latency, median (cycles)",
        "latency, 99 of 100",
        "latency, most",
    ];
    let mut table = Table::new("Compared", columns);
    for load in LOADS {
        let mut measured = Vec::new();
        for way in &WAYS {
            measured.push(play(stage, load, way, &mut table)?);
        }
        let [interrupt, thread, polling] = &measured[..] else { continue };
        stage.check(
            interrupt.switches == 0 && thread.switches >= 2,
            format_args!("at {}, work at interrupt level switches no context, in a thread it does (66.7)", load.name),
        )?;
        stage.check(
            interrupt.interrupts > 0 && polling.switches == 0,
            format_args!("at {}, polling switches no context either (66.8)", load.name),
        )?;
        stage.check(
            measured.iter().all(|it| it.pings == measured[0].pings && it.median <= it.worst),
            format_args!("at {}, all three answer the same pings", load.name),
        )?;
    }
    stage.compare(table);
    Ok(())
}

fn play(stage: &mut Stage, load: Load, way: &Way, table: &mut Table) -> Result<Measured, Failed> {
    let title = format!("{}, {}", load.name, way.name);
    let mut play = stage.open(&title, Setting { policy: Some(way.policy), ..Setting::default() })?;
    let seed = stage.options().seed;
    let stations: Vec<_> = (0..STATIONS).map(|number| Station::new(neighbour(number, seed)).shared()).collect();
    for station in &stations {
        play.system.add_client(station.clone());
    }
    // Everybody learns everybody's address first.
    let ping = |play: &mut super::Play, count: u16, interval: u64| {
        let start = play.cycles() / CYCLES_PER_MICRO + 40;
        for (number, station) in stations.iter().enumerate() {
            let (target, start) = (IpAddr::V4(CARD_IPV4), start + number as u64);
            station.borrow_mut().ping(PingScript {
                target,
                count,
                payload: PAYLOAD,
                start,
                interval,
                patience: PATIENCE,
            });
            play.system.wake_client(number);
        }
        play.run_until(LIMIT, |_| stations.iter().all(|station| station.borrow().is_done()))
    };
    ping(&mut play, 1, 1)?;
    let counted = |play: &mut super::Play| -> Result<(u64, u64), Failed> {
        let counters = play.look_at_all(|net| net.kernel().counters())?;
        Ok(counters.iter().fold((0, 0), |sum, it| (sum.0 + it.interrupts, sum.1 + it.context_switches)))
    };
    let before = counted(&mut play)?;
    play.keep_frames();
    ping(&mut play, load.count, load.interval)?;
    let after = counted(&mut play)?;

    let mut echoes = Echoes::default();
    play.take_frames().iter().for_each(|passing| echoes.pass(passing));
    let expected = u64::from(STATIONS) * u64::from(load.count);
    stage.check(
        echoes.balance() && echoes.asked() == expected,
        format_args!("{title}: each of {expected} pings is answered once"),
    )?;
    let latency = echoes.latency().clone();
    let measured = Measured {
        pings: echoes.answered(),
        interrupts: after.0 - before.0,
        switches: after.1 - before.1,
        median: latency.at(500),
        worst: latency.most(),
    };
    let Measured { pings, interrupts, switches, median, worst } = measured;
    stage.say(format_args!(
        "{title:<28}  {pings} pings, {interrupts:>4} interrupts, {switches:>4} context switches, latency {median} cycles (median), {worst} (most)"
    ));
    table.row([&load.name, &way.name, &pings, &interrupts, &switches, &median, &latency.at(990), &worst]);
    play.recording.latency_of = "from an echo request in to its answer out, at the card's MAC".to_string();
    play.recording.latency = latency;
    stage.close(play)?;
    Ok(measured)
}
