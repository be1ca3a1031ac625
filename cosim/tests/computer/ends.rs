//! Applications, and the host itself, that are killed in the middle of what they do.

use std::io::{Read, Write};

use cosim::host::{TcpListener, TcpStream, UdpSocket, applications};

use super::seeds;
use super::serving::pattern;
use super::world::{Peer, Setup, World, address, modes};

#[test]
fn an_application_that_is_killed_anywhere_leaves_nothing_behind() {
    let mut alive = 0;
    for seed in seeds(8) {
        let mode = modes()[seed as usize % 3];
        let mut world = World::new(Setup::new(seed, mode));
        let there = address("192.0.2.9:7000");
        world.network.peer_listens(there);
        let server = world.computer.spawn(move |task| {
            let listener = TcpListener::bind(task, address("10.0.0.1:80"), 4).unwrap();
            loop {
                let (stream, _) = listener.accept().unwrap();
                let connection = stream.into_connection();
                // Killed with the one that has started it.
                task.spawn(move |task| {
                    let mut stream = TcpStream::from_connection(task, connection);
                    let socket = UdpSocket::bind(task, address("10.0.0.1:53")).unwrap();
                    let mut other = TcpStream::connect(task, there).unwrap();
                    let mut bytes = [0; 700];
                    loop {
                        let length = stream.read(&mut bytes).unwrap();
                        other.write_all(&bytes[..length]).unwrap();
                        socket.send_to(&bytes[..length], address("192.0.2.9:1")).unwrap();
                    }
                });
            }
        });
        let mut peers = Vec::new();
        for _ in 0..100 + seed * 150 {
            if peers.is_empty()
                && let Some(id) = world.network.dial(address("192.0.2.1:5000"), address("10.0.0.1:80"))
            {
                peers.push(Peer::new(id, &pattern(60_000, 1), false));
            }
            peers.iter_mut().for_each(|peer| peer.step(&world.network));
            world.step().unwrap();
        }
        alive += world.computer.alive();
        world.computer.kill(server);
        world.run(2);
        assert_eq!(world.computer.alive(), 0, "seed {seed}");
        world.run_until("the ends of all peers", |world| {
            peers.iter().all(|peer| world.network.peer_end(peer.id).is_some())
        });
        while let Some(id) = world.network.peer_accepts(there) {
            peers.push(Peer::new(id, b"", false));
        }
        world.assert_nothing_leaks(&[], &peers);
    }
    // In most cases with a connection.
    assert!(alive > 12, "{alive}");
}

#[test]
fn a_host_that_is_switched_on_again_clears_what_it_had() {
    let mut cleared = 0;
    for seed in seeds(8) {
        let mode = modes()[seed as usize % 3];
        let mut world = World::new(Setup::new(seed, mode));
        let serve = |task: &cosim::host::Task| {
            applications::serve(task, address("10.0.0.1:7"), 16, applications::echo).unwrap();
        };
        world.computer.spawn(serve);
        let mut old = Vec::new();
        for _ in 0..150 + seed * 77 {
            if old.len() < 4
                && let Some(id) = world.network.dial(address("192.0.2.1:5000"), address("10.0.0.1:7"))
            {
                old.push(Peer::new(id, &pattern(60_000, 1), false));
            }
            old.iter_mut().for_each(|peer| peer.step(&world.network));
            world.step().unwrap();
        }
        cleared += world.computer.osm().sessions();
        world.reboot();
        let server = world.computer.spawn(serve);
        world.run_until("processors", |world| world.computer.is_ready());
        world.run_until("the ends of the old peers", |world| {
            old.iter().all(|peer| world.network.peer_end(peer.id).is_some())
        });
        let id = world.dial("192.0.2.1:6000", "10.0.0.1:7");
        let mut peers = [Peer::new(id, &pattern(5000, 2), true)];
        world.run_peers(&mut peers);
        assert!(peers[0].got == pattern(5000, 2), "seed {seed}: {} bytes", peers[0].got.len());
        // One that the host had taken in its last cycles and not posted is with a host that is gone.
        let free =
            |world: &mut World| (0..4).map(|p| world.read(abi::csr::host::IN_LEVELS.at(p)) & 0xFFFF).sum::<u32>();
        world.computer.kill(server);
        world.run_until("rest", |world| world.computer.is_at_rest());
        world.run(50);
        world.lost = 4 * world.setup.inbound - free(&mut world);
        assert!(world.lost <= 1, "seed {seed}: {} inbound frames are lost", world.lost);
        old.extend(peers);
        world.assert_nothing_leaks(&[], &old);
    }
    assert!(cleared > 50, "{cleared}");
}
