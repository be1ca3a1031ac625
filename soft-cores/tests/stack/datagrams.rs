//! UDP: any processor may take a datagram, and a busy one does not (67.6, 68.3, 68.5).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::IpEndpoint;
use soft_cores::net::SECOND;
use soft_cores::net::steering::Cause;
use soft_cores::net::transport::{self, OpenError, Options, SocketId, UseError};

use crate::world::{CARD, Faults, World, any, end};

const PORT: u16 = 7;

fn bind_all(world: &mut World, options: Options) -> Vec<SocketId> {
    world.stacks.iter_mut().map(|stack| stack.bind(any(PORT), options).unwrap()).collect()
}

/// Sends back what has come; says how many each processor had.
fn echo(world: &mut World, sockets: &[SocketId], served: &mut [usize]) {
    let now = world.now;
    for (number, stack) in world.stacks.iter_mut().enumerate() {
        while let Ok(datagram) = stack.sockets(now, |it| it.receive_from(sockets[number])) {
            served[number] += 1;
            stack.send_to(now, sockets[number], datagram.from, &datagram.payload).unwrap();
        }
    }
}

fn by(world: &World, processor: usize, cause: Cause) -> u64 {
    world.stacks[processor].counters().datagrams.of(cause)
}

/// Sends so many datagrams, each from a port of its own, and wants each back once.
fn volley(world: &mut World, sockets: &[SocketId], count: u16) -> Vec<usize> {
    let mut served = vec![0; world.stacks.len()];
    let ports: Vec<_> = (0..count).map(|number| world.hosts[0].udp(20_000 + number)).collect();
    let to = IpEndpoint::new(IpAddr::V4(CARD).into(), PORT);
    // The card has to learn where the host is.
    for (number, &socket) in ports.iter().enumerate() {
        world.hosts[0].datagrams(socket).send_slice(&(number as u32).to_be_bytes(), to).unwrap();
    }
    let mut back = BTreeMap::new();
    world.run(20 * SECOND, |world| {
        echo(world, sockets, &mut served);
        for (number, &socket) in ports.iter().enumerate() {
            while let Ok((payload, from)) = world.hosts[0].datagrams(socket).recv() {
                assert_eq!((payload, from.endpoint), (&(number as u32).to_be_bytes()[..], to));
                assert_eq!(back.insert(number, ()), None, "datagram {number} came twice");
            }
        }
        back.len() == ports.len()
    });
    for &socket in &ports {
        world.hosts[0].datagrams(socket).close();
    }
    served
}

#[test]
fn row_67_6_a_busy_processors_datagrams_go_to_one_that_is_not_and_return_with_it() {
    let mut world = World::new(4, 1, 1);
    let sockets = bind_all(&mut world, Options::default());
    assert_eq!(volley(&mut world, &sockets, 80), [20; 4]);
    assert_eq!((0..4).map(|it| by(&world, it, Cause::Connectionless)).sum::<u64>(), 80);
    world.busy[0] = true;
    assert_eq!(volley(&mut world, &sockets, 80), [0, 40, 20, 20]);
    assert_eq!((by(&world, 0, Cause::Balanced), by(&world, 1, Cause::HandedOver)), (20, 20));
    // Two are, and the rest has it all.
    world.busy[1] = true;
    assert_eq!(volley(&mut world, &sockets, 80), [0, 0, 60, 20]);
    world.busy = vec![false; 4];
    assert_eq!(volley(&mut world, &sockets, 80), [20; 4]);
}

#[test]
fn row_68_3_what_was_handed_over_stays_although_the_receiver_is_busy_too() {
    let mut world = World::new(2, 1, 2);
    let sockets = bind_all(&mut world, Options::default());
    world.faults.message = 500;
    world.busy = vec![true, false];
    let port = world.hosts[0].udp(20_000);
    // 0x0a00_0002 ^ 20,000 has eight ones: processor 0's.
    assert_eq!((0x0a00_0002_u32 ^ 20_000).count_ones(), 8);
    let to = IpEndpoint::new(IpAddr::V4(CARD).into(), PORT);
    world.hosts[0].datagrams(port).send_slice(b"ball", to).unwrap();
    world.run(SECOND, |world| by(world, 0, Cause::Balanced) == 1);
    world.busy = vec![true, true];
    let mut served = vec![0; 2];
    world.run(SECOND, |world| {
        echo(world, &sockets, &mut served);
        served != [0, 0]
    });
    assert_eq!(served, [0, 1]);
    assert_eq!((by(&world, 1, Cause::HandedOver), by(&world, 1, Cause::Balanced)), (1, 0));
    world.pass(10_000);
    world.hosts[0].datagrams(port).close();
    // If all are busy nobody is asked.
    let before = world.stacks[0].counters().handed_over.total();
    assert_eq!(volley(&mut world, &sockets, 10).iter().sum::<usize>(), 10);
    assert_eq!(world.stacks[0].counters().handed_over.total(), before);
    assert!(by(&world, 0, Cause::AllBusy) > 0);
}

