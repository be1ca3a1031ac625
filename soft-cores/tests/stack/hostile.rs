//! Frames and parcels that lie.

use abi::receive::Status;
use soft_cores::kernel::message::Kind;
use soft_cores::net::SECOND;
use soft_cores::net::parcel::Parcel;
use soft_cores::net::stack::Action;
use soft_cores::net::steering::Help;
use soft_cores::net::transport::Options;

use crate::echo::{Client, Server, run_all};
use crate::world::{CARD, Faults, World, any};

/// The hardware found both checksums right, so that lies behind them are heard.
const BELIEVED: Status = Status(1 << 20 | 1 << 22);

#[test]
fn no_bytes_make_a_stack_panic_or_grow_and_it_serves_on() {
    for seed in [1, 2] {
        let mut world = World::new(3, 2, seed);
        world.faults = Faults { late: 50, lost: 20, message: 5, cut: None };
        let mut server = Server::start(&mut world, any(80), 8, Options::default());
        for stack in &mut world.stacks {
            stack.bind(any(7), Options::default()).unwrap();
        }
        world.keep_arrived = true;
        let connect =
            |number: u16| Client::connect(&mut world, usize::from(number % 2), CARD, 80, 40_000 + number, 3000);
        let mut clients: Vec<_> = (0..12).map(connect).collect();
        run_all(&mut world, &mut server, &mut clients, 100 * SECOND);
        let seeds = std::mem::take(&mut world.arrived);
        world.keep_arrived = false;
        assert!(seeds.len() > 50);
        let mut parcels = 0;
        for round in 0..15_000_u64 {
            let mut frame = seeds[world.below(seeds.len() as u64) as usize].clone();
            for _ in 0..world.below(4) {
                let at = world.below(frame.len() as u64) as usize;
                frame[at] = world.below(256) as u8;
            }
            frame.truncate(frame.len() - world.below(8).saturating_sub(5) as usize);
            let to = world.below(3) as usize;
            world.now += world.below(200);
            let now = world.now;
            let help = if world.below(2) == 0 { Help::NotNeeded } else { Help::From((to + 1) % 3) };
            world.stacks[to].receive(now, &frame, BELIEVED, &mut || help);
            server.serve(&mut world);
            // What it sends to others arrives with a bit changed, or elsewhere.
            for action in world.stacks[to].take_actions() {
                let Action::Message { parcel, .. } = action else { continue };
                let mut encoded = parcel.encode();
                let bit = world.below(32) as u32;
                encoded.context ^= u32::from(world.below(2) == 0) << bit;
                if !encoded.body.is_empty() {
                    let at = world.below(encoded.body.len() as u64) as usize;
                    encoded.body[at] ^= world.below(256) as u8;
                }
                let kind = if world.below(9) == 0 { Kind::Notice } else { encoded.kind };
                if let Some(parcel) = Parcel::decode(kind, encoded.context, encoded.body) {
                    parcels += 1;
                    let (at, from) = (world.below(3) as usize, world.below(17) as usize);
                    world.stacks[at].message(now, from, parcel);
                }
            }
            if round % 64 == 0 {
                for stack in &mut world.stacks {
                    stack.poll(now);
                    let (sockets, memory) = stack.transport().usage();
                    assert!(sockets <= 512 && memory <= 32 << 20 && stack.held() <= 64, "{sockets} {memory}");
                }
            }
        }
        assert!(parcels > 1000, "{parcels}");
        for stack in &mut world.stacks {
            stack.take_actions();
        }
        world.faults = Faults { message: 5, ..Faults::default() };
        world.pass(300 * SECOND);
        let connect = |number: u16| Client::connect(&mut world, 0, CARD, 80, 45_000 + number, 3000);
        let mut clients: Vec<_> = (0..6).map(connect).collect();
        run_all(&mut world, &mut server, &mut clients, 100 * SECOND);
    }
}
