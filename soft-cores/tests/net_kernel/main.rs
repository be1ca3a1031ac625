//! Net kernels that send each other parcels, on a model of the card: what happens when queues, windows and blocks are used up.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use abi::limits::RETA_ENTRIES;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use soft_cores::net::session::End;
use soft_cores::net::stack::{LocalPort, Stack};
use soft_cores::net::steering;
use soft_cores::net::steering::table::Table;
use soft_cores::net::transport::{Options, SocketId};
use soft_cores::net_kernel::{Config, NetKernel, StartError, mail};

mod card;
mod world;

use card::{Card, Port};
use world::{PEER, World, config, datagram_frame, fragment_frames};

const PORT: u16 = 7;

fn bind(world: &World) -> Vec<SocketId> {
    let local = End::new(Ipv4Addr::UNSPECIFIED.into(), PORT);
    let options = Options { receive_buffer: 1 << 20, ..Options::default() };
    world.nets.iter().map(|net| net.with_stack(|stack, _| stack.bind(local, options)).unwrap()).collect()
}

/// Numbers of the datagrams that came, by processor.
fn received(world: &World, sockets: &[SocketId]) -> Vec<Vec<u32>> {
    let take = |(net, &socket): (&world::Net, &SocketId)| {
        let next = || net.with_stack(|stack, now| stack.sockets(now, |it| it.receive_from(socket))).ok();
        std::iter::from_fn(next).map(|it| u32::from_be_bytes(it.payload[..4].try_into().unwrap())).collect()
    };
    world.nets.iter().zip(sockets).map(take).collect()
}

/// So many datagrams for processor 0, as fast as it has buffers.
fn flood(world: &World, numbers: std::ops::Range<u32>, bytes: usize) {
    for number in numbers {
        let payload = [&number.to_be_bytes()[..], &vec![number as u8; bytes]].concat();
        while !world.card.borrow_mut().receive(0, &datagram_frame(PORT, &payload)) {
            assert!(world.interrupt(), "processor 0 makes no progress");
        }
    }
}

fn sorted(received: &[Vec<u32>]) -> Vec<u32> {
    let mut all = received.concat();
    all.sort_unstable();
    all
}

#[test]
fn row_68_3_and_68_5_a_processor_over_its_threshold_hands_datagrams_to_the_others_and_says_that_it_is_busy() {
    let world = World::new(4);
    let sockets = bind(&world);
    flood(&world, 0..100, 1000);
    assert_eq!(world.card.borrow().posted(0), 100);
    world.pass(100_000);
    let received = received(&world, &sockets);
    assert_eq!(sorted(&received), (0..100).collect::<Vec<_>>());
    // Busy from a load of 32 on, and then down to 8.
    assert!((8..30).contains(&received[0].len()), "{received:?}");
    assert!(received[1..].iter().all(|some| (20..40).contains(&some.len())), "{received:?}");
    assert_eq!(world.card.borrow().cores[0].busy, [0, 1, 0], "not when it starts, then for once");
    let counters = world.nets[0].look(|stack| stack.counters().datagrams.clone());
    assert_eq!(counters.of(steering::Cause::Balanced), 100 - received[0].len() as u64);
    world.assert_clean();
}

#[test]
fn row_68_5_who_says_it_is_busy_is_given_nothing() {
    let world = World::new(4);
    let sockets = bind(&world);
    world.card.borrow_mut().cores[2].busy.push(1);
    flood(&world, 0..100, 10);
    world.pass(100_000);
    let received = received(&world, &sockets);
    assert_eq!(sorted(&received), (0..100).collect::<Vec<_>>());
    assert_eq!(received[2], [] as [u32; 0]);
    assert!(received[1].len() > 20 && received[3].len() > 20, "{received:?}");
}

#[test]
fn datagrams_that_nobody_takes_stay_and_what_is_vital_finds_the_last_blocks() {
    let mut world = World { stalled: 0b1110, ..World::new(4) };
    let sockets = bind(&world);
    for round in 0..6 {
        flood(&world, 100 * round..100 * (round + 1), 1000);
    }
    world.pass(50_000);
    // 24 of 32 blocks may carry packets.
    assert_eq!(world.nets[0].mail_under_way(), (0, 24, 0));
    let datagrams = world.nets[0].look(|stack| stack.counters().datagrams.clone());
    assert!(datagrams.of(steering::Cause::AllBusy) > 400, "{datagrams:?}");
    world.nets[0].with_stack(|stack, now| stack.join(now, group(1))).unwrap();
    assert_eq!(world.nets[0].mail_under_way(), (0, 27, 0));
    world.stalled = 0;
    world.pass(200_000);
    assert_eq!(sorted(&received(&world, &sockets)), (0..600).collect::<Vec<_>>());
    assert!(world.nets.iter().all(|net| groups(net) == [group(1)].into()));
    assert_eq!(world.nets[0].mail_counters().dropped.total(), 0);
    world.assert_clean();
}

