//! How streams end: one direction, both, in order, at once, by the peer and by nobody.

use abi::socket::Status;
use smoltcp::socket::tcp::State;
use soft_cores::ism::transport::{Condition, Transport};
use soft_cores::net::SECOND;

use crate::rig::{Rig, at_host, bytes};

#[test]
fn a_peer_that_ends_its_direction_still_gets_ours() {
    let mut rig = Rig::new(21);
    let (peer, socket) = rig.accepted();
    let all = bytes(0..20_000);
    rig.host_writes(peer, &all[..4000]);
    rig.host(peer).close();
    rig.pass(SECOND);
    // The end is behind what is not read.
    assert!(!rig.on(0).at_end(socket));
    let mut got = Vec::new();
    rig.run("all of it", |rig| {
        got.extend(rig.read(socket, 1000));
        rig.on(0).at_end(socket)
    });
    assert_eq!((got, rig.condition(socket)), (bytes(0..4000), Condition::Connected));
    let (mut sent, mut back) = (0, Vec::new());
    rig.run("the other direction", |rig| {
        sent += rig.write(socket, &all[sent..]);
        back.extend(rig.host_reads(peer, 3000));
        back.len() == all.len()
    });
    assert!(back == all);
    rig.on(0).close(socket);
    rig.run("the end", |rig| !rig.host(peer).may_recv());
    rig.assert_clean();
}

#[test]
fn a_shutdown_is_behind_what_was_committed_and_the_peer_may_go_on() {
    let mut rig = Rig::new(22);
    let (peer, socket) = rig.accepted();
    let all = bytes(0..20_000);
    let mut sent = 0;
    // The peer reads nothing: the ring stays full.
    rig.run("a full ring", |rig| {
        sent += rig.write(socket, &all[sent..]);
        rig.on(0).writable(socket, 0).length() == 0
    });
    rig.on(0).shut_down(socket);
    rig.pass(2 * SECOND);
    assert!(rig.host(peer).may_recv());
    let mut got = Vec::new();
    rig.run("the end", |rig| {
        got.extend(rig.host_reads(peer, 999));
        !rig.host(peer).may_recv()
    });
    assert_eq!((got.len(), got == all[..sent]), (sent, true));
    assert_eq!(rig.condition(socket), Condition::Connected);
    let (mut written, mut read) = (0, Vec::new());
    rig.run("the other direction", |rig| {
        written += rig.host_writes(peer, &all[written..]);
        read.extend(rig.read(socket, 2000));
        read.len() == all.len()
    });
    assert!(read == all);
    rig.host(peer).close();
    rig.run("both ends", |rig| rig.on(0).at_end(socket));
    // In good order: that is no failure, long after both ends.
    rig.pass(60 * SECOND);
    assert_eq!(rig.condition(socket), Condition::Connected);
    rig.on(0).close(socket);
    rig.assert_clean();
}

#[test]
fn a_reset_is_told() {
    let mut rig = Rig::new(23);
    let (peer, socket) = rig.accepted();
    rig.write(socket, &[1; 2000]);
    rig.host(peer).abort();
    rig.run("a reset", |rig| rig.condition(socket) != Condition::Connected);
    rig.assert_over(socket, Status::Reset);
    // Its memory stays until it is closed: something may be copied there.
    assert_eq!(rig.memories[0].taken(), 2);
    assert_eq!(rig.on(0).readable(socket, 0).length(), 0);
    rig.on(0).close(socket);
    assert_eq!(rig.memories[0].taken(), 0);
    rig.assert_clean();
}

#[test]
fn a_peer_that_is_gone_is_given_up() {
    let mut rig = Rig::new(24);
    let (_, socket) = rig.accepted();
    rig.write(socket, &[1; 100]);
    rig.world.faults.lost = 1000;
    rig.run("an end", |rig| rig.condition(socket) != Condition::Connected);
    rig.assert_over(socket, Status::TimedOut);
    rig.on(0).abort(socket);
    rig.assert_clean();
}

