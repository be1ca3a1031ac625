//! What there is not enough of: places in the backlog, sockets, memory.

use abi::socket::{Family, Protocol, Status};
use soft_cores::ism::sockets::{Config, Share};
use soft_cores::ism::transport::Transport;
use soft_cores::net::SECOND;

use crate::rig::{RING, Rig, Wish, at_host, bytes};

#[test]
fn a_backlog_that_is_full_takes_no_more_and_refuses_nobody() {
    let mut rig = Rig::new(41);
    let listener = rig.listen(80, 2)[0];
    let peers: Vec<_> = (0..4).map(|number| rig.dial(80, 40_000 + number)).collect();
    rig.pass(2 * SECOND);
    assert_eq!(rig.on(0).waiting(listener), 2);
    assert_eq!(rig.memories[0].taken(), 0, "who is not accepted has no memory");
    let mut accepted = Vec::new();
    rig.run("the others", |rig| {
        accepted.extend(rig.on(0).accept(listener));
        accepted.len() == 4
    });
    assert_eq!((rig.on(0).accept(listener), rig.memories[0].taken()), (None, 8));
    for connection in accepted {
        rig.on(0).close(connection.socket);
    }
    rig.on(0).close(listener);
    peers.into_iter().for_each(|peer| rig.host(peer).close());
    rig.assert_clean();
}

#[test]
fn a_listener_that_is_closed_breaks_its_backlog_off() {
    let mut rig = Rig::new(42);
    let listener = rig.listen(80, 4)[0];
    let peer = rig.dial(80, 40_000);
    rig.run("a connection", |rig| rig.on(0).waiting(listener) == 1);
    rig.on(0).close(listener);
    rig.run("a reset", |rig| !rig.host(peer).is_open());
    rig.assert_clean();
}

fn rings(count: u32) -> Wish {
    Wish { shares: vec![(Share::Ring, RING, count)], ..Wish::default() }
}

#[test]
fn a_connection_that_finds_no_memory_waits_in_the_backlog_with_its_bytes() {
    // One ring is left over, and is nobody's for ever.
    let mut rig = Rig::with(43, rings(3));
    let listener = rig.listen(80, 4)[0];
    let peers = [40_000, 40_001].map(|from| rig.dial(80, from));
    rig.run("two connections", |rig| rig.on(0).waiting(listener) == 2);
    let first = rig.on(0).accept(listener).unwrap().socket;
    assert_eq!((rig.on(0).accept(listener), rig.memories[0].taken()), (None, 2));
    assert_eq!(rig.sockets[0].counters().exhausted, 1);
    rig.host_writes(peers[1], &bytes(0..500));
    rig.pass(SECOND);
    assert_eq!((rig.on(0).waiting(listener), rig.sockets[0].counters().exhausted), (1, 1));
    rig.on(0).close(first);
    // Whoever waits for memory hears that there is some.
    let news: Vec<_> = std::iter::from_fn(|| rig.on(0).changed()).collect();
    assert!(news.contains(&listener), "{news:?}");
    let second = rig.on(0).accept(listener).unwrap().socket;
    let mut got = Vec::new();
    rig.run("its bytes", |rig| {
        got.extend(rig.read(second, 200));
        got.len() == 500
    });
    assert_eq!(got, bytes(0..500));
    rig.on(0).close(second);
    rig.on(0).close(listener);
    peers.into_iter().for_each(|peer| rig.host(peer).close());
    rig.assert_clean();
}

#[test]
fn to_connect_without_memory_leaves_nothing_behind() {
    for count in [0, 1] {
        let mut rig = Rig::with(44, rings(count));
        let socket = rig.tcp(0);
        assert_eq!(rig.on(0).connect(socket, at_host(7000)), Err(Status::NoRoom));
        assert_eq!((rig.memories[0].taken(), rig.world.stacks[0].transport().usage()), (0, (0, 0)));
        rig.on(0).close(socket);
        rig.assert_clean();
    }
}

#[test]
fn sockets_are_bounded_and_who_waits_for_one_hears_of_it() {
    let wish = Wish::default();
    let mut rig = Rig::with(45, Wish { sockets: Config { sockets: 2, ..wish.sockets }, ..wish });
    let listener = rig.listen(80, 4)[0];
    let other = rig.tcp(0);
    assert_eq!(rig.on(0).open(Protocol::Udp, Family::V4), Err(Status::NoRoom));
    let peer = rig.dial(80, 40_000);
    rig.run("a connection", |rig| rig.on(0).waiting(listener) == 1);
    assert_eq!(rig.on(0).accept(listener), None);
    rig.on(0).close(other);
    let news: Vec<_> = std::iter::from_fn(|| rig.on(0).changed()).collect();
    assert_eq!(news, [listener]);
    let socket = rig.on(0).accept(listener).unwrap().socket;
    rig.on(0).abort(socket);
    rig.on(0).close(listener);
    rig.run("a reset", |rig| !rig.host(peer).is_open());
    rig.assert_clean();
}

#[test]
fn a_stack_without_room_refuses_and_no_memory_is_lost() {
    let wish = Wish::default();
    let mut rig = Rig::with(46, wish);
    let sockets: Vec<_> = (0..3).map(|_| rig.tcp(0)).collect();
    // The same ends twice.
    for (number, &socket) in sockets.iter().enumerate().take(2) {
        let bound = rig.on(0).bind(socket, crate::rig::local(5000 + number as u16));
        assert!(bound.is_ok());
    }
    assert_eq!(rig.on(0).connect(sockets[0], at_host(7000)), Ok(()));
    rig.on(0).close(sockets[1]);
    let again = rig.tcp(0);
    assert_eq!(rig.on(0).bind(again, crate::rig::local(5000)).err(), None);
    assert_eq!(rig.on(0).connect(again, at_host(7000)), Err(Status::AddressInUse));
    assert_eq!(rig.memories[0].taken(), 2);
    for remote in ["10.0.0.2:0", "0.0.0.0:5", "224.0.0.1:5", "[fe80::2]:5"] {
        assert_eq!(rig.on(0).connect(sockets[2], remote.parse().unwrap()), Err(Status::NoAddress), "{remote}");
    }
    assert_eq!(rig.memories[0].taken(), 2);
    [sockets[0], sockets[2], again].into_iter().for_each(|socket| rig.on(0).abort(socket));
    rig.assert_clean();
}
