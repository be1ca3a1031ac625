//! A station and a server on `smoltcp`, a link between them.

use std::net::SocketAddr;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::{tcp, udp};

use super::*;
use crate::clients::CYCLES_PER_MICRO;
use crate::clients::tcp::{Expect, Outcome, Step};
use crate::link::{Conditions, Link};
use crate::programs::neighbour;

const SECOND: Micros = 1_000_000;

/// What the server does with a connection.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Sends everything back, and ends when the other end does.
    Echo,
    /// Resets it after so many bytes.
    ResetAfter(usize),
    /// Takes nothing and says nothing.
    Silent,
}

/// A station with a listening socket on port 7, and a UDP socket that echoes.
struct Server {
    station: SharedStation,
    listener: SocketHandle,
    datagrams: SocketHandle,
    manner: Manner,
    taken: usize,
    echoed: usize,
}

impl Server {
    fn new(manner: Manner) -> Self {
        let mut station = Station::new(neighbour(2, 5));
        let buffer = || tcp::SocketBuffer::new(vec![0; 8192]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.listen(7).unwrap();
        let listener = station.sockets.add(socket);
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 8192]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(7).unwrap();
        let datagrams = station.sockets.add(socket);
        Self { station: station.shared(), listener, datagrams, manner, taken: 0, echoed: 0 }
    }

    fn serve(&mut self) {
        let station = &mut *self.station.borrow_mut();
        let socket = station.sockets.get_mut::<udp::Socket>(self.datagrams);
        while let Ok((bytes, from)) = socket.recv() {
            let bytes = bytes.to_vec();
            socket.send_slice(&bytes, from.endpoint).unwrap();
            self.echoed += 1;
        }
        let socket = station.sockets.get_mut::<tcp::Socket>(self.listener);
        if self.manner == Manner::Silent {
            return;
        }
        while socket.can_recv() && socket.can_send() {
            let room = socket.send_capacity() - socket.send_queue();
            let bytes = socket.recv(|bytes| (bytes.len().min(room), bytes[..bytes.len().min(room)].to_vec())).unwrap();
            assert_eq!(socket.send_slice(&bytes), Ok(bytes.len()));
            self.taken += bytes.len();
        }
        if matches!(self.manner, Manner::ResetAfter(most) if self.taken >= most) {
            socket.abort();
        } else if socket.state() == tcp::State::CloseWait && socket.recv_queue() == 0 {
            socket.close();
        }
    }
}

/// Runs both until the station has nothing left to do: the microsecond at which it has.
fn run(client: &SharedStation, server: &mut Server, conditions: Conditions) -> Micros {
    let mut link = Link::new(crate::link::Config::both(conditions), 3);
    let (mut station, mut peer) = (client.clone(), server.station.clone());
    let mut cycle = 0;
    for _ in 0..1_000_000 {
        let now = cycle / CYCLES_PER_MICRO;
        while let Some(arrival) = link.to_card.arrive(cycle) {
            peer.receive(now, &arrival.bytes);
        }
        while let Some(arrival) = link.from_card.arrive(cycle) {
            station.receive(now, &arrival.bytes);
        }
        let (mut sent, mut answered) = (Vec::new(), Vec::new());
        let client_due = station.poll(now, &mut sent);
        peer.poll(now, &mut answered);
        server.serve();
        let server_due = peer.poll(now, &mut answered);
        sent.into_iter().for_each(|frame| link.to_card.send(cycle, frame));
        answered.into_iter().for_each(|frame| link.from_card.send(cycle, frame));
        if client.borrow().is_done() {
            return now;
        }
        let due = [client_due, server_due].map(|due| due.map(|due| due.max(now + 1) * CYCLES_PER_MICRO));
        let arrivals = [link.to_card.next(), link.from_card.next()].map(|due| due.map(|due| due.max(cycle + 1)));
        cycle = due.into_iter().chain(arrivals).flatten().min().expect("somebody has something to do");
    }
    panic!("it does not end");
}

fn target() -> SocketAddr {
    (neighbour(2, 5).addresses[0].0, 7).into()
}

fn script(steps: &[Step]) -> Script {
    Script {
        target: target(),
        local_port: 5000,
        start: 10,
        steps: steps.to_vec(),
        seed: 77,
        expect: Expect::Echo,
        buffer: 4096,
        patience: 600 * SECOND,
    }
}

