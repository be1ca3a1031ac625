//! TCP sessions that hosts open.

use smoltcp::socket::tcp::State;
use soft_cores::net::SECOND;
use soft_cores::net::steering::Cause;
use soft_cores::net::transport::{self, Failure, Options, UseError};

use crate::echo::{Client, Server, run_all};
use crate::floods::syn;
use crate::world::{CARD, CARD_6, Faults, World, any, end};

/// Longer than TIME-WAIT.
const QUIET: u64 = 15 * SECOND;

fn exchange(processors: usize, clients: u16, length: usize, faults: Faults, seed: u64) -> (World, Server) {
    let mut world = World::new(processors, 3, seed);
    world.faults = faults;
    let mut server = Server::start(&mut world, any(80), 64, Options::default());
    let connect = |number| Client::connect(&mut world, usize::from(number % 3), CARD, 80, 40_000 + number, length);
    let mut clients: Vec<_> = (0..clients).map(connect).collect();
    run_all(&mut world, &mut server, &mut clients, 300 * SECOND);
    world.run(60 * SECOND, |world| {
        server.serve(world);
        server.open() == 0
    });
    (world, server)
}

#[test]
fn row_67_5_many_sessions_live_where_the_hash_says_and_leave_nothing() {
    let (mut world, mut server) = exchange(4, 96, 20_000, Faults { message: 5, ..Faults::default() }, 1);
    let mut owned = [0; 4];
    for (session, &owner) in &server.accepted {
        assert_eq!(world.hardware.target(session), owner);
        owned[owner] += 1;
    }
    assert_eq!((owned.iter().sum::<i32>(), server.failed), (96, 0));
    assert!(owned.iter().all(|&sessions| sessions >= 12), "{owned:?}");
    for stack in &world.stacks {
        assert_eq!(stack.counters().handed_over.total(), 0, "nothing is forwarded that came to the right one");
    }
    server.stop(&mut world);
    world.pass(QUIET);
    world.assert_clean(0, 0);
}

#[test]
fn row_67_5_a_lossy_link_harms_no_session() {
    let faults = Faults { lost: 10, late: 10, message: 200, cut: None };
    let (mut world, mut server) = exchange(4, 32, 30_000, faults, 2);
    assert_eq!((server.accepted.len(), server.failed), (32, 0));
    server.stop(&mut world);
    world.pass(200 * SECOND);
    world.assert_clean(0, 0);
}

#[test]
fn row_67_5_segments_that_come_in_fragments_are_handed_over_to_their_owner() {
    // The fragments of a packet go by their identification, so three of four come to the wrong processor.
    let faults = Faults { cut: Some(400), message: 50, ..Faults::default() };
    let (mut world, mut server) = exchange(4, 16, 20_000, faults, 3);
    assert_eq!((server.accepted.len(), server.failed), (16, 0));
    for (session, &owner) in &server.accepted {
        assert_eq!(world.hardware.target(session), owner);
    }
    let counters: Vec<_> = world.stacks.iter().map(|stack| stack.counters().clone()).collect();
    let forwarded: u64 = counters.iter().map(|it| it.segments.of(Cause::TableThere)).sum();
    let taken: u64 = counters.iter().map(|it| it.taken_over.total()).sum();
    assert!(forwarded > 150, "{forwarded}");
    assert_eq!(forwarded, taken);
    server.stop(&mut world);
    world.pass(QUIET);
    world.assert_clean(0, 0);
}

#[test]
fn row_67_5_sessions_over_ipv6_are_steered_alike() {
    let mut world = World::new(4, 1, 4);
    let mut server = Server::start(&mut world, end(std::net::Ipv6Addr::UNSPECIFIED, 80), 16, Options::default());
    let mut clients: Vec<_> =
        (0..12).map(|number| Client::connect(&mut world, 0, CARD_6, 80, 40_000 + number, 5000)).collect();
    run_all(&mut world, &mut server, &mut clients, 60 * SECOND);
    let mut owned = [0; 4];
    for (session, &owner) in &server.accepted {
        assert_eq!(world.hardware.target(session), owner);
        owned[owner] += 1;
    }
    assert_eq!(owned, [3; 4]);
}

#[test]
fn a_closed_port_refuses() {
    let mut world = World::new(2, 1, 5);
    let client = Client::connect(&mut world, 0, CARD, 81, 40_000, 1);
    world.run(SECOND, |world| world.hosts[0].stream(client.socket).state() == State::Closed);
    let refused: u64 =
        world.stacks.iter().map(|it| it.transport().counters().dropped.of(transport::Cause::NoListener)).sum();
    assert_eq!(refused, 1);
    world.assert_clean(0, 0);
}

