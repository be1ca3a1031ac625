//! Datagrams: their bounds, the longest, queues that are full, groups.

use std::net::{IpAddr, SocketAddr};

use abi::socket::{Family, Opt, Protocol, Status};
use smoltcp::iface::SocketHandle;
use smoltcp::wire::IpEndpoint;
use soft_cores::ism::sockets::{Config, Share};
use soft_cores::ism::transport::{Socket, Transport};
use soft_cores::net::SECOND;
use soft_cores::net::transport::Cause;

use crate::rig::{Rig, Wish, at_host, byte, bytes, local};
use crate::world::{CARD, Faults};

/// A datagram socket at a port.
fn bound(rig: &mut Rig, to: &str, reuse: bool) -> Socket {
    let socket = rig.on(0).open(Protocol::Udp, Family::V4).unwrap();
    rig.on(0).set_option(socket, Opt::ReuseAddress, reuse.into()).unwrap();
    rig.on(0).bind(socket, to.parse().unwrap()).unwrap();
    socket
}

fn throw(rig: &mut Rig, from: SocketHandle, payload: &[u8]) {
    let to = IpEndpoint::new(IpAddr::V4(CARD).into(), 7);
    rig.world.hosts[0].datagrams(from).send_slice(payload, to).unwrap();
}

/// The datagram that has waited longest; it is dropped.
fn take(rig: &mut Rig, socket: Socket) -> Option<(Vec<u8>, SocketAddr)> {
    let datagram = rig.on(0).datagram(socket, 0)?;
    let bytes = rig.look(datagram.bytes);
    rig.on(0).drop_datagram(socket);
    Some((bytes, datagram.remote))
}

fn send(rig: &mut Rig, socket: Socket, payload: &[u8], to: SocketAddr) -> Result<(), Status> {
    let spans = rig.on(0).reserve(socket, payload.len() as u32)?.expect("there is room");
    rig.fill(spans, payload);
    rig.on(0).send(socket, to)
}

/// An IPv4 frame of the host with a datagram that is longer than the link's packets.
fn long(payload: &[u8]) -> Vec<u8> {
    let (udp, all) = ((payload.len() + 8) as u16, (payload.len() + 28) as u16);
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 2, 8, 0, 0x45, 0];
    frame.extend(all.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2]);
    frame.extend(CARD.octets());
    // Ports 20,000 and 7. A checksum of zero is none (RFC 768).
    frame.extend([0x4e, 0x20, 0, 7]);
    frame.extend(udp.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(payload);
    frame
}

#[test]
fn row_69_1_datagrams_keep_their_bounds_both_ways() {
    let mut rig = Rig::new(81);
    let (socket, peer) = (bound(&mut rig, "10.0.0.1:7", false), rig.world.hosts[0].udp(20_000));
    for length in [0, 1, 700, 1472] {
        throw(&mut rig, peer, &bytes(0..length));
        rig.run("a datagram", |rig| rig.on(0).datagram(socket, 0).is_some());
        let (got, from) = take(&mut rig, socket).unwrap();
        assert_eq!((&got, from), (&bytes(0..length), at_host(20_000)));
        assert_eq!(send(&mut rig, socket, &got, from), Ok(()));
        let mut back = None;
        rig.run("the answer", |rig| {
            let found = rig.world.hosts[0].datagrams(peer).recv().ok();
            back = found.map(|(payload, from)| (payload.to_vec(), from.endpoint.port));
            back.is_some()
        });
        assert_eq!(back, Some((bytes(0..length), 7)));
    }
    rig.on(0).close(socket);
    rig.assert_clean();
}

#[test]
fn row_69_1_datagrams_of_65_507_bytes_go_both_ways() {
    let mut rig = Rig::new(82);
    let socket = bound(&mut rig, "0.0.0.0:7", false);
    let peer = rig.world.hosts[0].udp(20_000);
    // The card has to learn where the host is.
    throw(&mut rig, peer, b"here");
    rig.run("a datagram", |rig| take(rig, socket).is_some());
    let payload = bytes(0..65_507);
    rig.world.faults = Faults { cut: Some(1480), late: 300, ..Faults::default() };
    rig.world.throw(long(&payload));
    rig.run("all fragments", |rig| rig.on(0).datagram(socket, 0).is_some());
    let (got, from) = take(&mut rig, socket).unwrap();
    assert!((got == payload) && from == at_host(20_000));
    rig.world.keep_sent = true;
    assert_eq!(rig.on(0).reserve(socket, 65_508), Err(Status::TooLong));
    assert_eq!(send(&mut rig, socket, &payload, from), Ok(()));
    rig.pass(SECOND);
    // 45 fragments, each with its part: offsets and lengths as RFC 791 says.
    let mut whole = vec![None; 65_507];
    for frame in rig.world.sent.iter().filter(|frame| frame[12..14] == [8, 0] && frame[23] == 17) {
        let half = |at: usize| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
        let (offset, length) = ((half(20) & 0x1fff) * 8, half(16) - 20);
        for at in (offset..offset + length).filter(|&at| at >= 8) {
            assert!(whole[at - 8].replace(frame[34 + at - offset]).is_none());
        }
    }
    assert!(whole.iter().enumerate().all(|(at, &got)| got == Some(byte(at))));
    rig.on(0).close(socket);
    rig.assert_clean();
}

