//! Addresses and options.

use abi::socket::{Family, Opt, Protocol, Status};
use smoltcp::socket::tcp::State;
use soft_cores::ism::transport::{Condition, Socket, Transport};
use soft_cores::net::SECOND;

use crate::rig::{RING, Rig, at_host, local};

#[test]
fn an_address_is_the_cards_and_free_and_of_its_family() {
    let mut rig = Rig::new(61);
    let opened = [Protocol::Tcp, Protocol::Udp].map(|protocol| {
        let mut sockets = (0..3).map(|_| rig.on(0).open(protocol, Family::V4).unwrap());
        [sockets.next().unwrap(), sockets.next().unwrap(), sockets.next().unwrap()]
    });
    for [first, second, third] in opened {
        let mut bind = |socket, to: &str| rig.on(0).bind(socket, to.parse().unwrap());
        for foreign in ["10.0.0.2:80", "[::]:80", "[fe80::1]:80", "255.255.255.255:80"] {
            assert_eq!(bind(first, foreign), Err(Status::NoAddress), "{foreign}");
        }
        assert_eq!(bind(first, "10.0.0.1:80"), Ok(local(80)));
        assert_eq!(bind(first, "10.0.0.1:81"), Err(Status::WrongState));
        assert_eq!(bind(second, "10.0.0.1:80"), Err(Status::AddressInUse));
        assert_eq!(bind(second, "0.0.0.0:80"), Err(Status::AddressInUse));
        // A port of its own for port 0, each another one.
        let given = [second, third].map(|socket| bind(socket, "0.0.0.0:0").unwrap());
        assert!(given[0].port() >= 49_152 && given[1].port() >= 49_152 && given[0] != given[1], "{given:?}");
        assert_eq!([second, third].map(|socket| rig.on(0).local(socket)), given.map(Some));
        [first, second, third].into_iter().for_each(|socket| rig.on(0).close(socket));
    }
    rig.assert_clean();
}

#[test]
fn a_call_that_does_not_fit_the_socket_is_refused() {
    let mut rig = Rig::new(62);
    let (tcp, udp) = (rig.tcp(0), rig.on(0).open(Protocol::Udp, Family::V4).unwrap());
    let nobody = Socket(999);
    assert_eq!(rig.on(0).listen(tcp, 1), Err(Status::WrongState));
    assert_eq!(rig.on(0).bind(nobody, local(1)), Err(Status::NoSession));
    assert_eq!(rig.on(0).connect(nobody, at_host(1)), Err(Status::NoSession));
    assert_eq!(rig.on(0).reserve(tcp, 1), Err(Status::WrongState));
    assert_eq!(rig.on(0).reserve(udp, 1), Err(Status::WrongState));
    assert_eq!(rig.on(0).send(udp, at_host(1)), Err(Status::WrongState));
    assert_eq!(rig.on(0).accept(tcp), None);
    assert_eq!(rig.on(0).connect(udp, at_host(1)), Err(Status::WrongState));
    rig.on(0).bind(udp, local(7)).unwrap();
    assert_eq!(rig.on(0).listen(udp, 1), Err(Status::WrongState));
    for socket in [tcp, udp, nobody] {
        let mut below = rig.on(0);
        assert_eq!((below.condition(socket), below.at_end(socket)), (Condition::Idle, false));
        assert_eq!((below.readable(socket, 0).length(), below.writable(socket, 0).length()), (0, 0));
        assert_eq!((below.remote(socket), below.waiting(socket), below.datagram(socket, 0)), (None, 0, None));
        below.consume(socket, 5);
        below.commit(socket, 5);
        below.shut_down(socket);
        below.release(socket);
        below.drop_datagram(socket);
    }
    for socket in [tcp, udp, nobody] {
        rig.on(0).close(socket);
        rig.on(0).abort(socket);
    }
    rig.assert_clean();
}