#[test]
fn row_69_1_what_was_committed_arrives_after_the_socket_is_closed() {
    let mut rig = Rig::new(25);
    let (peer, socket) = rig.accepted();
    let all = bytes(0..20_000);
    let mut sent = 0;
    rig.run("a full ring", |rig| {
        sent += rig.write(socket, &all[sent..]);
        rig.on(0).writable(socket, 0).length() == 0
    });
    rig.on(0).close(socket);
    // It lingers with its send ring, and nobody sees it.
    assert_eq!((rig.sockets[0].len(), rig.memories[0].taken()), (1, 1));
    let mut got = Vec::new();
    rig.run("the end", |rig| {
        got.extend(rig.host_reads(peer, 999));
        !rig.host(peer).may_recv()
    });
    assert_eq!((got.len(), got == all[..sent]), (sent, true));
    assert_eq!(rig.sockets[0].counters().abandoned, 0);
    rig.host(peer).close();
    rig.assert_clean();
}

#[test]
fn a_closed_stream_does_not_wait_forever_for_a_peer_that_does_not_read() {
    let mut rig = Rig::new(26);
    let (peer, socket) = rig.accepted();
    rig.run("a full ring", |rig| rig.write(socket, &[7; 5000]) == 0);
    let closed = rig.world.now;
    rig.on(0).close(socket);
    assert_eq!(rig.sockets[0].next_deadline(), Some(closed + 5 * SECOND));
    rig.pass(5 * SECOND - 1);
    assert_eq!(rig.sockets[0].len(), 1);
    rig.run("a reset", |rig| rig.host(peer).state() == State::Closed);
    assert!(rig.world.now < closed + 6 * SECOND);
    assert_eq!((rig.sockets[0].counters().abandoned, rig.memories[0].taken()), (1, 0));
    rig.assert_clean();
}

#[test]
fn to_close_with_bytes_unread_is_a_reset() {
    // In the ring; and behind it, where the module has not seen them.
    for is_seen in [true, false] {
        let mut rig = Rig::new(27);
        let (peer, socket) = rig.accepted();
        rig.host_writes(peer, &bytes(0..1000));
        if is_seen {
            rig.run("bytes", |rig| rig.on(0).readable(socket, 0).length() == 1000);
        } else {
            rig.world.pass(SECOND);
            assert_eq!(rig.on(0).readable(socket, 0).length(), 0);
        }
        rig.on(0).close(socket);
        assert_eq!((rig.sockets[0].len(), rig.memories[0].taken()), (0, 0));
        rig.run("a reset", |rig| rig.host(peer).state() == State::Closed);
        rig.assert_clean();
    }
}

#[test]
fn what_comes_for_a_closed_stream_resets_it() {
    let mut rig = Rig::new(28);
    let (peer, socket) = rig.accepted();
    rig.run("a full ring", |rig| rig.write(socket, &[7; 5000]) == 0);
    rig.on(0).close(socket);
    rig.host_writes(peer, b"too late");
    rig.run("a reset", |rig| rig.host(peer).state() == State::Closed);
    assert_eq!((rig.sockets[0].counters().abandoned, rig.memories[0].taken()), (0, 0));
    rig.assert_clean();
}

#[test]
fn an_abort_is_a_reset_at_once() {
    let mut rig = Rig::new(29);
    let (peer, socket) = rig.accepted();
    rig.run("a full ring", |rig| rig.write(socket, &[7; 5000]) == 0);
    rig.on(0).abort(socket);
    assert_eq!((rig.sockets[0].len(), rig.memories[0].taken()), (0, 0));
    rig.run("a reset", |rig| rig.host(peer).state() == State::Closed);
    rig.assert_clean();
}

#[test]
fn a_socket_that_is_on_its_way_may_be_closed() {
    let mut rig = Rig::new(30);
    let peer = rig.world.hosts[0].tcp(4096);
    rig.host(peer).listen(7000).unwrap();
    for steps in 0..6 {
        let socket = rig.tcp(0);
        assert_eq!(rig.on(0).connect(socket, at_host(7000)), Ok(()));
        for _ in 0..steps {
            rig.step(rig.world.now + SECOND);
        }
        rig.on(0).close(socket);
        rig.pass(SECOND);
        rig.host(peer).abort();
        rig.pass(SECOND);
        rig.host(peer).listen(7000).unwrap();
    }
    rig.assert_clean();
}
