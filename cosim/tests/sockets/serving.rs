//! Every application serves.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::rc::Rc;

use cosim::host::http::Files;
use cosim::host::{Config, Policy, TcpStream, UdpSocket, applications, http, names};

use super::bench::Setup;
use super::seeds;
use super::system::{Peer, System, address, host, module};

fn pattern(length: u32, salt: u32) -> Vec<u8> {
    (0..length).map(|i| (i.wrapping_mul(31) + i / 253 + salt) as u8).collect()
}

#[test]
fn row_67_1_and_69_1_an_echo_server_serves_connections_of_all_processors_at_once() {
    for seed in seeds(6) {
        let setup = Setup { in_order: seed % 2 == 0, slow: 1 + seed * 4, ..Setup::new(seed, 4) };
        let mut system = System::new(setup);
        let server = system.spawn(|task| {
            applications::serve(task, address("10.0.0.1:7"), 16, applications::echo).unwrap();
        });
        // All four processors listen by then.
        system.run(1000);
        let mut peers = Vec::new();
        for number in 0..8 {
            let id = system.dial(&format!("192.0.2.1:{}", 5000 + number), "10.0.0.1:7");
            peers.push(Peer::new(id, &pattern(12_000, number), true));
        }
        system.run_peers(&mut peers);
        for (number, peer) in peers.iter().enumerate() {
            assert!(peer.got == pattern(12_000, number as u32), "seed {seed}, peer {number}: {} bytes", peer.got.len());
            assert_eq!(system.network.peer_end(peer.id), Some(Ok(())), "seed {seed}");
        }
        for (module, ..) in &system.modules {
            // What a connection is sent leaves by the processor that has received it.
            let counters = module.counters();
            assert_eq!((counters.accepted, counters.bytes_to_host), (2, 24_000), "seed {seed}");
            assert_eq!((counters.bytes_from_host, counters.refused.total()), (24_000, 0), "seed {seed}");
        }
        system.assert_nothing_leaks(&[server], &peers);
    }
}

#[test]
fn row_69_2_one_frame_each_way_and_few_buffers_are_enough() {
    for seed in seeds(3) {
        let setup = Setup { inbound: 1, outbound: 1, depth: 16, ..Setup::new(seed, 2) };
        let config = Config { buffers: 16, accepts: 1, ..host(&setup) };
        let mut system = System::with(setup, config, module);
        let server = system.spawn(|task| {
            applications::serve(task, address("10.0.0.1:7"), 16, applications::echo).unwrap();
        });
        let mut peers = Vec::new();
        for number in 0..4 {
            let id = system.dial(&format!("192.0.2.1:{}", 5000 + number), "10.0.0.1:7");
            peers.push(Peer::new(id, &pattern(6000, number), true));
        }
        system.run_peers(&mut peers);
        assert!(peers.iter().enumerate().all(|(n, peer)| peer.got == pattern(6000, n as u32)), "seed {seed}");
        system.assert_nothing_leaks(&[server], &peers);
    }
}

#[test]
fn an_http_server_gives_files_and_codes_over_one_connection() {
    let mut system = System::new(Setup::new(1, 4));
    let page = pattern(20_000, 9);
    let files: Files = [("/index.html".to_owned(), b"<p>hello".to_vec()), ("/big.bin".to_owned(), page.clone())].into();
    let files = Rc::new(files);
    let server = system.spawn(move |task| {
        let session = move |stream: TcpStream<'_>| http::serve(stream, &files);
        applications::serve(task, address("10.0.0.1:80"), 16, session).unwrap();
    });
    let id = system.dial("192.0.2.1:5000", "10.0.0.1:80");
    let asked = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /big.bin HTTP/1.1\r\n\r\nPUT / HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n\r\nGET /big.bin HTTP/1.1\r\nConnection: close\r\n\r\n";
    let mut peers = [Peer::new(id, asked, false)];
    system.run_peers(&mut peers);
    let mut expected = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 8\r\nConnection: keep-alive\r\n\r\n<p>hello\
        HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 20000\r\nConnection: keep-alive\r\n\r\n\
        HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n\
        HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nConnection: keep-alive\r\n\r\nnot found\n\
        HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 20000\r\nConnection: close\r\n\r\n"
        .to_vec();
    expected.extend(page);
    assert!(peers[0].got == expected, "{}", String::from_utf8_lossy(&peers[0].got[..400]));
    system.assert_nothing_leaks(&[server], &peers);
}