#[test]
fn datagrams_of_65_507_bytes_go_both_ways() {
    let mut world = World::new(4, 1, 3);
    let options = Options { receive_buffer: 200_000, ..Options::default() };
    let sockets = bind_all(&mut world, options);
    // From the host in fragments of 1,480 bytes, by hand, for it cannot do that.
    let payload: Vec<u8> = (0..65_507_u32).map(|at| ((at * 7) >> 3) as u8).collect();
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 2, 8, 0, 0x45, 0, 0xff, 0xff, 0, 0, 0, 0, 64, 17, 0, 0];
    frame.extend_from_slice(&[10, 0, 0, 2]);
    frame.extend_from_slice(&CARD.octets());
    // A checksum of zero is none (RFC 768).
    frame.extend_from_slice(&[0x4e, 0x20, 0, 7, 0xff, 0xeb, 0, 0]);
    frame.extend_from_slice(&payload);
    world.faults = Faults { cut: Some(1480), late: 300, message: 5, ..Faults::default() };
    world.throw(frame);
    world.keep_sent = true;
    let mut served = vec![0; 4];
    world.run(SECOND, |world| {
        echo(world, &sockets, &mut served);
        served.iter().sum::<usize>() == 1
    });
    world.faults.cut = None;
    world.pass(100_000);
    // Put together as RFC 791 says: every fragment at its offset.
    let fragments: Vec<_> = world.sent.iter().filter(|frame| frame[12..14] == [8, 0] && frame[23] == 17).collect();
    assert_eq!(fragments.len(), 45);
    let mut whole = vec![0; 65_515];
    let mut bytes = 0;
    for frame in fragments {
        let field = u16::from_be_bytes([frame[20], frame[21]]);
        let (offset, length) =
            (usize::from(field & 0x1fff) * 8, usize::from(u16::from_be_bytes([frame[16], frame[17]])) - 20);
        assert_eq!(field & 0x2000 == 0, offset + length == 65_515);
        assert_eq!(field & 0x4000, 0, "a router may cut fragments");
        whole[offset..offset + length].copy_from_slice(&frame[34..34 + length]);
        bytes += length;
    }
    assert_eq!(bytes, 65_515);
    assert_eq!((&whole[..6], &whole[8..]), (&[0, 7, 0x4e, 0x20, 0xff, 0xeb][..], &payload[..]));
    // What is not cut here may be cut nowhere (RFC 1191, 3).
    world.sent.clear();
    let now = world.now;
    let host = end(Ipv4Addr::new(10, 0, 0, 2), 20_000);
    let sender = served.iter().position(|&count| count == 1).unwrap();
    world.stacks[sender].send_to(now, sockets[sender], host, &[0; 1472]).unwrap();
    world.settle();
    let flags: Vec<_> = world.sent.iter().map(|frame| (frame.len(), frame[20], frame[21])).collect();
    assert_eq!(flags, [(1514, 0x40, 0)]);
}

#[test]
fn what_is_too_long_or_impossible_is_an_error() {
    let mut world = World::new(2, 0, 4);
    let stack = &mut world.stacks[0];
    let socket = stack.bind(any(PORT), Options::default()).unwrap();
    let peer = end(Ipv4Addr::new(10, 0, 0, 2), 9);
    assert_eq!(stack.send_to(0, socket, peer, &[0; 65_507]), Ok(()));
    assert_eq!(stack.send_to(0, socket, peer, &[0; 65_508]), Err(UseError::TooLong));
    assert_eq!(stack.send_to(0, socket, end(Ipv4Addr::new(10, 0, 0, 2), 0), b""), Err(UseError::InvalidEnd));
    assert_eq!(stack.bind(any(PORT), Options::default()), Err(OpenError::InUse));
    assert_eq!(stack.bind(any(0), Options::default()), Err(OpenError::InvalidEnd));
    assert_eq!(stack.bind(end(Ipv4Addr::new(10, 0, 0, 2), 8), Options::default()), Err(OpenError::NotOurs));
    let listener = stack.listen(any(80), 1, Options::default()).unwrap();
    assert_eq!(stack.send_to(0, listener, peer, b""), Err(UseError::WrongKind));
    stack.sockets(0, |it| it.close(0, socket)).unwrap();
    assert_eq!(stack.send_to(0, socket, peer, b""), Err(UseError::NoSuchSocket));
}

