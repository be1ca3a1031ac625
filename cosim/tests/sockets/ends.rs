//! How connections end that do not end well: defined errors for the application, and nothing lost elsewhere.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use abi::socket::{Status, ready};
use cosim::host::{Config, Source, TcpListener, TcpStream, UdpSocket, applications, error};
use soft_cores::ism::Config as IsmConfig;

use super::bench::Setup;
use super::seeds;
use super::system::{Peer, System, address, host, module};

type Seen = Rc<RefCell<Vec<String>>>;

/// What applications have noted.
fn notes() -> (Seen, impl Fn(&str) + Clone + 'static) {
    let seen = Seen::default();
    let inner = Rc::clone(&seen);
    (seen, move |what: &str| inner.borrow_mut().push(what.to_owned()))
}

#[test]
fn errors_have_their_kind() {
    let mut system = System::new(Setup::new(1, 2));
    let silent = address("192.0.2.1:9999");
    let client = system.spawn(move |task| {
        let refused = TcpStream::connect(task, address("192.0.2.1:1")).err().unwrap();
        assert_eq!((refused.kind(), error::status(&refused)), (ErrorKind::ConnectionRefused, Some(Status::Refused)));
        let before = task.now();
        let late = TcpStream::connect_timeout(task, silent, Duration::from_micros(4)).err().unwrap();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        // 4 microseconds are 500 cycles.
        assert!((500..520).contains(&(task.now() - before)), "{}", task.now() - before);
        let first = TcpListener::bind(task, address("10.0.0.1:80"), 4).unwrap();
        let taken = TcpListener::bind(task, address("10.0.0.1:80"), 4).err().unwrap();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        first.set_timeout(Some(Duration::from_micros(1)));
        assert_eq!(first.accept().err().unwrap().kind(), ErrorKind::TimedOut);
        let socket = UdpSocket::bind(task, address("10.0.0.1:0")).unwrap();
        assert_ne!(socket.local_addr().port(), 0);
        socket.set_read_timeout(Some(Duration::from_micros(1)));
        assert_eq!(socket.recv_from(&mut [0; 9]).err().unwrap().kind(), ErrorKind::TimedOut);
        let there = address("192.0.2.1:5");
        assert_eq!(socket.send_to(&[0; 2049], there).err().unwrap().kind(), ErrorKind::InvalidInput);
        assert_eq!(socket.send_to(b"x", address("192.0.2.1:0")).err().unwrap().kind(), ErrorKind::AddrNotAvailable);
        assert_eq!(socket.send_to(b"x", there).unwrap(), 1);
        socket.set_membership("224.0.0.251".parse().unwrap(), true).unwrap();
        let again = socket.set_membership("224.0.0.251".parse().unwrap(), true).err().unwrap();
        assert_eq!(again.kind(), ErrorKind::AddrNotAvailable);
    });
    system.run_task(client);
    system.assert_nothing_leaks(&[], &[]);
}

#[test]
fn a_reset_wakes_whoever_reads_and_whoever_writes() {
    let mut system = System::new(Setup::new(2, 2));
    let (seen, note) = notes();
    let server = system.spawn(move |task| {
        let listener = TcpListener::bind(task, address("10.0.0.1:80"), 4).unwrap();
        for _ in 0..2 {
            let (stream, _) = listener.accept().unwrap();
            let (connection, note) = (stream.into_connection(), note.clone());
            task.spawn(move |task| {
                let mut stream = TcpStream::from_connection(task, connection);
                let mut first = [0];
                stream.read_exact(&mut first).unwrap();
                let error = if first[0] == b'r' {
                    stream.read(&mut first).unwrap_err()
                } else {
                    (0..).find_map(|_| stream.write(&[1; 999]).err()).unwrap()
                };
                note(&format!("{} {:?}", first[0] as char, error.kind()));
            });
        }
    });
    let readers = system.dial("192.0.2.1:5000", "10.0.0.1:80");
    let writers = system.dial("192.0.2.1:5001", "10.0.0.1:80");
    system.network.peer_writes(readers, b"r");
    system.network.peer_writes(writers, b"w");
    system.run(3000);
    assert!(seen.borrow().is_empty());
    system.network.peer_resets(readers);
    system.network.peer_resets(writers);
    system.run_task(server);
    system.run_until("both errors", |_| seen.borrow().len() == 2);
    seen.borrow_mut().sort();
    assert_eq!(*seen.borrow(), ["r ConnectionReset", "w ConnectionReset"]);
    system.assert_nothing_leaks(&[], &[]);
}