#[test]
fn a_sink_counts_and_a_source_sends() {
    let mut system = System::new(Setup::new(2, 2));
    let servers = [
        system.spawn(|task| applications::serve(task, address("10.0.0.1:9"), 4, applications::sink).unwrap()),
        system.spawn(|task| applications::serve(task, address("10.0.0.1:19"), 4, applications::source).unwrap()),
    ];
    let to_sink = system.dial("192.0.2.1:5000", "10.0.0.1:9");
    let to_source = system.dial("192.0.2.1:5001", "10.0.0.1:19");
    let mut peers = [Peer::new(to_sink, &pattern(50_000, 0), true), Peer::new(to_source, b"70000\n", false)];
    system.run_peers(&mut peers);
    assert_eq!(peers[0].got, b"50000");
    let expected: Vec<_> = (0..70_000).map(applications::source_byte).collect();
    assert!(peers[1].got == expected, "{} bytes", peers[1].got.len());
    system.assert_nothing_leaks(&servers, &peers);
}

#[test]
fn row_67_3_datagrams_are_answered_by_whichever_processor_has_them() {
    let mut system = System::new(Setup::new(3, 4));
    let server = system.spawn(|task| {
        let socket = UdpSocket::bind(task, address("10.0.0.1:53")).unwrap();
        let known = [("a.example".to_owned(), Ipv4Addr::new(192, 0, 2, 7))].into();
        names::serve(&socket, &known).unwrap();
    });
    let (here, there) = (address("10.0.0.1:53"), address("192.0.2.1:4000"));
    system.network.peer_has_box(there);
    let mut answered = 0;
    for number in 0..40u8 {
        let mut question =
            b"\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01".to_vec();
        question[1] = number;
        system.run_until("room for a question", |system| system.network.peer_sends_to(there, here, &question));
        system.run_until("an answer", |system| {
            let Some((from, answer)) = system.network.peer_datagram(there) else { return false };
            assert_eq!((from, answer[1], &answer[answer.len() - 4..]), (here, number, &[192, 0, 2, 7][..]));
            answered += 1;
            true
        });
    }
    let served = system.modules.iter().filter(|(module, ..)| module.counters().bytes_to_host > 0).count();
    assert_eq!((answered, served), (40, 4));
    system.assert_nothing_leaks(&[server], &[]);
}

#[test]
fn row_67_2_a_connection_that_the_host_opens_goes_where_its_replies_hash_to_or_where_least_is() {
    for policy in [Policy::Replies, Policy::LeastLoaded] {
        let setup = Setup::new(4, 4);
        let config = Config { policy, ..host(&setup) };
        let mut system = System::with(setup, config, module);
        // By hand: the XOR of all two-bit chunks of 192.0.2.9 ^ port, for ports 7000 to 7003.
        // 0xC0000209 ^ 0x1B58 = 0xC0001951: chunks 3, 1, 2, 1, 1, 1, 0 ... = 3^1^2^1^1^1 = 0.
        let expected = [0, 1, 2, 3];
        for (number, owner) in expected.into_iter().enumerate() {
            let there = address(&format!("192.0.2.9:{}", 7000 + number));
            system.network.peer_listens(there);
            let task = system.spawn(move |task| {
                let mut stream = TcpStream::connect(task, there).unwrap();
                let tag = stream.tag();
                assert_eq!(stream.peer_addr().unwrap(), there);
                assert_eq!(tag.processor(), if policy == Policy::Replies { owner } else { 0 });
                stream.write_all(b"question").unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                assert_eq!(answer, b"answer");
            });
            system.run_until("a connection", |system| {
                let Some(id) = system.network.peer_accepts(there) else { return false };
                let mut peers = [Peer::new(id, b"answer", true)];
                system.run_peers(&mut peers);
                assert_eq!(peers[0].got, b"question");
                system.run_task(task);
                system.assert_nothing_leaks(&[], &peers);
                true
            });
        }
    }
}

#[test]
fn applications_of_the_host_reach_each_other_through_the_card() {
    let mut system = System::new(Setup::new(5, 4));
    let server = system.spawn(|task| {
        applications::serve(task, address("10.0.0.1:7"), 16, applications::echo).unwrap();
    });
    system.run(500);
    let client = system.spawn(|task| {
        let mut stream = TcpStream::connect(task, address("10.0.0.1:7")).unwrap();
        stream.set_nodelay(true).unwrap();
        let bytes = pattern(9000, 3);
        for chunk in bytes.chunks(1000) {
            stream.write_all(chunk).unwrap();
            let mut back = vec![0; chunk.len()];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(back, chunk);
        }
        stream.flush().unwrap();
    });
    system.run_task(client);
    system.assert_nothing_leaks(&[server], &[]);
}