#[test]
fn a_queue_that_is_full_drops_and_counts() {
    let mut world = World::new(1, 1, 5);
    let socket = world.stacks[0].bind(any(PORT), Options { receive_buffer: 1000, ..Options::default() }).unwrap();
    let port = world.hosts[0].udp(20_000);
    let to = IpEndpoint::new(IpAddr::V4(CARD).into(), PORT);
    for number in 0..5 {
        world.hosts[0].datagrams(port).send_slice(&[number; 300], to).unwrap();
    }
    world.pass(SECOND);
    // Two of 364 bytes fit.
    let got: Vec<_> = std::iter::from_fn(|| world.stacks[0].sockets(0, |it| it.receive_from(socket)).ok())
        .map(|it| it.payload[0])
        .collect();
    assert_eq!(got, [0, 1]);
    assert_eq!(world.stacks[0].transport().counters().dropped.of(transport::Cause::QueueFull), 3);
}

#[test]
fn nobody_there_is_reported_and_groups_reach_all_who_are() {
    let mut world = World::new(2, 1, 6);
    world.keep_sent = true;
    let port = world.hosts[0].udp(20_000);
    let to = IpEndpoint::new(IpAddr::V4(CARD).into(), PORT);
    world.hosts[0].datagrams(port).send_slice(b"hello?", to).unwrap();
    world.pass(SECOND);
    // ICMP, type 3, code 3, with the packet that it is about.
    let icmp: Vec<_> = world.sent.iter().filter(|frame| frame[12..14] == [8, 0] && frame[23] == 1).collect();
    assert_eq!((icmp.len(), &icmp[0][34..36], &icmp[0][62..66]), (1, &[3, 3][..], &[0x4e, 0x20, 0, 7][..]));
    let group = Ipv4Addr::new(224, 1, 2, 3);
    let reuse = Options { reuse: true, ..Options::default() };
    world.stacks[1].join(1_000_000, group.into()).unwrap();
    world.pass(100_000);
    let sockets: Vec<Vec<_>> =
        world.stacks.iter_mut().map(|stack| (0..2).map(|_| stack.bind(any(PORT), reuse).unwrap()).collect()).collect();
    // By hand, for the host is in no group: from port 20,000 with the checksum of zero.
    let mut frame = vec![1, 0, 0x5e, 1, 2, 3, 2, 0, 0, 0, 1, 2, 8, 0, 0x45, 0, 0, 29, 0, 0, 0, 0, 1, 17, 0, 0];
    frame.extend_from_slice(&[10, 0, 0, 2, 224, 1, 2, 3, 0x4e, 0x20, 0, 7, 0, 9, 0, 0, b'!']);
    let sum: u32 = frame[14..34].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let check = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&check.to_be_bytes());
    world.throw(frame);
    world.pass(100_000);
    let mut heard = 0;
    for (stack, sockets) in world.stacks.iter_mut().zip(&sockets) {
        for &socket in sockets {
            if let Ok(datagram) = stack.sockets(0, |it| it.receive_from(socket)) {
                assert_eq!((datagram.to, &datagram.payload[..]), (group.into(), &b"!"[..]));
                heard += 1;
            }
        }
    }
    assert_eq!(heard, 2, "both sockets of the one processor that it came to");
    world.hosts[0].datagrams(port).send_slice(b"one", to).unwrap();
    world.pass(100_000);
    let all = world.stacks.iter_mut().zip(&sockets).flat_map(|(stack, sockets)| {
        sockets.iter().map(|&socket| stack.sockets(0, |it| it.receive_from(socket))).collect::<Vec<_>>()
    });
    assert_eq!(all.filter(Result::is_ok).count(), 1, "what is for one host is for one socket");
    let now = world.now;
    world.stacks[1].leave(now, group.into());
    world.pass(100_000);
}
