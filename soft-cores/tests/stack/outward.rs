//! Sessions that are opened from the card, and errors that come back (67.2, 67.5).

use std::net::Ipv4Addr;

use smoltcp::socket::tcp::State;
use soft_cores::net::SECOND;
use soft_cores::net::icmp::ErrorKind;
use soft_cores::net::stack::LocalPort;
use soft_cores::net::steering::Cause;
use soft_cores::net::steering::hash;
use soft_cores::net::transport::{Failure, OpenError, Options, SocketId, UseError};

use crate::world::{CARD, World, end};

const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// The hash reads all ports and addresses, so that a local port can be chosen by it.
fn with_ports(processors: usize, seed: u64) -> World {
    let registers =
        |table: &mut soft_cores::net::steering::table::Table| table.registers.fields |= hash::DESTINATION_PORT;
    let mut world = World::with(processors, 1, seed, |config| registers(&mut config.table));
    registers(&mut world.hardware);
    world
}

fn connect(world: &mut World, from: usize, port: LocalPort) -> Result<SocketId, OpenError> {
    let now = world.now;
    world.stacks[from].connect(now, None, port, end(PEER, 9), Options::default())
}

fn listen(world: &mut World) -> smoltcp::iface::SocketHandle {
    let socket = world.hosts[0].tcp(4096);
    world.hosts[0].stream(socket).listen(9).unwrap();
    socket
}

/// Sends a line to the host and back.
fn chat(world: &mut World, from: usize, socket: SocketId, peer: smoltcp::iface::SocketHandle) {
    world.run(10 * SECOND, |world| {
        let status = world.stacks[from].transport().status(socket).unwrap();
        assert_eq!(status.failure, None);
        status.readiness.connected
    });
    let now = world.now;
    assert_eq!(world.stacks[from].sockets(now, |it| it.send(now, socket, b"a line")), Ok(6));
    world.run(10 * SECOND, |world| world.hosts[0].stream(peer).recv_queue() == 6);
    let mut bytes = [0; 6];
    world.hosts[0].stream(peer).recv_slice(&mut bytes).unwrap();
    world.hosts[0].stream(peer).send_slice(&bytes).unwrap();
    world.run(10 * SECOND, |world| {
        let now = world.now;
        let mut got = [0; 10];
        world.stacks[from].sockets(now, |it| it.receive_into(now, socket, &mut got)) == Ok(6)
            && got.starts_with(b"a line")
    });
}

#[test]
fn row_67_2_a_port_is_found_whose_replies_come_here() {
    let mut world = with_ports(4, 1);
    for from in 0..4 {
        let peer = listen(&mut world);
        let socket = connect(&mut world, from, LocalPort::RepliesHere).unwrap();
        let session = world.stacks[from].transport().status(socket).unwrap().session;
        assert_eq!(world.hardware.target(&session), from);
        chat(&mut world, from, socket, peer);
    }
    for stack in &world.stacks {
        assert_eq!((stack.counters().handed_over.total(), stack.directory().sessions().1), (0, 0));
    }
}

#[test]
fn row_67_2_where_no_port_makes_them_come_here_the_directory_brings_the_replies() {
    // The hash reads the peer's end only: all replies go to one processor.
    let mut world = World::new(4, 1, 2);
    world.faults.message = 2000;
    let mut seen = 0;
    for from in 0..4 {
        let peer = listen(&mut world);
        let socket = connect(&mut world, from, LocalPort::Any).unwrap();
        let session = world.stacks[from].transport().status(socket).unwrap().session;
        let target = world.hardware.target(&session);
        // Its SYN leaves when the target knows.
        let status = world.stacks[from].transport().status(socket).unwrap();
        assert_eq!(status.state == State::SynSent, from == target);
        chat(&mut world, from, socket, peer);
        if from != target {
            seen += 1;
            assert_eq!(connect(&mut world, from, LocalPort::RepliesHere), Err(OpenError::PortsExhausted));
            assert_eq!(usize::from(session.local.port) % 4, from);
            assert_eq!(world.stacks[target].directory().owner(&session), Some(from));
            let forwarded = world.stacks[target].counters().segments.of(Cause::Directory);
            assert!(forwarded >= 2, "{forwarded}");
        }
        let now = world.now;
        world.stacks[from].sockets(now, |it| it.close(now, socket)).unwrap();
        world.hosts[0].stream(peer).close();
        world.pass(15 * SECOND);
    }
    assert_eq!(seen, 3);
    world.assert_clean(0, 0);
}