#[test]
fn options_are_kept_and_go_on_to_what_a_listener_accepts() {
    let mut rig = Rig::new(63);
    let listener = rig.tcp(0);
    let defaults = [(Opt::NoDelay, 0), (Opt::KeepAlive, 0), (Opt::ReuseAddress, 0)];
    for (option, value) in defaults.into_iter().chain([(Opt::ReceiveBuffer, RING), (Opt::SendBuffer, RING)]) {
        assert_eq!(rig.on(0).option(listener, option), Ok(value));
    }
    // What cannot be is made what can.
    for (asked, given) in [(1, 2048), (u32::MAX, RING), (2500, 2500)] {
        assert_eq!(rig.on(0).set_option(listener, Opt::ReceiveBuffer, asked), Ok(()));
        assert_eq!(rig.on(0).option(listener, Opt::ReceiveBuffer), Ok(given));
    }
    assert_eq!(rig.on(0).set_option(listener, Opt::SendBuffer, 2048), Ok(()));
    assert_eq!(rig.on(0).set_option(listener, Opt::ReuseAddress, 1), Ok(()));
    rig.on(0).bind(listener, local(80)).unwrap();
    rig.on(0).listen(listener, 4).unwrap();
    // After that it has begun to listen.
    assert_eq!(rig.on(0).set_option(listener, Opt::KeepAlive, 7), Ok(()));
    assert_eq!(rig.on(0).set_option(listener, Opt::NoDelay, 1), Ok(()));
    assert_eq!(rig.on(0).set_option(listener, Opt::SendBuffer, 3000), Err(Status::WrongState));
    assert_eq!(rig.on(0).set_option(listener, Opt::ReuseAddress, 0), Err(Status::WrongState));
    let peer = rig.dial(80, 40_000);
    rig.run("a connection", |rig| rig.on(0).waiting(listener) == 1);
    let socket = rig.on(0).accept(listener).unwrap().socket;
    let expected = [
        (Opt::NoDelay, 1),
        (Opt::KeepAlive, 7),
        (Opt::ReuseAddress, 1),
        (Opt::ReceiveBuffer, 2500),
        (Opt::SendBuffer, 2048),
    ];
    for (option, value) in expected {
        assert_eq!(rig.on(0).option(socket, option), Ok(value));
    }
    assert_eq!(rig.on(0).writable(socket, 0).length(), 2048);
    // Probes leave every seven seconds, and no others: the peer answers each.
    rig.pass(SECOND);
    rig.world.arrived.clear();
    rig.world.keep_arrived = true;
    rig.pass(30 * SECOND);
    let segments = |rig: &Rig| rig.world.arrived.iter().filter(|it| it[12..14] == [8, 0] && it[23] == 6).count();
    assert_eq!(segments(&rig), 4);
    assert_eq!(rig.on(0).set_option(socket, Opt::KeepAlive, 0), Ok(()));
    rig.pass(10 * SECOND);
    rig.world.arrived.clear();
    rig.pass(30 * SECOND);
    assert_eq!(segments(&rig), 0);
    rig.on(0).close(socket);
    rig.on(0).close(listener);
    rig.run("the end", |rig| rig.host(peer).state() == State::CloseWait);
    rig.host(peer).close();
    rig.assert_clean();
}

#[test]
fn no_delay_sends_small_segments_at_once() {
    let mut segments = [0; 2];
    for (no_delay, segments) in segments.iter_mut().enumerate() {
        let mut rig = Rig::new(64);
        let (_, socket) = rig.accepted();
        assert_eq!(rig.on(0).set_option(socket, Opt::NoDelay, no_delay as u32), Ok(()));
        rig.world.keep_sent = true;
        for _ in 0..5 {
            rig.write(socket, b"x");
        }
        rig.serve();
        *segments = rig.world.sent.iter().filter(|frame| frame[23] == 6).count();
        rig.on(0).abort(socket);
        rig.assert_clean();
    }
    assert_eq!(segments, [1, 5]);
}

#[test]
fn an_option_that_a_socket_does_not_have_is_refused() {
    let mut rig = Rig::new(65);
    let (tcp, udp) = (rig.tcp(0), rig.on(0).open(Protocol::Udp, Family::V4).unwrap());
    for (socket, option) in
        [(udp, Opt::NoDelay), (udp, Opt::KeepAlive), (tcp, Opt::Join), (tcp, Opt::Leave), (udp, Opt::Join)]
    {
        assert_eq!(rig.on(0).set_option(socket, option, 1), Err(Status::Unsupported), "{option:?}");
        assert_eq!(rig.on(0).option(socket, option), Err(Status::Unsupported), "{option:?}");
    }
    assert_eq!(rig.on(0).option(Socket(99), Opt::NoDelay), Err(Status::NoSession));
    assert_eq!(rig.on(0).membership(tcp, "224.0.0.251".parse().unwrap(), true), Err(Status::WrongState));
    [tcp, udp].into_iter().for_each(|socket| rig.on(0).close(socket));
    rig.assert_clean();
}