#[test]
fn a_datagram_that_is_longer_than_a_block_stays() {
    let world = World::new(2);
    let sockets = bind(&world);
    let payload = [&500_u32.to_be_bytes()[..], &[7; 2000]].concat();
    let [first, second] = fragment_frames(PORT, &payload, 1200);
    assert!(world.card.borrow_mut().receive(0, &first));
    // When the datagram is whole, the load is beyond the threshold.
    assert!(world.card.borrow_mut().receive(0, &second));
    flood(&world, 0..100, 10);
    world.pass(100_000);
    let received = received(&world, &sockets);
    assert!(received[0].contains(&500) && received[1].len() > 50, "{received:?}");
    assert_eq!(sorted(&received).len(), 101);
    let counters = world.nets[0].mail_counters();
    assert_eq!((counters.kept, counters.dropped.of(mail::Cause::TooLong), counters.dropped.total()), (1, 1, 1));
    world.assert_clean();
}

fn group(number: u8) -> IpAddr {
    Ipv4Addr::new(239, 0, 0, number).into()
}

/// Groups of IPv4 that a processor is in.
fn groups(net: &NetKernel<Port>) -> BTreeSet<IpAddr> {
    net.look(|stack| (0..40).map(group).filter(|&it| stack.port().is_member(it)).collect())
}

#[test]
fn what_is_vital_arrives_in_order_however_long_its_receiver_takes() {
    let mut world = World { stalled: 0b10, ..World::new(3) };
    let net = &world.nets[0];
    let mut expected = BTreeSet::new();
    let mut rng = ChaCha8Rng::seed_from_u64(68);
    for _ in 0..300 {
        let group = group((rng.next_u32() % 40) as u8);
        if expected.remove(&group) {
            net.with_stack(|stack, now| stack.leave(now, group));
        } else {
            net.with_stack(|stack, now| stack.join(now, group)).unwrap();
            expected.insert(group);
        }
    }
    world.pass(10_000);
    // The queue of a pair has 16 places.
    assert_eq!(world.card.borrow().cores[1].messages[0].len(), 16);
    let (line, outstanding, _) = net.mail_under_way();
    assert_eq!((line, outstanding), (284, 16));
    assert_eq!(groups(&world.nets[2]), expected);
    assert_ne!(groups(&world.nets[1]), expected);
    world.stalled = 0;
    world.pass(100_000);
    assert_eq!(groups(&world.nets[1]), expected);
    let counters = world.nets[0].mail_counters();
    assert_eq!((counters.sent, counters.returned, counters.dropped.total()), (600, 600, 0));
    world.assert_clean();
}

#[test]
fn what_does_not_fit_the_line_of_vital_parcels_is_counted() {
    let small = mail::Config { vital: 3, ..config().mail };
    let mut world = World { stalled: 0b10, ..World::with(2, Config { mail: small, ..config() }) };
    for number in 0..30 {
        world.nets[0].with_stack(|stack, now| stack.join(now, group(number))).unwrap();
    }
    assert_eq!(world.nets[0].mail_counters().dropped.of(mail::Cause::Vital), 30 - 16 - 3);
    world.stalled = 0;
    world.pass(100_000);
    assert_eq!(groups(&world.nets[1]), (0..19).map(group).collect());
    world.assert_clean();
}

/// Every session belongs to this processor.
fn table(generation: u16, target: u8) -> Table {
    Table { generation, entries: [target; RETA_ENTRIES], ..Table::reset(3) }
}