#[test]
fn a_datagram_that_is_too_long_is_dropped_counted_and_stops_nobody() {
    let wish = Wish::default();
    let mut rig = Rig::with(83, Wish { sockets: Config { datagram: 1000, ..wish.sockets }, ..wish });
    let (socket, peer) = (bound(&mut rig, "10.0.0.1:7", false), rig.world.hosts[0].udp(20_000));
    for length in [1000, 1001, 3] {
        throw(&mut rig, peer, &bytes(0..length));
    }
    rig.pass(SECOND);
    let got: Vec<_> = std::iter::from_fn(|| take(&mut rig, socket)).map(|(bytes, _)| bytes.len()).collect();
    assert_eq!((got, rig.sockets[0].counters().too_long), (vec![1000, 3], 1));
    rig.on(0).close(socket);
    rig.assert_clean();
}

#[test]
fn what_waits_is_bounded_and_comes_in_order_when_there_is_room() {
    let mut rig = Rig::new(84);
    let (socket, peer) = (bound(&mut rig, "10.0.0.1:7", false), rig.world.hosts[0].udp(20_000));
    for number in 0..200 {
        throw(&mut rig, peer, &[number; 700]);
        rig.pass(1000);
    }
    assert_eq!(rig.memories[0].taken(), 4);
    let got: Vec<_> = std::iter::from_fn(|| take(&mut rig, socket)).map(|(bytes, _)| bytes[0]).collect();
    // Four in memory, and in the stack's queue as many as 100,000 bytes hold, 64 more for each; the others are dropped there.
    let kept = 4 + 100_000 / 764;
    assert_eq!(got, (0..kept as u8).collect::<Vec<_>>());
    let dropped = rig.world.stacks[0].transport().counters().dropped.of(Cause::QueueFull);
    assert_eq!(dropped, 200 - kept);
    rig.on(0).close(socket);
    rig.assert_clean();
}

#[test]
fn a_receive_buffer_bounds_bytes_but_one_datagram_always_fits() {
    let mut rig = Rig::new(85);
    let (socket, peer) = (bound(&mut rig, "10.0.0.1:7", false), rig.world.hosts[0].udp(20_000));
    assert_eq!(rig.on(0).set_option(socket, Opt::ReceiveBuffer, 1000), Ok(()));
    for length in [1400, 500, 500, 1] {
        throw(&mut rig, peer, &bytes(0..length));
    }
    rig.pass(SECOND);
    assert_eq!(rig.memories[0].taken(), 1);
    take(&mut rig, socket);
    assert_eq!(rig.memories[0].taken(), 2);
    assert_eq!(rig.on(0).set_option(socket, Opt::ReceiveBuffer, 1001), Ok(()));
    assert_eq!((rig.memories[0].taken(), rig.on(0).option(socket, Opt::ReceiveBuffer)), (3, Ok(1001)));
    assert_eq!(rig.on(0).set_option(socket, Opt::SendBuffer, 0), Ok(()));
    assert!(rig.on(0).reserve(socket, 900).unwrap().is_some());
    assert_eq!(rig.on(0).reserve(socket, 0), Ok(None));
    rig.on(0).close(socket);
    rig.assert_clean();
}

#[test]
fn sockets_that_find_no_memory_get_it_in_turn() {
    let shares = vec![(Share::Received, 1500, 1), (Share::ToSend, 1500, 1)];
    let mut rig = Rig::with(86, Wish { shares, ..Wish::default() });
    let sockets = [7, 8, 9].map(|port| bound(&mut rig, &format!("10.0.0.1:{port}"), false));
    let peer = rig.world.hosts[0].udp(20_000);
    for round in 0..4 {
        for port in [7, 8, 9] {
            let to = IpEndpoint::new(IpAddr::V4(CARD).into(), port);
            rig.world.hosts[0].datagrams(peer).send_slice(&[round], to).unwrap();
        }
    }
    rig.pass(SECOND);
    let mut order = Vec::new();
    rig.run("all", |rig| {
        assert!(rig.memories[0].taken_of(Share::Received) <= 1);
        for (number, &socket) in sockets.iter().enumerate() {
            order.extend(take(rig, socket).map(|(bytes, _)| (bytes[0], number)));
        }
        order.len() == 12
    });
    for number in 0..3 {
        let mine: Vec<_> = order.iter().filter(|(_, whose)| *whose == number).map(|(round, _)| *round).collect();
        assert_eq!(mine, [0, 1, 2, 3]);
        // Nobody is served twice more often than another.
        let last = order.iter().position(|&it| it == (1, number)).unwrap();
        assert!(last < 8, "{order:?}");
    }
    // Those who send have memory of their own, and wait for each other only.
    assert!(rig.on(0).reserve(sockets[0], 10).unwrap().is_some());
    assert_eq!(rig.on(0).reserve(sockets[1], 10), Ok(None));
    rig.serve();
    rig.on(0).release(sockets[0]);
    let news: Vec<_> = std::iter::from_fn(|| rig.on(0).changed()).collect();
    assert!(news.contains(&sockets[1]));
    sockets.into_iter().for_each(|socket| rig.on(0).close(socket));
    rig.assert_clean();
}