#[test]
fn an_application_that_is_killed_anywhere_leaves_nothing_behind() {
    let mut resets = 0;
    for seed in seeds(120) {
        let mut system = System::new(Setup::new(seed, 2));
        system.network.peer_listens(address("192.0.2.9:7000"));
        let server = system.spawn(|task| {
            let listener = TcpListener::bind(task, address("10.0.0.1:80"), 4).unwrap();
            let socket = UdpSocket::bind(task, address("10.0.0.1:53")).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let mut other = TcpStream::connect(task, address("192.0.2.9:7000")).unwrap();
            let mut bytes = [0; 700];
            loop {
                let length = stream.read(&mut bytes).unwrap();
                if length == 0 {
                    break;
                }
                other.write_all(&bytes[..length]).unwrap();
                socket.send_to(&bytes[..length], address("192.0.2.9:1")).unwrap();
            }
        });
        let mut peers = Vec::new();
        let (from, to) = (address("192.0.2.1:5000"), address("10.0.0.1:80"));
        for _ in 0..seed * 17 {
            if peers.is_empty()
                && let Some(id) = system.network.dial(from, to)
            {
                peers.push(Peer::new(id, &[3; 30_000], seed % 3 == 0));
            }
            peers.iter_mut().for_each(|peer| peer.step(&system.network));
            system.step();
        }
        system.executor.kill(server);
        system.run(1000);
        for peer in &peers {
            let end = system.network.peer_end(peer.id);
            assert!(end.is_some(), "seed {seed}: the peer waits for ever");
            resets += u32::from(end == Some(Err(Status::Reset)));
        }
        if let Some(id) = system.network.peer_accepts(address("192.0.2.9:7000")) {
            peers.push(Peer::new(id, b"", false));
        }
        system.assert_nothing_leaks(&[], &peers);
    }
    assert!(resets > 0);
}

#[test]
fn sessions_sockets_and_buffers_that_run_out_are_an_error_and_come_back() {
    for (what, config, modules) in [
        ("sessions of the host", Config { sessions: 12, ..host(&Setup::new(0, 2)) }, None),
        ("buffers", Config { buffers: 12, ..host(&Setup::new(0, 2)) }, None),
        ("sessions of a processor", host(&Setup::new(0, 2)), Some(6)),
    ] {
        let sessions = modules.unwrap_or(64);
        let mut system = System::with(Setup::new(3, 2), config, move |p| IsmConfig { sessions, ..module(p) });
        let there = address("192.0.2.9:7000");
        system.network.peer_listens(there);
        let task = system.spawn(move |task| {
            for _ in 0..3 {
                let mut streams = Vec::new();
                let error = loop {
                    match TcpStream::connect(task, there) {
                        Ok(stream) => streams.push(stream),
                        Err(error) => break error,
                    }
                };
                assert_eq!(error.kind(), ErrorKind::OutOfMemory);
                assert!((5..=12).contains(&streams.len()), "{}", streams.len());
                drop(streams);
                task.sleep(Duration::from_micros(20));
            }
        });
        system.run_until(what, |system| {
            while let Some(id) = system.network.peer_accepts(there) {
                system.network.peer_leaves(id);
            }
            !system.executor.is_alive(task)
        });
        system.assert_nothing_leaks(&[], &[]);
    }
}