#[test]
fn a_declaration_does_not_overtake_the_notes_that_it_is_about() {
    let config = Config { table: Some(table(0, 0)), ..config() };
    let world = World::with(3, config);
    let remote = End::new(PEER.into(), 80);
    for _ in 0..5 {
        let open = |stack: &mut Stack, now| stack.connect(now, None, LocalPort::Any, remote, Options::default());
        world.nets[0].with_stack(open).unwrap();
    }
    let knows = |world: &World| {
        world.nets[1].look(|stack| {
            let directory = stack.directory();
            (directory.table().generation == 1 && directory.is_settled(), directory.sessions().1)
        })
    };
    world.nets[2].with_stack(|stack, now| stack.set_table(now, table(1, 1)));
    // The copies are slow: the declaration, which has no body, is here before the note has been read.
    for _ in 0..20 {
        while world.interrupt() {
            world.card.borrow_mut().time += 10;
            let (is_settled, known) = knows(&world);
            assert!(!is_settled || known == 5, "{known} sessions are known");
        }
        world.copy();
    }
    assert_eq!(knows(&world), (true, 5));
    world.pass(10_000);
    world.assert_clean();
}

#[test]
fn a_copy_that_fails_loses_its_parcel_and_nothing_else() {
    let world = World::new(2);
    world.card.borrow_mut().failing = Some(6);
    world.nets[0].with_stack(|stack, now| stack.join(now, group(1))).unwrap();
    world.pass(10_000);
    world.card.borrow_mut().failing = None;
    world.nets[0].with_stack(|stack, now| stack.join(now, group(2))).unwrap();
    world.pass(10_000);
    assert_eq!(groups(&world.nets[1]), [group(2)].into());
    let counters = world.nets[1].mail_counters();
    assert_eq!((counters.unfetched, counters.received), (1, 1));
    world.assert_clean();
}

/// Processor 1 is the test: it reads the notices that it gets.
fn read_notices(world: &World) {
    let cores = &mut world.card.borrow_mut().cores;
    let messages: Vec<_> = cores[1].messages[0].drain(..).collect();
    for [kind, address, length, context] in messages {
        assert!(matches!(kind, 3..=5), "message {kind}");
        if kind == 4 {
            cores[0].messages[1].push_back([5, address, length, context]);
        }
    }
}

#[test]
fn no_messages_wedge_a_processor_or_take_its_blocks() {
    let seed = std::env::var("POINTSMAN_SEED").map_or(66, |text| text.parse().expect("POINTSMAN_SEED is a number"));
    println!("seed {seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let world = World { stalled: 0b10, ..World::new(2) };
    for _ in 0..3000 {
        let mut word = || match rng.next_u32() % 4 {
            0 => rng.next_u32(),
            1 => rng.next_u32() % 2000,
            2 => u32::MAX - rng.next_u32() % 3,
            _ => 0x1000 + rng.next_u32() % 0x1000,
        };
        let message = [word(), word(), word(), word()];
        let kind = rng.next_u32() % 7;
        {
            let queue = &mut world.card.borrow_mut().cores[0].messages[1];
            if queue.len() < 16 {
                queue.push_back([if kind == 6 { message[0] } else { kind }, message[1], message[2], message[3]]);
            }
        }
        if rng.next_u32() % 4 == 0 {
            world.pass(20);
        }
        read_notices(&world);
    }
    for _ in 0..100 {
        world.pass(1_000);
        read_notices(&world);
    }
    let net = &world.nets[0];
    let counters = net.mail_counters();
    assert!(counters.unreadable > 50 && counters.unfetched > 50 && counters.foreign > 50, "{counters:?}");
    let (blocks, landing) = net.mail_pools();
    assert_eq!([blocks, landing].map(|pool| net.kernel().usage(pool).unwrap().used), [0, 0]);
    assert_eq!(net.mail_under_way(), (0, 0, 0));
    // It still does what it is for.
    let sockets = bind(&world);
    flood(&world, 0..1, 10);
    world.pass(1_000);
    assert_eq!(received(&world, &sockets)[0], [0]);
}

#[test]
fn a_net_kernel_does_not_start_with_mail_that_cannot_work() {
    let refused = |change: fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        NetKernel::start(Port { number: 0, card: Card::new(2) }, config).err()
    };
    assert_eq!(refused(|_| ()), None);
    assert_eq!(refused(|it| it.mail.window = 0), Some(StartError::Window));
    assert_eq!(refused(|it| it.mail.window = it.kernel.backlog + 1), Some(StartError::Window));
    assert_eq!(refused(|it| it.mail.block_bytes = 1499), Some(StartError::Mtu));
    assert_eq!(refused(|it| it.cycles_per_micro = 0), Some(StartError::Clock));
    assert!(matches!(refused(|it| it.mail.blocks = 1 << 20), Some(StartError::Buffers(_))));
}