/// One connection of a host, accepted and handed to the test.
fn pair(seed: u64, options: Options) -> (World, Client, usize, transport::SocketId) {
    let mut world = World::new(2, 1, seed);
    let mut server = Server::start(&mut world, any(80), 4, options);
    let mut client = Client::connect(&mut world, 0, CARD, 80, 40_000, 100);
    client.pause = 0;
    let mut found = None;
    world.run(SECOND, |world| {
        let now = world.now;
        for (number, stack) in world.stacks.iter_mut().enumerate() {
            let listener = server.listeners[number];
            if let Ok((socket, _)) = stack.sockets(now, |it| it.accept(listener)) {
                found = Some((number, socket));
            }
        }
        client.go_on(world);
        found.is_some()
    });
    server.stop(&mut world);
    let (owner, socket) = found.unwrap();
    (world, client, owner, socket)
}

#[test]
fn half_closed_connections_still_carry_the_other_way() {
    let (mut world, client, owner, socket) = pair(6, Options::default());
    let now = world.now;
    world.stacks[owner].sockets(now, |it| {
        assert_eq!(it.send(now, socket, b"before the end"), Ok(14));
        it.shutdown(now, socket).unwrap();
        assert_eq!(it.send(now, socket, b"after it"), Err(UseError::Closed));
    });
    world.run(SECOND, |world| world.hosts[0].stream(client.socket).state() == State::CloseWait);
    let mut bytes = [0; 64];
    assert_eq!(world.hosts[0].stream(client.socket).recv_slice(&mut bytes), Ok(14));
    world.hosts[0].stream(client.socket).send_slice(b"other way").unwrap();
    world.pass(100_000);
    let now = world.now;
    let got = world.stacks[owner].sockets(now, |it| it.receive_into(now, socket, &mut bytes));
    assert_eq!((got, &bytes[..9]), (Ok(9), &b"other way"[..]));
    let nothing = world.stacks[owner].sockets(now, |it| it.receive_into(now, socket, &mut bytes));
    assert_eq!(nothing, Err(UseError::WouldBlock));
    world.hosts[0].stream(client.socket).close();
    world.pass(100_000);
    let now = world.now;
    let end = world.stacks[owner].sockets(now, |it| it.receive_into(now, socket, &mut bytes));
    assert_eq!(end, Ok(0));
    world.stacks[owner].sockets(now, |it| it.close(now, socket)).unwrap();
    world.pass(QUIET);
    world.assert_clean(0, 0);
}

#[test]
fn a_peers_reset_is_an_error_and_the_session_is_over_at_once() {
    let (mut world, client, owner, socket) = pair(7, Options::default());
    world.hosts[0].stream(client.socket).abort();
    world.pass(100_000);
    let now = world.now;
    let mut bytes = [0; 8];
    assert_eq!(world.stacks[owner].transport().sessions(), 0);
    let event = world.stacks[owner].next_event().unwrap();
    assert!(event.socket == socket && event.readiness.closed);
    let failed = Err(UseError::Failed(Failure::Reset));
    assert_eq!(world.stacks[owner].sockets(now, |it| it.receive_into(now, socket, &mut bytes)), failed);
    assert_eq!(world.stacks[owner].sockets(now, |it| it.send(now, socket, b"x")), failed);
    world.stacks[owner].sockets(now, |it| it.close(now, socket)).unwrap();
    let gone = world.stacks[owner].sockets(now, |it| it.close(now, socket));
    assert_eq!(gone, Err(UseError::NoSuchSocket));
    world.assert_clean(0, 0);
}

#[test]
fn an_abort_resets_the_peer() {
    let (mut world, client, owner, socket) = pair(8, Options::default());
    let now = world.now;
    world.stacks[owner].sockets(now, |it| it.abort(now, socket)).unwrap();
    world.assert_clean(0, 0);
    world.run(SECOND, |world| world.hosts[0].stream(client.socket).state() == State::Closed);
}

#[test]
fn closing_with_bytes_unread_resets_the_peer() {
    let (mut world, mut client, owner, socket) = pair(9, Options::default());
    client.pause = usize::MAX;
    client.go_on(&mut world);
    world.pass(100_000);
    let now = world.now;
    assert_eq!(world.stacks[owner].transport().status(socket).unwrap().readable, 100);
    world.stacks[owner].sockets(now, |it| it.close(now, socket)).unwrap();
    world.assert_clean(0, 0);
    world.run(SECOND, |world| world.hosts[0].stream(client.socket).state() == State::Closed);
}