#[test]
fn a_listener_that_nobody_serves_takes_no_more_than_its_share() {
    let mut system = System::new(Setup::new(4, 2));
    let server = system.spawn(|task| {
        let _listener = TcpListener::bind(task, address("10.0.0.1:80"), 3).unwrap();
        task.sleep(Duration::from_secs(1));
    });
    system.run(500);
    let mut peers = Vec::new();
    for port in 0..40 {
        let from = address(&format!("192.0.2.1:{}", 5000 + port));
        peers.extend(system.network.dial(from, address("10.0.0.1:80")).map(|id| Peer::new(id, b"", false)));
        system.run(50);
    }
    // On each of two processors two are accepted and three wait.
    assert_eq!(peers.len(), 10);
    assert_eq!(system.osm.sessions(), 2 + 4);
    system.assert_nothing_leaks(&[server], &peers);
}

#[test]
fn copies_that_fail_end_connections_with_an_error_and_nothing_else() {
    let (mut whole, mut failed) = (0, 0);
    for seed in seeds(12) {
        let mut system = System::new(Setup { faults: 4, ..Setup::new(seed, 2) });
        let server = system.spawn(|task| {
            // The listener's own calls may fail as well.
            let _ = applications::serve(task, address("10.0.0.1:7"), 16, applications::echo);
        });
        let mut peers = Vec::new();
        for _ in 0..3000 {
            system.step();
            if peers.len() < 6
                && let Some(id) =
                    system.network.dial(address(&format!("192.0.2.1:{}", 5000 + peers.len())), address("10.0.0.1:7"))
            {
                peers.push(Peer::new(id, &[5; 30_000], true));
            }
        }
        system.run_peers(&mut peers);
        for peer in &peers {
            match system.network.peer_end(peer.id) {
                Some(Ok(())) if peer.got.len() == 30_000 => whole += 1,
                Some(Err(Status::Reset)) => failed += 1,
                // The application saw the error when it read, and its end of the stream was still in order.
                other => {
                    assert!(peer.got.len() < 30_000, "seed {seed}: {other:?}");
                    failed += 1;
                }
            }
        }
        system.assert_nothing_leaks(&[server], &peers);
    }
    assert!(whole > 5 && failed > 5, "{whole} whole, {failed} failed");
}

#[test]
fn sources_are_waited_for_together() {
    let mut system = System::new(Setup::new(6, 2));
    let (seen, note) = notes();
    let server = system.spawn(move |task| {
        let listener = TcpListener::bind(task, address("10.0.0.1:80"), 4).unwrap();
        let socket = UdpSocket::bind(task, address("10.0.0.1:53")).unwrap();
        let sources: [(&dyn Source, u32); 2] = [(&listener, ready::ACCEPT), (&socket, ready::READ)];
        assert_eq!(task.poll(&sources, Some(task.after(Duration::from_micros(2)))), [0, 0]);
        note("nothing");
        assert_eq!(task.poll(&sources, None), [0, ready::READ]);
        note("a datagram");
        socket.recv_from(&mut [0; 10]).unwrap();
        assert_eq!(task.poll(&sources, None), [ready::ACCEPT, 0]);
        note("a connection");
        let (stream, _) = listener.accept().unwrap();
        assert_eq!(task.poll(&[(&stream, ready::WRITE)], None), [ready::WRITE]);
        assert_eq!(task.poll(&[(&stream, ready::READ)], None), [ready::READ]);
        note("its end");
    });
    system.run_until("nothing", |_| seen.borrow().len() == 1);
    assert!(system.network.peer_sends_to(address("192.0.2.1:5"), address("10.0.0.1:53"), b"x"));
    system.run_until("a datagram", |_| seen.borrow().len() == 2);
    let id = system.dial("192.0.2.1:5000", "10.0.0.1:80");
    system.run_until("a connection", |_| seen.borrow().len() == 3);
    system.network.peer_shuts(id);
    system.run_task(server);
    assert_eq!(seen.borrow().join(", "), "nothing, a datagram, a connection, its end");
    system.assert_nothing_leaks(&[], &[Peer::new(id, b"", false)]);
}
