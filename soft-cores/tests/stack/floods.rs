//! Backlogs, and what happens when there is too much of something.

use smoltcp::socket::tcp::State;
use soft_cores::net::SECOND;
use soft_cores::net::transport::{Cause, OpenError, Options, UseError};

use crate::echo::{Client, Server, run_all};
use crate::world::{CARD, World, any};

fn dropped(world: &World, cause: Cause) -> u64 {
    world.stacks.iter().map(|stack| stack.transport().counters().dropped.of(cause)).sum()
}

/// A SYN from an address where nobody is (RFC 9293, 3.1), by hand.
pub fn syn(source: [u8; 4], port: u16, sequence: u32) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 9, 9, 8, 0];
    let mut ip = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0];
    ip.extend_from_slice(&source);
    ip.extend_from_slice(&CARD.octets());
    let sum = |bytes: &[u8], start: u32| {
        let mut sum: u32 =
            start + bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (!(sum as u16)).to_be_bytes()
    };
    let header = sum(&ip, 0);
    ip[10..12].copy_from_slice(&header);
    let mut tcp = [port.to_be_bytes(), 80_u16.to_be_bytes()].concat();
    tcp.extend_from_slice(&sequence.to_be_bytes());
    tcp.extend_from_slice(&[0, 0, 0, 0, 0x50, 2, 0x10, 0, 0, 0, 0, 0]);
    let pseudo = [&source[..], &CARD.octets(), &[0, 6, 0, 20], &tcp].concat();
    let check = sum(&pseudo, 0);
    tcp[16..18].copy_from_slice(&check);
    frame.extend_from_slice(&ip);
    frame.extend_from_slice(&tcp);
    frame
}

#[test]
fn a_flood_of_syns_is_bounded_and_who_answers_still_gets_through() {
    let mut world = World::new(4, 1, 1);
    let mut server = Server::start(&mut world, any(80), 16, Options::default());
    let mut clients: Vec<_> = Vec::new();
    for number in 0..4000_u32 {
        // A processor's 64 half-open connections last five milliseconds.
        let [_, _, a, b] = number.to_be_bytes();
        world.throw(syn([10, 0, 1 + a, b], 1000 + (number % 7) as u16, number));
        if number % 400 == 200 {
            clients.push(Client::connect(&mut world, 0, CARD, 80, 40_000 + number as u16, 3000));
        }
        world.pass(20);
        server.serve(&mut world);
        for client in &mut clients {
            client.go_on(&mut world);
            assert!(!client.was_reset);
        }
        for stack in &world.stacks {
            let (sockets, memory) = stack.transport().usage();
            assert!(sockets <= 1 + 64 + 10 && memory <= 74 * 32_768, "{sockets} sockets, {memory} bytes");
        }
    }
    run_all(&mut world, &mut server, &mut clients, 60 * SECOND);
    let replaced: u64 = world.stacks.iter().map(|stack| stack.transport().counters().replaced).sum();
    assert!((3700..=3800).contains(&replaced), "{replaced}");
    assert_eq!(server.accepted.len(), 10);
    server.stop(&mut world);
    world.pass(200 * SECOND);
    world.assert_clean(0, 0);
}

#[test]
fn half_open_connections_end_without_a_word() {
    let mut world = World::new(2, 0, 2);
    let server = Server::start(&mut world, any(80), 8, Options::default());
    for number in 0..8 {
        world.throw(syn([10, 0, 1, number], 99, 1));
    }
    world.pass(SECOND);
    let half_open: usize = (0..2).map(|it| world.stacks[it].transport().backlog(server.listeners[it]).unwrap().0).sum();
    assert_eq!(half_open, 8);
    world.pass(19 * SECOND);
    world.keep_sent = true;
    world.pass(60 * SECOND);
    world.assert_clean(1, 0);
    let resets = world.sent.iter().filter(|frame| frame[12..14] == [8, 0] && frame[47] & 4 != 0).count();
    assert_eq!(resets, 0);
    let abandoned: u64 = world.stacks.iter().map(|stack| stack.transport().counters().abandoned).sum();
    assert_eq!(abandoned, 8);
}

/// Local ports of 10.0.0.2 whose segments go to processor 0 of 2: 0x0a00_0002 has three ones, so with an odd number of ones.
fn ports_of_processor_0(count: usize) -> impl Iterator<Item = u16> {
    (40_000..41_000_u16).filter(|port| port.count_ones() % 2 == 1).take(count)
}

