//! Connections, and bytes both ways.

use abi::socket::Status;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::State;
use soft_cores::ism::transport::{Condition, Socket, Transport};
use soft_cores::net::SECOND;

use crate::rig::{INSIDE, RING, Rig, Wish, at_host, byte, bytes, local};
use crate::world::Faults;

/// Far more than all buffers together, and no multiple of any.
const MUCH: usize = 50_021;

/// Sends `MUCH` each way, in pieces of all sizes, and compares.
fn exchange(rig: &mut Rig, peer: SocketHandle, socket: Socket) {
    let all = bytes(0..MUCH);
    let (mut to_card, mut from_card, mut at_card, mut at_host) = (0, 0, Vec::new(), Vec::new());
    let mut turn = 0;
    rig.run("all bytes both ways", |rig| {
        turn += 1;
        to_card += rig.host_writes(peer, &all[to_card..]);
        at_host.extend(rig.host_reads(peer, 5000));
        from_card += rig.write(socket, &all[from_card..MUCH.min(from_card + 1 + turn * 37 % 2003)]);
        at_card.extend(rig.read(socket, 1 + turn * 53 % 1999));
        at_card.len() == MUCH && at_host.len() == MUCH
    });
    assert!(at_card == all && at_host == all);
}

#[test]
fn row_69_1_a_host_connects_and_bytes_go_both_ways_around_the_rings() {
    let mut rig = Rig::new(1);
    let (peer, socket) = rig.accepted();
    assert_eq!(rig.condition(socket), Condition::Connected);
    exchange(&mut rig, peer, socket);
    rig.host(peer).close();
    rig.run("the end", |rig| rig.on(0).at_end(socket));
    rig.on(0).close(socket);
    rig.run("both ends", |rig| rig.host(peer).state() == State::TimeWait || !rig.host(peer).is_open());
    rig.assert_clean();
}

#[test]
fn row_69_1_bytes_survive_a_link_that_loses_and_reorders() {
    let mut rig = Rig::new(2);
    let (peer, socket) = rig.accepted();
    rig.world.faults = Faults { lost: 20, late: 50, ..Faults::default() };
    exchange(&mut rig, peer, socket);
    rig.on(0).close(socket);
    rig.host(peer).close();
    rig.assert_clean();
}

#[test]
fn row_69_1_the_card_connects_and_knows_both_ends() {
    let mut rig = Rig::new(3);
    let peer = rig.world.hosts[0].tcp(4096);
    rig.host(peer).listen(7000).unwrap();
    let socket = rig.tcp(0);
    assert_eq!(rig.condition(socket), Condition::Idle);
    assert_eq!(rig.on(0).connect(socket, at_host(7000)), Ok(()));
    assert_eq!(rig.condition(socket), Condition::Connecting);
    assert_eq!(rig.write(socket, b""), 0);
    assert_eq!(rig.on(0).connect(socket, at_host(7000)), Err(Status::WrongState));
    rig.run("a connection", |rig| rig.condition(socket) == Condition::Connected);
    let here = rig.on(0).local(socket).unwrap();
    assert_eq!((here.ip(), rig.on(0).remote(socket)), (local(1).ip(), Some(at_host(7000))));
    assert_eq!(rig.host(peer).remote_endpoint().map(|end| end.port), Some(here.port()));
    exchange(&mut rig, peer, socket);
    rig.on(0).close(socket);
    rig.run("the end", |rig| rig.host(peer).state() == State::CloseWait);
    rig.host(peer).close();
    rig.assert_clean();
}

#[test]
fn a_bound_socket_connects_from_where_it_is_bound() {
    let mut rig = Rig::new(4);
    let peer = rig.world.hosts[0].tcp(4096);
    rig.host(peer).listen(7000).unwrap();
    let socket = rig.tcp(0);
    assert_eq!(rig.on(0).bind(socket, local(5555)), Ok(local(5555)));
    assert_eq!(rig.on(0).connect(socket, at_host(7000)), Ok(()));
    rig.run("a connection", |rig| rig.condition(socket) == Condition::Connected);
    assert_eq!(rig.on(0).local(socket), Some(local(5555)));
    assert_eq!(rig.host(peer).remote_endpoint().map(|end| end.port), Some(5555));
    rig.on(0).abort(socket);
    rig.assert_clean();
}

#[test]
fn a_connection_may_be_refused_or_not_answered() {
    let mut rig = Rig::new(5);
    let refused = rig.tcp(0);
    assert_eq!(rig.on(0).connect(refused, at_host(7001)), Ok(()));
    rig.run("a refusal", |rig| rig.condition(refused) == Condition::Over(Status::Refused));
    let unanswered = rig.tcp(0);
    let nobody = "10.0.0.77:7001".parse().unwrap();
    assert_eq!(rig.on(0).connect(unanswered, nobody), Ok(()));
    rig.run("an end", |rig| matches!(rig.condition(unanswered), Condition::Over(_)));
    // No neighbour answers, or no peer: either is told.
    let Condition::Over(status) = rig.condition(unanswered) else { panic!() };
    assert!(matches!(status, Status::TimedOut | Status::Unreachable), "{status:?}");
    rig.on(0).close(refused);
    rig.on(0).close(unanswered);
    rig.assert_clean();
}