#[test]
fn a_peer_that_owes_an_answer_is_given_up_and_a_quiet_one_is_not() {
    let options = Options { timeout: 20 * SECOND, ..Options::default() };
    let (mut world, _, owner, socket) = pair(10, options);
    // Nothing is owed: an hour of silence is fine.
    world.pass(3600 * SECOND);
    assert_eq!(world.stacks[owner].transport().status(socket).unwrap().failure, None);
    world.faults.lost = 1000;
    let now = world.now;
    world.stacks[owner].sockets(now, |it| it.send(now, socket, b"anybody there?")).unwrap();
    world.pass(19 * SECOND);
    assert_eq!(world.stacks[owner].transport().status(socket).unwrap().failure, None);
    world.pass(2 * SECOND);
    assert_eq!(world.stacks[owner].transport().status(socket).unwrap().failure, Some(Failure::TimedOut));
    assert_eq!(world.stacks[owner].transport().sessions(), 0);
}

#[test]
fn keep_alive_finds_out_that_a_silent_peer_is_gone() {
    let options = Options { keep_alive: Some(10 * SECOND), timeout: 30 * SECOND, ..Options::default() };
    let (mut world, _, owner, socket) = pair(11, options);
    world.pass(300 * SECOND);
    assert_eq!(world.stacks[owner].transport().status(socket).unwrap().failure, None, "it answers");
    world.faults.lost = 1000;
    world.pass(60 * SECOND);
    assert_eq!(world.stacks[owner].transport().status(socket).unwrap().failure, Some(Failure::TimedOut));
}

#[test]
fn what_nobody_holds_ends_although_the_peer_does_not_close() {
    let (mut world, client, owner, socket) = pair(12, Options::default());
    let now = world.now;
    world.stacks[owner].sockets(now, |it| it.close(now, socket)).unwrap();
    world.pass(30 * SECOND);
    assert_eq!(world.hosts[0].stream(client.socket).state(), State::CloseWait);
    assert_eq!(world.stacks[owner].transport().sessions(), 1);
    world.pass(40 * SECOND);
    world.assert_clean(0, 0);
}

#[test]
fn a_window_that_closes_and_opens_loses_nothing() {
    let options = Options { receive_buffer: 2048, ..Options::default() };
    let (mut world, mut client, owner, socket) = pair(13, options);
    client.pause = usize::MAX;
    let host = world.hosts[0].stream(client.socket);
    let bytes: Vec<u8> = (0..4000_u32).map(|at| at as u8).collect();
    assert_eq!(host.send_slice(&bytes), Ok(4000));
    world.pass(20 * SECOND);
    assert_eq!(world.stacks[owner].transport().status(socket).unwrap().readable, 2048);
    let mut received = Vec::new();
    world.run(60 * SECOND, |world| {
        let now = world.now;
        let mut buffer = [0; 512];
        if let Ok(length) = world.stacks[owner].sockets(now, |it| it.receive_into(now, socket, &mut buffer)) {
            received.extend_from_slice(&buffer[..length]);
        }
        received.len() == 4000
    });
    assert_eq!(received, bytes);
}

#[test]
fn a_port_is_used_again_in_time_wait_by_a_later_syn() {
    let mut world = World::new(2, 1, 14);
    let mut server = Server::start(&mut world, any(80), 4, Options::default());
    let mut client = Client::connect(&mut world, 0, CARD, 80, 40_000, 10);
    client.pause = 0;
    world.run(SECOND, |world| {
        server.serve(world);
        client.go_on(world);
        server.open() == 1
    });
    world.keep_arrived = true;
    // The card closes first, so TIME-WAIT is here.
    let now = world.now;
    let owner = *server.accepted.values().next().unwrap();
    let socket = transport::SocketId(2);
    world.stacks[owner].sockets(now, |it| it.close(now, socket)).unwrap();
    world.run(SECOND, |world| world.hosts[0].stream(client.socket).state() == State::CloseWait);
    world.hosts[0].stream(client.socket).close();
    world.run(SECOND, |world| world.hosts[0].stream(client.socket).state() == State::Closed);
    world.pass(1000);
    assert_eq!(world.stacks[owner].transport().sessions(), 1);
    let fin = world.arrived.iter().rfind(|frame| frame[12..14] == [8, 0] && frame[23] == 6).unwrap();
    let sequence = u32::from_be_bytes(fin[38..42].try_into().unwrap());
    for (number, half_open) in [(sequence.wrapping_sub(1000), 0), (sequence.wrapping_add(1000), 1)] {
        world.throw(syn([10, 0, 0, 2], 40_000, number));
        world.faults.lost = 1000;
        world.pass(1000);
        world.faults.lost = 0;
        let waiting = world.stacks[owner].transport().backlog(server.listeners[owner]);
        assert_eq!(waiting, Ok((half_open, 0)));
    }
    server.stop(&mut world);
    world.pass(QUIET);
    world.assert_clean(0, 0);
}