#[test]
fn a_given_port_is_used_once_to_the_same_peer() {
    let mut world = with_ports(2, 3);
    let socket = connect(&mut world, 0, LocalPort::Given(50_000)).unwrap();
    assert_eq!(connect(&mut world, 0, LocalPort::Given(50_000)), Err(OpenError::InUse));
    let other = world.stacks[0].connect(0, None, LocalPort::Given(50_000), end(PEER, 10), Options::default());
    assert!(other.is_ok_and(|other| other != socket));
    assert_eq!(connect(&mut world, 0, LocalPort::Given(0)), Err(OpenError::InvalidEnd));
    let foreign = world.stacks[0].connect(0, Some(PEER.into()), LocalPort::Any, end(PEER, 10), Options::default());
    assert_eq!(foreign, Err(OpenError::NotOurs));
}

#[test]
fn two_processors_that_want_one_session_do_not_both_get_it() {
    let mut world = World::new(2, 1, 4);
    let peer = listen(&mut world);
    // Both at once; the replies go to processor 1, for 0x0a00_0002 ^ 9 has five ones.
    let [second, first] = [0, 1].map(|from| connect(&mut world, from, LocalPort::Given(50_000)).unwrap());
    chat(&mut world, 1, first, peer);
    let status = world.stacks[0].transport().status(second).unwrap();
    assert_eq!((status.failure, status.readiness.closed), (Some(Failure::Unknown), true));
    let now = world.now;
    let sent = world.stacks[0].sockets(now, |it| it.send(now, second, b"x"));
    assert_eq!(sent, Err(UseError::Failed(Failure::Unknown)));
    world.stacks[0].sockets(now, |it| it.close(now, second)).unwrap();
    assert_eq!(world.stacks[0].transport().usage(), (0, 0));
}

#[test]
fn a_directory_that_is_full_refuses_and_what_lives_goes_on() {
    let mut world = World::with(2, 1, 5, |config| config.directory.elsewhere = 2);
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let peer = listen(&mut world);
        let socket = connect(&mut world, 0, LocalPort::Any).unwrap();
        world.pass(SECOND);
        outcomes.push(world.stacks[0].transport().status(socket).unwrap().failure);
        if outcomes.last() == Some(&None) {
            chat(&mut world, 0, socket, peer);
        }
    }
    assert_eq!(outcomes, [None, None, Some(Failure::Unknown)]);
    assert_eq!(world.stacks[1].directory().counters().full, 1);
}

#[test]
fn a_peer_that_refuses_and_one_that_is_not_there_are_told_apart() {
    let mut world = with_ports(2, 6);
    let refused = connect(&mut world, 0, LocalPort::RepliesHere).unwrap();
    let nobody = world.stacks[1]
        .connect(0, None, LocalPort::RepliesHere, end(Ipv4Addr::new(10, 0, 0, 99), 9), Options::default())
        .unwrap();
    world.pass(10 * SECOND);
    let failure = |stack: usize, socket| world.stacks[stack].transport().status(socket).unwrap().failure;
    assert_eq!(failure(0, refused), Some(Failure::Refused));
    assert_eq!(failure(1, nobody), Some(Failure::Unreachable(ErrorKind::HostUnreachable)));
    assert_eq!(world.stacks.iter().map(|it| it.transport().sessions()).sum::<usize>(), 0);
}

#[test]
fn a_socket_that_was_refused_can_be_used_and_kept() {
    let mut world = with_ports(2, 6);
    let refused = connect(&mut world, 0, LocalPort::RepliesHere).unwrap();
    world.pass(10 * SECOND);
    let now = world.now;
    assert_eq!(world.stacks[0].sockets(now, |it| it.shutdown(now, refused)), Ok(()));
    // Nothing is left to be done, also when its time to connect would have been over.
    assert_eq!(world.stacks[0].transport().next_deadline(), None);
    world.pass(60 * SECOND);
    assert_eq!(world.stacks[0].transport().status(refused).unwrap().failure, Some(Failure::Refused));
}

#[test]
fn a_peer_that_says_nothing_is_given_up() {
    let mut world = with_ports(2, 7);
    let peer = listen(&mut world);
    let first = connect(&mut world, 0, LocalPort::RepliesHere).unwrap();
    chat(&mut world, 0, first, peer);
    world.faults.lost = 1000;
    let socket = connect(&mut world, 0, LocalPort::RepliesHere).unwrap();
    world.pass(40 * SECOND);
    let failure = world.stacks[0].transport().status(socket).unwrap().failure;
    assert!(matches!(failure, Some(Failure::TimedOut | Failure::Unreachable(_))), "{failure:?}");
}