#[test]
fn a_burst_of_peers_is_not_refused() {
    let mut world = World::new(2, 1, 3);
    let mut server = Server::start(&mut world, any(80), 4, Options::default());
    let connect = |port| Client::connect(&mut world, 0, CARD, 80, port, 500);
    let mut clients: Vec<_> = ports_of_processor_0(40).map(connect).collect();
    world.pass(100_000);
    let waiting = world.stacks[0].transport().backlog(server.listeners[0]);
    assert_eq!(waiting, Ok((0, 40)));
    run_all(&mut world, &mut server, &mut clients, 60 * SECOND);
    assert_eq!((server.accepted.len(), server.failed, dropped(&world, Cause::BacklogFull)), (40, 0, 0));
}

#[test]
fn a_full_backlog_drops_and_takes_again_when_it_has_room() {
    let mut world = World::new(2, 1, 4);
    let mut server = Server::start(&mut world, any(80), 2, Options::default());
    let mut clients = Vec::new();
    for port in ports_of_processor_0(6) {
        clients.push(Client::connect(&mut world, 0, CARD, 80, port, 500));
        world.pass(10_000);
    }
    assert_eq!(world.stacks[0].transport().backlog(server.listeners[0]), Ok((0, 2)));
    assert_eq!(dropped(&world, Cause::BacklogFull), 4);
    let states: Vec<_> = clients.iter().map(|it| world.hosts[0].stream(it.socket).state()).collect();
    let (there, waiting) = (State::Established, State::SynSent);
    assert_eq!(states, [there, there, waiting, waiting, waiting, waiting], "nobody is refused");
    run_all(&mut world, &mut server, &mut clients, 60 * SECOND);
    assert_eq!((server.accepted.len(), server.failed), (6, 0));
}

#[test]
fn what_is_used_up_is_an_error_and_time_wait_gives_way() {
    let mut world = World::with(1, 1, 5, |config| {
        config.transport.sockets = 4;
        config.transport.memory = 100_000;
    });
    let mut server = Server::start(&mut world, any(80), 4, Options::default());
    let big = Options { receive_buffer: 90_000, send_buffer: 20_000, ..Options::default() };
    let stack = &mut world.stacks[0];
    let remote = crate::world::end(std::net::Ipv4Addr::new(10, 0, 0, 77), 9);
    let connect = |stack: &mut soft_cores::net::stack::Stack, options| {
        stack.connect(0, None, soft_cores::net::stack::LocalPort::Any, remote, options)
    };
    assert_eq!(connect(stack, big), Err(OpenError::OutOfMemory));
    let small = Options { receive_buffer: 1000, send_buffer: 1000, ..Options::default() };
    let sockets: Vec<_> = (0..3).map(|_| connect(stack, small).unwrap()).collect();
    assert_eq!(connect(stack, small), Err(OpenError::TooManySockets));
    assert_eq!(stack.bind(any(7), small), Err(OpenError::TooManySockets));
    for socket in sockets {
        stack.sockets(0, |it| it.close(0, socket)).unwrap();
    }
    assert_eq!(stack.transport().usage(), (1, 0));
    // Many connections one after the other, each ending in TIME-WAIT here: there is room for three at a time.
    for number in 0..8 {
        let mut client = Client::connect(&mut world, 0, CARD, 80, 50_000 + number, 10);
        client.pause = 0;
        world.run(SECOND, |world| {
            server.serve(world);
            client.go_on(world);
            server.open() == 1
        });
        let now = world.now;
        world.run(SECOND, |world| {
            let socket = server.any_open();
            if let Some((_, socket)) = socket {
                world.stacks[0].sockets(now, |it| it.close(now, socket)).unwrap();
                server.forget(0, socket);
            }
            let stream = world.hosts[0].stream(client.socket);
            if stream.state() == State::CloseWait {
                stream.close();
            }
            stream.state() == State::Closed
        });
        world.pass(1000);
    }
    let counters = world.stacks[0].transport().counters();
    assert_eq!((counters.accepted, counters.recycled), (8, 5));
    assert_eq!(world.stacks[0].sockets(0, |it| it.accept(server.listeners[0])), Err(UseError::WouldBlock));
}