fn connect(script: Script, manner: Manner, conditions: Conditions) -> (Outcome, (u64, u64), Server) {
    let client = Station::new(neighbour(1, 5)).shared();
    client.borrow_mut().connect(script);
    let mut server = Server::new(manner);
    run(&client, &mut server, conditions);
    let client = client.borrow();
    let connection = &client.connections()[0];
    (connection.outcome(), connection.bytes(), server)
}

const EXCHANGE: [Step; 3] = [Step::Exchange { send: 100_000, receive: 100_000 }, Step::Shutdown, Step::AwaitEnd];

#[test]
fn an_exchange_is_done_when_every_byte_is_back_and_both_ends_have_ended() {
    let (outcome, bytes, server) = connect(script(&EXCHANGE), Manner::Echo, Conditions::default());
    assert_eq!((outcome, bytes, server.taken), (Outcome::Done, (100_000, 100_000), 100_000));
    let lossy = Conditions { loss: 100, reordering: 100, duplication: 100, ..Conditions::default() };
    let (outcome, bytes, _) = connect(script(&EXCHANGE), Manner::Echo, lossy);
    assert_eq!((outcome, bytes), (Outcome::Done, (100_000, 100_000)));
}

#[test]
fn what_comes_before_the_end_is_taken_after_a_half_close() {
    let steps = [Step::Exchange { send: 20_000, receive: 1_000 }, Step::Pause(500), Step::Shutdown, Step::AwaitEnd];
    let (outcome, bytes, _) = connect(script(&steps), Manner::Echo, Conditions::default());
    assert_eq!((outcome, bytes), (Outcome::Done, (20_000, 20_000)));
}

#[test]
fn a_byte_that_is_not_what_it_should_be_ends_it() {
    let wrong = Script { expect: Expect::Pattern(78), ..script(&EXCHANGE) };
    let first = (0..).find(|&k| crate::clients::pattern(77, k) != crate::clients::pattern(78, k)).unwrap();
    assert_eq!(connect(wrong, Manner::Echo, Conditions::default()).0, Outcome::WrongByte(first));
    let any = Script { expect: Expect::Anything, ..script(&EXCHANGE) };
    assert_eq!(connect(any, Manner::Echo, Conditions::default()).0, Outcome::Done);
}

#[test]
fn a_connection_that_is_refused_reset_or_left_alone_says_so() {
    let refused = Script { target: (target().ip(), 8).into(), ..script(&EXCHANGE) };
    assert_eq!(connect(refused, Manner::Echo, Conditions::default()).0, Outcome::Refused);
    assert_eq!(connect(script(&EXCHANGE), Manner::ResetAfter(30_000), Conditions::default()).0, Outcome::Broken);
    let waits = [Step::Exchange { send: 10, receive: 0 }, Step::AwaitEnd];
    assert_eq!(connect(script(&waits), Manner::ResetAfter(10), Conditions::default()).0, Outcome::Broken);
    let hasty = Script { patience: 5 * SECOND, ..script(&EXCHANGE) };
    assert_eq!(connect(hasty, Manner::Silent, Conditions::default()).0, Outcome::TooLate);
    let (outcome, bytes, _) = connect(script(&[Step::Abort]), Manner::Echo, Conditions::default());
    assert_eq!((outcome, bytes), (Outcome::Done, (0, 0)));
}

#[test]
fn datagrams_and_unanswered_pings_are_counted_one_by_one() {
    let client = Station::new(neighbour(1, 5)).shared();
    let datagrams = DatagramScript {
        target: target(),
        local_port: 9,
        count: 20,
        bytes: 600,
        start: 5,
        interval: 100,
        patience: 1000,
        seed: 4,
    };
    client.borrow_mut().send_datagrams(datagrams);
    let ping = PingScript { target: target().ip(), count: 20, payload: 50, start: 400, interval: 70, patience: 1000 };
    client.borrow_mut().ping(ping);
    let mut server = Server::new(Manner::Echo);
    let end = run(&client, &mut server, Conditions::default());
    assert_eq!(server.echoed, 20);
    assert_eq!(end, 5 + 20 * 100 + 1000);
    let client = client.borrow();
    let (datagrams, ping) = (&client.datagrams()[0], &client.pings()[0]);
    // The server does not answer them.
    assert_eq!((ping.asked(), ping.answers(), ping.wrong()), (20, &[0; 20][..], 0));
    assert_eq!((datagrams.sent(), datagrams.answers(), datagrams.wrong()), (20, &[1; 20][..], 0));
}
