//! What goes wrong on the bus and with the processors.

use std::time::Duration;

use abi::csr::host as csr;
use abi::socket::Status as SocketStatus;
use cosim::host::{
    BusError, ComputerConfig, ComputerError, Executor, Mode, Moderation, StartError, TcpListener, applications,
};
use cosim::root_complex::{AnswerFault, Config as BusConfig, Fault, Faults};
use cosim::tlp::Status;

use super::seeds;
use super::serving::pattern;
use super::world::{Peer, Setup, World, address, computer, interrupts, modes};

#[test]
fn reads_of_the_card_that_fail_end_connections_with_an_error_and_nothing_else() {
    let (mut whole, mut failed, mut retried) = (0, 0, 0);
    for seed in seeds(9) {
        let mode = modes()[seed as usize % 3];
        let kinds = [Fault::Unsupported, Fault::Aborted, Fault::Poisoned, Fault::WrongLength, Fault::WrongCount];
        let mut rates: Vec<_> = kinds.map(|fault| (fault, 20)).into();
        rates.extend([Fault::Stray, Fault::Dropped, Fault::Delayed, Fault::Duplicated].map(|fault| (fault, 15)));
        let faults = Faults { rates, delay: 3000, ..Faults::default() };
        let mut world = World::new(Setup { faults, ..Setup::new(seed, mode) });
        let server = world.computer.spawn(|task| {
            // The listener's own calls may fail as well.
            let _ = applications::serve(task, address("10.0.0.1:7"), 16, applications::echo);
        });
        let mut peers = Vec::new();
        for _ in 0..1500 {
            let from = format!("192.0.2.1:{}", 5000 + peers.len());
            if peers.len() < 6
                && let Some(id) = world.network.dial(address(&from), address("10.0.0.1:7"))
            {
                peers.push(Peer::new(id, &pattern(12_000, 5), true));
            }
            peers.iter_mut().for_each(|peer| peer.step(&world.network));
            world.step().unwrap();
        }
        world.run_peers(&mut peers);
        for peer in &peers {
            assert!(pattern(12_000, 5).starts_with(&peer.got), "seed {seed}: wrong bytes");
            match world.network.peer_end(peer.id) {
                Some(Ok(())) if peer.got.len() == 12_000 => whole += 1,
                Some(Ok(()) | Err(SocketStatus::Reset)) => failed += 1,
                other => panic!("seed {seed}: {other:?}"),
            }
        }
        retried += world.computer.osm().counters().retried;
        assert!(!world.system.bus().take_fated().is_empty());
        world.assert_nothing_leaks(&[server], &peers);
    }
    assert!(whole > 5 && failed > 5 && retried > 5, "{whole} whole, {failed} failed, {retried} messages again");
}

/// The address of a register.
fn at(offset: u32) -> std::ops::Range<u64> {
    let address = BusConfig::default().bars[0] + u64::from(offset);
    address..address + 4
}