/// An ICMP error of a router about a segment that was sent: type, code, the word behind the checksum, and the packet.
fn router_says(kind: u8, code: u8, word: u32, packet: &[u8]) -> Vec<u8> {
    let quote = &packet[..28];
    let mut icmp = vec![kind, code, 0, 0];
    icmp.extend_from_slice(&word.to_be_bytes());
    icmp.extend_from_slice(quote);
    let sum = |bytes: &[u8]| {
        let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (!(sum as u16)).to_be_bytes()
    };
    let check = sum(&icmp);
    icmp[2..4].copy_from_slice(&check);
    let mut ip = vec![0x45, 0, 0, 20 + icmp.len() as u8, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 254];
    ip.extend_from_slice(&CARD.octets());
    let check = sum(&ip);
    ip[10..12].copy_from_slice(&check);
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 254, 8, 0][..], &ip, &icmp].concat()
}

#[test]
fn row_67_5_a_report_that_a_path_is_narrow_finds_the_owner_of_the_session() {
    let mut world = with_ports(4, 8);
    // A router's reports come to the processor of its address: 0x0a00_00fe in pairs of bits is 2 ^ 2 ^ 3 ^ 3 ^ 3 ^ 2 = 1.
    let reports_to = 1;
    for from in 0..4 {
        let peer = listen(&mut world);
        let socket = connect(&mut world, from, LocalPort::RepliesHere).unwrap();
        chat(&mut world, from, socket, peer);
        world.sent.clear();
        world.keep_sent = true;
        world.faults.lost = 1000;
        let now = world.now;
        world.stacks[from].sockets(now, |it| it.send(now, socket, &[7; 4000])).unwrap();
        world.settle();
        let longest = |world: &World| world.sent.iter().map(|frame| frame.len() - 14).max();
        assert_eq!(longest(&world), Some(1500));
        let packet = world.sent[0][14..].to_vec();
        world.sent.clear();
        world.faults.lost = 0;
        // Somebody who has not seen the segment does not know its number (RFC 5927).
        let mut guess = packet.clone();
        guess[24] ^= 0x55;
        world.throw(router_says(3, 4, 1000, &guess));
        world.throw(router_says(3, 4, 1400, &packet));
        world.run(20 * SECOND, |world| world.hosts[0].stream(peer).recv_queue() == 4000);
        assert_eq!(longest(&world), Some(1400));
        assert_eq!(world.stacks[from].transport().counters().narrowed, 1);
        let forwarded = world.stacks[reports_to].counters().handed_over.of(from);
        assert_eq!(forwarded, if from == reports_to { 0 } else { 2 });
        world.keep_sent = false;
    }
}

#[test]
fn what_a_router_says_ends_a_session_that_begins_and_no_other() {
    let mut world = with_ports(2, 9);
    let peer = listen(&mut world);
    let lives = connect(&mut world, 1, LocalPort::RepliesHere).unwrap();
    world.keep_sent = true;
    chat(&mut world, 1, lives, peer);
    let of_session = |frame: &&Vec<u8>| frame[12..14] == [8, 0] && frame[23] == 6;
    let last = world.sent.iter().rfind(of_session).unwrap()[14..].to_vec();
    world.throw(router_says(3, 1, 0, &last));
    world.pass(SECOND);
    assert_eq!(world.stacks[1].transport().status(lives).unwrap().failure, None);
    world.faults.lost = 1000;
    let begins = connect(&mut world, 1, LocalPort::RepliesHere).unwrap();
    world.settle();
    let first = world.sent.iter().rfind(of_session).unwrap()[14..].to_vec();
    world.faults.lost = 0;
    world.throw(router_says(3, 13, 0, &first));
    world.pass(1000);
    let failure = world.stacks[1].transport().status(begins).unwrap().failure;
    assert_eq!(failure, Some(Failure::Unreachable(ErrorKind::Prohibited)));
}

#[test]
fn a_narrow_path_of_datagrams_is_told_to_all_processors() {
    let mut world = World::new(4, 1, 10);
    let bind = |stack: &mut soft_cores::net::stack::Stack| stack.bind(end(CARD, 7), Options::default()).unwrap();
    let sockets: Vec<_> = world.stacks.iter_mut().map(bind).collect();
    world.keep_sent = true;
    let lengths = |world: &mut World, from: usize| -> Vec<_> {
        world.sent.clear();
        let now = world.now;
        world.stacks[from].send_to(now, sockets[from], end(PEER, 20_000), &[7; 1472]).unwrap();
        world.pass(SECOND);
        world.sent.iter().filter(|it| it[12..14] == [8, 0] && it[23] == 17).map(|it| it.len() - 14).collect()
    };
    assert_eq!(lengths(&mut world, 3), [1500]);
    let packet = world.sent.iter().find(|it| it[12..14] == [8, 0]).unwrap()[14..].to_vec();
    world.throw(router_says(3, 4, 1400, &packet));
    world.pass(SECOND);
    for from in 0..4 {
        // 1,376 of 1,480 bytes fit 1,400, in eights.
        assert_eq!(lengths(&mut world, from), [1396, 124]);
        assert_eq!(world.stacks[from].transport().counters().narrowed, 1);
    }
}