#[test]
fn places_for_datagrams_are_sent_and_given_up_in_order() {
    let mut rig = Rig::new(87);
    let (socket, peer) = (bound(&mut rig, "10.0.0.1:7", false), rig.world.hosts[0].udp(20_000));
    for number in 0..3 {
        let spans = rig.on(0).reserve(socket, 1 + u32::from(number)).unwrap().unwrap();
        rig.fill(spans, &vec![number; usize::from(number) + 1]);
    }
    assert_eq!(rig.on(0).send(socket, at_host(20_000)), Ok(()));
    rig.on(0).release(socket);
    assert_eq!(rig.on(0).send(socket, at_host(0)), Err(Status::NoAddress));
    assert_eq!(rig.on(0).send(socket, at_host(20_000)), Err(Status::WrongState));
    assert_eq!(rig.memories[0].taken(), 0);
    assert_eq!(send(&mut rig, socket, b"last", at_host(20_000)), Ok(()));
    rig.pass(SECOND);
    let host = rig.world.hosts[0].datagrams(peer);
    let got: Vec<_> = std::iter::from_fn(|| host.recv().ok().map(|(bytes, _)| bytes.to_vec())).collect();
    assert_eq!(got, [vec![0], b"last".to_vec()]);
    rig.on(0).close(socket);
    rig.assert_clean();
}

#[test]
fn to_close_with_datagrams_unread_and_reserved_gives_all_memory_back() {
    let mut rig = Rig::new(88);
    let (socket, peer) = (bound(&mut rig, "10.0.0.1:7", false), rig.world.hosts[0].udp(20_000));
    for _ in 0..9 {
        throw(&mut rig, peer, b"unread");
    }
    rig.pass(SECOND);
    assert!(rig.on(0).reserve(socket, 5).unwrap().is_some());
    assert_eq!(rig.memories[0].taken(), 5);
    rig.on(0).close(socket);
    assert_eq!(rig.memories[0].taken(), 0);
    rig.assert_clean();
}

#[test]
fn a_port_is_one_sockets_unless_all_want_to_share_it() {
    let mut rig = Rig::new(89);
    let first = bound(&mut rig, "10.0.0.1:7", true);
    let alone = rig.on(0).open(Protocol::Udp, Family::V4).unwrap();
    assert_eq!(rig.on(0).bind(alone, local(7)), Err(Status::AddressInUse));
    let second = bound(&mut rig, "10.0.0.1:7", true);
    [first, second, alone].into_iter().for_each(|socket| rig.on(0).close(socket));
    rig.assert_clean();
}

#[test]
fn a_group_is_heard_until_the_last_socket_leaves_it() {
    let group: IpAddr = "224.0.0.251".parse().unwrap();
    let mut rig = Rig::with(90, Wish { processors: 2, ..Wish::default() });
    let sockets = [0; 3].map(|_| bound(&mut rig, "0.0.0.0:7", true));
    let member = |rig: &Rig| [0, 1].map(|at| rig.world.stacks[at].port().memberships().is_member(group));
    let before = member(&rig);
    for (number, &socket) in sockets.iter().enumerate() {
        assert_eq!(rig.on(0).membership(socket, group, false), Err(Status::NoAddress));
        assert_eq!(rig.on(0).membership(socket, group, true), Ok(()), "{number}");
        assert_eq!(rig.on(0).membership(socket, group, true), Err(Status::AddressInUse));
    }
    for bad in ["10.0.0.1", "ff02::fb"] {
        assert_eq!(rig.on(0).membership(sockets[0], bad.parse().unwrap(), true), Err(Status::NoAddress));
    }
    rig.pass(SECOND);
    assert_eq!((before, member(&rig)), ([false; 2], [true; 2]));
    // One leaves, one is closed, one is aborted.
    assert_eq!(rig.on(0).membership(sockets[1], group, false), Ok(()));
    rig.on(0).close(sockets[0]);
    rig.pass(SECOND);
    assert_eq!(member(&rig), [true; 2]);
    rig.on(0).abort(sockets[2]);
    rig.pass(SECOND);
    assert_eq!(member(&rig), [false; 2]);
    rig.on(0).close(sockets[1]);
    rig.assert_clean();
}
