//! Applications serve, in both modes of the host (69.5, 69.6).

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use abi::csr::host as csr;
use cosim::host::{Mode, Moderation, TcpListener, TcpStream, UdpSocket, applications, names};

use super::seeds;
use super::world::{Peer, Setup, World, address, interrupts, modes};

pub fn pattern(length: u32, salt: u32) -> Vec<u8> {
    (0..length).map(|i| (i.wrapping_mul(31) + i / 253 + salt) as u8).collect()
}

/// An echo server with peers, from switching on to rest; how long it took.
fn echo(setup: Setup, peers: u32, bytes: u32) -> (World, u64) {
    let what = format!("seed {}, {:?}", setup.seed, setup.mode);
    let mut world = World::new(setup);
    let server = world.computer.spawn(|task| {
        applications::serve(task, address("10.0.0.1:7"), 16, applications::echo).unwrap();
    });
    // All four processors listen by then.
    world.run_until("sessions", |world| (0..4).all(|p| world.look(p, |ism| ism.sessions() >= 3)));
    let peers = (0..peers).map(|number| {
        let id = world.dial(&format!("192.0.2.1:{}", 5000 + number), "10.0.0.1:7");
        Peer::new(id, &pattern(bytes, number), true)
    });
    let mut peers: Vec<_> = peers.collect();
    world.run_peers(&mut peers);
    let cycles = world.system.cycles();
    for (number, peer) in peers.iter().enumerate() {
        assert!(peer.got == pattern(bytes, number as u32), "{what}, peer {number}: {} bytes", peer.got.len());
        assert_eq!(world.network.peer_end(peer.id), Some(Ok(())), "{what}");
    }
    world.assert_nothing_leaks(&[server], &peers);
    (world, cycles)
}

#[test]
fn row_69_6_the_host_is_interrupted_or_polls_and_peers_of_all_processors_are_served() {
    for seed in seeds(2) {
        for mode in modes() {
            let (mut world, _) = echo(Setup::new(seed, mode), 8, 6000);
            for processor in 0..4 {
                let (accepted, from, to) = world.look(processor, |ism| {
                    let counters = ism.counters();
                    (counters.accepted, counters.bytes_from_host, counters.bytes_to_host)
                });
                // The model's own hash deals them out evenly.
                assert_eq!((accepted, from, to), (2, 12_000, 12_000), "seed {seed}, {mode:?}");
            }
            // The host never handed in what is not its own, and nothing failed.
            let counters = [csr::counters::MFA_REFUSED, csr::counters::DMA_FAILED, csr::counters::TLP_UNSUPPORTED];
            assert_eq!(counters.map(|counter| world.system.counter(counter).unwrap()), [0; 3]);
            assert_eq!(world.computer.osm().counters().retried, 0);
        }
    }
}

#[test]
fn row_69_2_one_frame_each_way_is_enough() {
    for mode in modes() {
        echo(Setup { inbound: 1, outbound: 1, ..Setup::new(3, mode) }, 4, 3000);
    }
}

#[test]
fn one_seed_decides_everything() {
    for mode in modes() {
        let run = |seed| {
            let (world, cycles) = echo(Setup::new(seed, mode), 4, 2000);
            (cycles, world.computer.osm().counters())
        };
        assert_eq!(run(5), run(5), "{mode:?}");
        assert_ne!(run(5), run(6), "{mode:?}");
    }
}

#[test]
fn interrupts_that_are_held_back_are_fewer() {
    let interrupts = [Moderation::default(), Moderation { events: 8, time: 20 }].map(|moderation| {
        let (mut world, _) = echo(Setup::new(7, Mode::Interrupts(moderation)), 8, 4000);
        let sent = world.system.counter(csr::counters::INTERRUPTS).unwrap();
        assert_eq!(world.computer.osm().counters().interrupts, sent);
        sent
    });
    assert!(interrupts[1] > 0 && interrupts[1] * 4 < interrupts[0] * 3, "{interrupts:?}");
}

#[test]
fn row_67_2_the_host_connects_and_names_the_session() {
    for mode in modes() {
        let mut world = World::new(Setup::new(8, mode));
        let there = address("192.0.2.9:7000");
        world.network.peer_listens(there);
        let client = world.computer.spawn(move |task| {
            let mut stream = TcpStream::connect(task, there).unwrap();
            // By hand: 0xC0000209 ^ 7000 = 0xC0001951, its chunks of two bits 3, 1, 2, 1, 1, 1 give 1 ^ ... = 0 for four processors.
            assert_eq!((stream.peer_addr().unwrap(), stream.tag().processor()), (there, 0));
            stream.write_all(b"question").unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert_eq!(answer, b"answer");
        });
        let mut peers = Vec::new();
        world.run_until("a question", |world| {
            peers.extend(world.network.peer_accepts(there).map(|id| Peer::new(id, b"answer", true)));
            peers.iter_mut().for_each(|peer| peer.step(&world.network));
            peers.first().is_some_and(|peer| peer.got == b"question")
        });
        world.run_until("the end of the client", |world| !world.computer.is_alive(client));
        world.assert_nothing_leaks(&[], &peers);
    }
}

#[test]
fn row_67_3_datagrams_are_answered_in_both_modes() {
    for mode in modes() {
        let mut world = World::new(Setup::new(9, mode));
        let server = world.computer.spawn(|task| {
            let socket = UdpSocket::bind(task, address("10.0.0.1:53")).unwrap();
            let known = [("a.example".to_owned(), Ipv4Addr::new(192, 0, 2, 7))].into();
            names::serve(&socket, &known).unwrap();
        });
        let (here, there) = (address("10.0.0.1:53"), address("192.0.2.1:4000"));
        world.network.peer_has_box(there);
        let question = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01";
        let mut answered = 0;
        for _ in 0..8 {
            world.run_until("room for a question", |world| world.network.peer_sends_to(there, here, question));
            world.run_until("an answer", |world| {
                let Some((from, answer)) = world.network.peer_datagram(there) else { return false };
                assert_eq!((from, &answer[answer.len() - 4..]), (here, &[192, 0, 2, 7][..]));
                answered += 1;
                true
            });
        }
        assert_eq!(answered, 8);
        world.assert_nothing_leaks(&[server], &[]);
    }
}

#[test]
fn time_passes_for_applications_as_for_the_card() {
    for mode in modes() {
        let mut world = World::new(Setup::new(10, mode));
        let client = world.computer.spawn(|task| {
            let before = task.now();
            task.sleep(Duration::from_micros(100));
            // 125 cycles in a microsecond.
            assert_eq!(task.now() - before, 12_500);
            let listener = TcpListener::bind(task, address("10.0.0.1:80"), 4).unwrap();
            listener.set_timeout(Some(Duration::from_micros(8)));
            let before = task.now();
            assert!(listener.accept().is_err());
            assert_eq!(task.now() - before, 1000);
        });
        world.run_until("the end of the client", |world| !world.computer.is_alive(client));
        world.assert_nothing_leaks(&[], &[]);
    }
}

#[test]
fn a_host_with_nothing_to_do_is_not_called_and_sends_nothing() {
    for mode in [interrupts(), Mode::Polling { period: 100 }] {
        let mut world = World::new(Setup::new(11, mode));
        world.run_until("processors", |world| world.computer.is_at_rest());
        world.run(20);
        let before = world.system.bus().traffic();
        world.run(200);
        assert_eq!(world.system.bus().traffic(), before, "{mode:?}");
    }
}