#[test]
fn a_register_that_is_refused_or_not_answered_is_an_error_that_names_it() {
    let mut seen = 0;
    for offset in
        [csr::ID.offset, csr::RETA.at(77), csr::I2O_OUTBOUND.at(0), csr::I2O_INBOUND.at(2), csr::DMA_DONE.offset]
    {
        for mode in modes() {
            for fault in [AnswerFault::Refused, AnswerFault::Lost] {
                let faults = Faults { answers: vec![(at(offset), fault)], ..Faults::default() };
                let mut world = World::new(Setup { faults, patience: 20_000, ..Setup::new(1, mode) });
                world.computer.spawn(|task| drop(TcpListener::bind(task, address("10.0.0.1:80"), 4)));
                let expected = match fault {
                    AnswerFault::Refused => BusError::Refused { offset, status: Some(Status::Unsupported) },
                    AnswerFault::Lost => BusError::Unanswered { offset, cycles: 20_000 },
                };
                assert_eq!(world.error(), ComputerError::Bus(expected), "{mode:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 5 * 3 * 2);
}

#[test]
fn processors_that_come_late_are_waited_for_and_those_that_do_not_come_are_named() {
    for mode in modes() {
        let late = [Some(30_000), Some(10), Some(90_000), Some(50)];
        let mut world = World::new(Setup { late, ..Setup::new(2, mode) });
        let client = world.computer.spawn(|task| {
            // All processors listen, so it waits for the last one.
            TcpListener::bind(task, address("10.0.0.1:80"), 4).unwrap();
            assert!(task.now() > 90_000, "{}", task.now());
        });
        world.run(600);
        assert!(!world.computer.is_ready() && world.computer.is_alive(client), "{mode:?}");
        assert_eq!(world.computer.osm().missing(), [2]);
        world.run_until("the client", |world| !world.computer.is_alive(client));
        assert!(world.computer.is_ready());
        world.assert_nothing_leaks(&[], &[]);

        let late = [Some(10), None, Some(10), None];
        let mut world = World::new(Setup { late, patience: 50_000, ..Setup::new(2, mode) });
        assert_eq!(world.error(), ComputerError::Missing(vec![1, 3], 50_000), "{mode:?}");
    }
}

#[test]
fn a_computer_that_makes_no_sense_is_not_switched_on() {
    let setup = Setup::new(3, interrupts());
    let error = |change: &dyn Fn(&mut ComputerConfig)| {
        let mut config = computer(&setup);
        change(&mut config);
        World::with(setup.clone(), config).error()
    };
    let never = Mode::Interrupts(Moderation { events: 1, time: 0 });
    assert_eq!(error(&|config| config.mode = never), ComputerError::Mode(never));
    let always = Mode::Polling { period: 0 };
    assert_eq!(error(&|config| config.mode = always), ComputerError::Mode(always));
    for change in [
        (|config: &mut ComputerConfig| config.osm.memory += 64) as fn(&mut ComputerConfig),
        |config| config.osm.memory = u64::MAX - 4095,
        |config| (config.osm.memory, config.osm.frames) = (0xFFFF_F000, 33),
        |config| config.osm.frames = 0,
        // The queues of a card have room for 256 frames.
        |config| config.osm.frames = 257,
        |config| config.osm.buffer_bytes = 65_537,
        |config| config.osm.sessions = 0,
    ] {
        let error = error(&change);
        assert!(matches!(error, ComputerError::Start(StartError::Config(_))), "{error:?}");
    }
}

#[test]
fn a_host_with_other_frames_than_the_one_before_does_not_start() {
    let mut world = World::new(Setup::new(4, interrupts()));
    world.run_until("processors", |world| world.computer.is_at_rest());
    let mut config = computer(&world.setup);
    config.osm.frames += 1;
    world.computer = cosim::host::Computer::new(config);
    world.system.set_host(world.computer.host());
    assert_eq!(world.error(), ComputerError::Start(StartError::Frames));
}

#[test]
fn an_application_that_panics_or_lets_no_time_pass_or_reads_registers_ends_the_run() {
    let run = |body: fn(&cosim::host::Task)| {
        let mut world = World::new(Setup::new(5, interrupts()));
        world.computer.spawn(body);
        world.error()
    };
    let error = run(|_| panic!("at the disco"));
    assert_eq!(error.to_string(), "application 0 panicked: at the disco");
    let again = run(|task| {
        fn born(task: &cosim::host::Task) {
            task.spawn(born);
        }
        born(task);
    });
    assert_eq!(again, ComputerError::Livelock);
    let reads = run(|task| task.osm().read_steering());
    assert_eq!(reads, ComputerError::Bus(BusError::NotTheDriver(csr::HASH_KEY.offset)));
}

#[test]
fn a_port_that_is_used_from_outside_is_an_error() {
    let mut world = World::new(Setup::new(6, interrupts()));
    world.run_until("processors", |world| world.computer.is_at_rest());
    let mut executor = Executor::new(world.computer.osm());
    executor.spawn(|task| task.sleep(Duration::from_micros(1)));
    // Time and sessions may be looked at; registers and memory may not.
    assert_eq!(executor.run(), Ok(true));
    world.run(10);
    world.computer.osm().enable_interrupts(0, Moderation::default());
    world.computer.kill(99);
    assert_eq!(world.error(), ComputerError::Bus(BusError::Away));
}