#[test]
fn a_socket_that_is_not_read_closes_the_window_and_loses_nothing() {
    let mut rig = Rig::new(6);
    let (peer, socket) = rig.accepted();
    let all = bytes(0..MUCH);
    let mut sent = 0;
    rig.run("a closed window", |rig| {
        sent += rig.host_writes(peer, &all[sent..]);
        rig.on(0).readable(socket, 0).length() == RING && rig.host(peer).send_queue() == 4096 && rig.world.now > SECOND
    });
    rig.pass(10 * SECOND);
    let waiting = rig.on(0).readable(socket, 0);
    // The ring and the stack's buffer are full, and so is the host's.
    assert_eq!((waiting.length(), sent), (RING, RING as usize + INSIDE + 4096));
    assert_eq!(rig.look(waiting), bytes(0..RING as usize));
    assert!(!rig.on(0).at_end(socket));
    let mut got = Vec::new();
    rig.run("all of it", |rig| {
        sent += rig.host_writes(peer, &all[sent..]);
        got.extend(rig.read(socket, usize::MAX));
        got.len() == MUCH
    });
    assert!(got == all);
    rig.on(0).abort(socket);
    rig.assert_clean();
}

#[test]
fn a_peer_that_does_not_read_fills_the_ring_and_loses_nothing() {
    let mut rig = Rig::new(7);
    let (peer, socket) = rig.accepted();
    let all = bytes(0..MUCH);
    let mut sent = 0;
    rig.run("a closed window", |rig| {
        sent += rig.write(socket, &all[sent..]);
        rig.on(0).writable(socket, 0).length() == 0 && rig.host(peer).recv_queue() == 4096
    });
    rig.pass(10 * SECOND);
    sent += rig.write(socket, &all[sent..]);
    assert_eq!(sent, RING as usize + INSIDE + 4096);
    let mut got = Vec::new();
    rig.run("all of it", |rig| {
        got.extend(rig.host_reads(peer, 700));
        sent += rig.write(socket, &all[sent..]);
        got.len() == MUCH
    });
    assert!(got == all);
    rig.on(0).abort(socket);
    rig.assert_clean();
}

#[test]
fn bytes_behind_others_are_where_skip_says() {
    let mut rig = Rig::new(8);
    let (peer, socket) = rig.accepted();
    // So that the ring has gone around.
    let all = bytes(0..6000);
    let mut sent = 0;
    let mut read = 0;
    rig.run("most of it", |rig| {
        sent += rig.host_writes(peer, &all[sent..]);
        read += rig.read(socket, (2500 - read).min(500)).len();
        read == 2500 && rig.on(0).readable(socket, 0).length() == RING
    });
    let spans = rig.on(0).readable(socket, 700);
    assert!(spans.0[1].length > 0, "the ring has not gone around");
    assert_eq!(rig.look(spans), bytes(3200..2500 + RING as usize));
    assert_eq!(rig.on(0).readable(socket, RING + 5).length(), 0);
    // Two pieces that were filled before either is committed.
    let (first, second) = (rig.on(0).writable(socket, 0), rig.on(0).writable(socket, 900));
    assert_eq!((first.length(), second.length()), (RING, RING - 900));
    rig.fill(second, &bytes(900..RING as usize));
    let mut head = first;
    head.0[0].length = 900;
    head.0[1].length = 0;
    rig.fill(head, &bytes(0..900));
    rig.on(0).commit(socket, 900);
    rig.on(0).commit(socket, RING - 900);
    let mut got = Vec::new();
    rig.run("what was committed", |rig| {
        got.extend(rig.host_reads(peer, 5000));
        got.len() == RING as usize
    });
    assert_eq!(got, bytes(0..RING as usize));
    rig.on(0).abort(socket);
    rig.assert_clean();
}

#[test]
fn row_67_5_connections_are_accepted_where_the_card_steers_them() {
    let mut rig = Rig::with(9, Wish { processors: 4, ..Wish::default() });
    let listeners = rig.listen(80, 8);
    let peers: Vec<_> = (0..12).map(|number| rig.dial(80, 40_000 + number)).collect();
    let mut accepted = Vec::new();
    rig.run("all connections", |rig| {
        for (processor, &listener) in listeners.iter().enumerate() {
            accepted.extend(rig.on(processor).accept(listener).map(|it| (processor, it)));
        }
        accepted.len() == peers.len()
    });
    for processor in 0..4 {
        assert_eq!(accepted.iter().filter(|(at, _)| *at == processor).count(), 3);
    }
    for (processor, connection) in &accepted {
        rig.on(*processor).close(connection.socket);
    }
    for (processor, &listener) in listeners.iter().enumerate() {
        rig.on(processor).close(listener);
    }
    for peer in peers {
        rig.host(peer).close();
    }
    rig.assert_clean();
}

#[test]
fn what_happens_is_told_once_and_in_turn() {
    let mut rig = Rig::new(10);
    let listener = rig.listen(80, 4)[0];
    let peer = rig.dial(80, 40_000);
    // Without the module, which would take the news.
    let until = rig.world.now + SECOND;
    let news = |rig: &mut Rig| std::iter::from_fn(|| rig.on(0).changed()).collect::<Vec<_>>();
    let wait = |rig: &mut Rig| {
        for _ in 0..10_000 {
            let news = news(rig);
            if !news.is_empty() {
                return news;
            }
            assert!(rig.world.step(until), "no news");
        }
        panic!("no news");
    };
    assert_eq!(wait(&mut rig), [listener]);
    assert_eq!((rig.on(0).waiting(listener), news(&mut rig)), (1, vec![]));
    let socket = rig.on(0).accept(listener).unwrap().socket;
    assert_eq!(rig.on(0).waiting(listener), 0);
    assert_eq!(news(&mut rig), [socket]);
    rig.host_writes(peer, &[byte(0)]);
    assert_eq!(wait(&mut rig), [socket]);
    assert_eq!((rig.read(socket, 9), news(&mut rig)), (vec![byte(0)], vec![socket]));
    rig.host(peer).close();
    assert_eq!(wait(&mut rig), [socket]);
    assert!(rig.on(0).at_end(socket));
    rig.on(0).close(socket);
    rig.on(0).close(listener);
    assert_eq!(news(&mut rig), []);
    rig.assert_clean();
}
