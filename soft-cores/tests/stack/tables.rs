//! The table changes while sessions live (67.5).

use soft_cores::net::SECOND;
use soft_cores::net::parcel::Parcel;
use soft_cores::net::steering::Cause;
use soft_cores::net::steering::table::Table;
use soft_cores::net::transport::{self, Options};

use crate::echo::{Client, Server, run_all};
use crate::world::{CARD, Faults, World, any};

fn rotate(by: u8, processors: u8) -> impl Fn(&mut Table) {
    move |table| table.entries.iter_mut().for_each(|entry| *entry = (*entry + by) % processors)
}

fn clients(world: &mut World, numbers: std::ops::Range<u16>, pause: usize) -> Vec<Client> {
    let connect = |number| {
        let host = usize::from(number) % world.hosts.len();
        let mut client = Client::connect(world, host, CARD, 80, 40_000 + number, 6000);
        client.pause = pause;
        client
    };
    numbers.map(connect).collect()
}

/// All clients have got back what they sent so far.
fn run_to_pause(world: &mut World, server: &mut Server, clients: &mut [Client], pause: usize) {
    world.run(60 * SECOND, |world| {
        server.serve(world);
        for client in clients.iter_mut() {
            client.go_on(world);
        }
        clients.iter().all(|client| client.received == pause)
    });
}

fn told_no_session(world: &World) -> u64 {
    world.stacks.iter().map(|it| it.transport().counters().dropped.of(transport::Cause::NoSession)).sum()
}

fn by(world: &World, cause: Cause) -> u64 {
    world.stacks.iter().map(|stack| stack.counters().segments.of(cause)).sum()
}

fn finish(mut world: World, mut server: Server) {
    world.run(60 * SECOND, |world| {
        server.serve(world);
        server.open() == 0
    });
    server.stop(&mut world);
    world.pass(60 * SECOND);
    // What is late may come after its session's end.
    assert!(world.faults.late > 0 || told_no_session(&world) == 0, "{}", told_no_session(&world));
    world.assert_clean(0, 0);
}

#[test]
fn row_67_5_sessions_stay_where_they_were_opened_when_the_table_changes() {
    let mut world = World::new(4, 2, 1);
    world.faults = Faults { message: 3000, ..Faults::default() };
    let mut server = Server::start(&mut world, any(80), 32, Options::default());
    let mut old = clients(&mut world, 0..32, 2000);
    run_to_pause(&mut world, &mut server, &mut old, 2000);
    let before = server.accepted.clone();
    assert_eq!(before.len(), 32);
    world.change_table(rotate(1, 4));
    old.iter_mut().for_each(|client| client.pause = usize::MAX);
    old.extend(clients(&mut world, 100..116, usize::MAX));
    run_all(&mut world, &mut server, &mut old, 120 * SECOND);
    for (session, &owner) in &server.accepted {
        let target = world.hardware.target(session);
        let expected = if before.contains_key(session) { (target + 3) % 4 } else { target };
        assert_eq!(owner, expected, "{session:?}");
    }
    assert_eq!((server.accepted.len(), server.failed), (48, 0));
    assert!(by(&world, Cause::Directory) > 100, "{}", by(&world, Cause::Directory));
    assert_eq!(by(&world, Cause::Hops) + by(&world, Cause::Patience), 0);
    finish(world, server);
}

#[test]
fn row_67_5_before_a_note_arrives_segments_wait_for_it() {
    let mut world = World::new(4, 1, 2);
    let mut server = Server::start(&mut world, any(80), 32, Options::default());
    let mut old = clients(&mut world, 0..8, 2000);
    run_to_pause(&mut world, &mut server, &mut old, 2000);
    // Processor 2 has the table, and hears nothing more.
    world.blocked = Some(2);
    world.change_table(rotate(1, 4));
    world.pass(100);
    let (now, table) = (world.now, world.hardware.clone());
    world.stacks[2].message(now, 0, Parcel::Table(table));
    assert!(!world.stacks[2].directory().is_settled());
    old.iter_mut().for_each(|client| client.pause = usize::MAX);
    world.run(SECOND, |world| {
        server.serve(world);
        for client in &mut old {
            client.go_on(world);
        }
        world.stacks[2].held() >= 2
    });
    assert!(by(&world, Cause::NotesAwaited) >= 2);
    world.unblock();
    assert_eq!(world.stacks[2].held(), 0);
    assert!(world.stacks[2].directory().is_settled());
    run_all(&mut world, &mut server, &mut old, 60 * SECOND);
    assert_eq!(by(&world, Cause::Patience), 0);
    finish(world, server);
}

#[test]
fn row_67_5_a_processor_that_has_not_heard_of_the_table_sends_on_by_the_old_one() {
    let mut world = World::new(4, 1, 3);
    let mut server = Server::start(&mut world, any(80), 32, Options::default());
    let mut old = clients(&mut world, 0..8, 2000);
    run_to_pause(&mut world, &mut server, &mut old, 2000);
    // Only the hardware knows.
    let mut table = world.hardware.clone();
    table.generation += 1;
    rotate(2, 4)(&mut table);
    world.hardware = table.clone();
    old.iter_mut().for_each(|client| client.pause = 4000);
    run_to_pause(&mut world, &mut server, &mut old, 4000);
    assert!(by(&world, Cause::TableThere) > 0);
    let fresh = clients(&mut world, 50..58, 4000);
    old.extend(fresh);
    run_to_pause(&mut world, &mut server, &mut old, 4000);
    // Sessions that were opened by the old table stay where they are.
    let now = world.now;
    world.stacks[3].set_table(now, table);
    old.iter_mut().for_each(|client| client.pause = usize::MAX);
    run_all(&mut world, &mut server, &mut old, 60 * SECOND);
    for (session, &owner) in &server.accepted {
        assert_eq!((owner + 2) % 4, world.hardware.target(session));
    }
    finish(world, server);
}

#[test]
fn row_67_5_software_that_knows_first_opens_sessions_by_the_new_table() {
    let mut world = World::new(4, 1, 4);
    let mut server = Server::start(&mut world, any(80), 32, Options::default());
    let mut table = world.hardware.clone();
    table.generation += 1;
    rotate(1, 4)(&mut table);
    world.stacks[1].set_table(0, table.clone());
    world.pass(1000);
    let mut fresh = clients(&mut world, 0..8, 2000);
    run_to_pause(&mut world, &mut server, &mut fresh, 2000);
    for (session, &owner) in &server.accepted {
        assert_eq!(owner, table.target(session));
    }
    world.hardware = table;
    fresh.iter_mut().for_each(|client| client.pause = usize::MAX);
    run_all(&mut world, &mut server, &mut fresh, 60 * SECOND);
    finish(world, server);
}

#[test]
fn a_processor_that_says_nothing_is_not_waited_for_forever() {
    let mut world = World::new(2, 1, 5);
    let mut server = Server::start(&mut world, any(80), 32, Options::default());
    let table = Table { generation: 1, ..world.hardware.clone() };
    world.blocked = Some(1);
    let now = world.now;
    world.stacks[1].set_table(now, table.clone());
    world.pass(10_000);
    assert!(!world.stacks[1].directory().is_settled());
    let mut fresh = clients(&mut world, 0..4, usize::MAX);
    run_all(&mut world, &mut server, &mut fresh, 60 * SECOND);
    assert!(world.stacks[1].directory().is_settled());
    assert_eq!(world.stacks[1].directory().counters().impatient, 1);
}

#[test]
fn what_waits_for_a_decision_is_bounded() {
    let mut world = World::with(2, 1, 6, |config| config.held = 3);
    let mut server = Server::start(&mut world, any(80), 32, Options::default());
    let table = Table { generation: 1, ..world.hardware.clone() };
    world.blocked = Some(1);
    world.stacks[1].set_table(0, table);
    let mut fresh = clients(&mut world, 0..16, usize::MAX);
    world.pass(5000);
    let counters = world.stacks[1].counters();
    // Half of all source ports are processor 1's.
    assert_eq!((world.stacks[1].held(), counters.not_held), (3, 5));
    run_all(&mut world, &mut server, &mut fresh, 60 * SECOND);
    assert_eq!((server.accepted.len(), server.failed, world.stacks[1].held()), (16, 0, 0));
}

#[test]
fn row_67_5_tables_that_change_all_the_time_harm_no_session() {
    for seed in 10..16 {
        let mut world = World::new(5, 3, seed);
        world.faults = Faults { message: 400, late: 20, ..Faults::default() };
        let mut server = Server::start(&mut world, any(80), 64, Options::default());
        let mut all = clients(&mut world, 0..40, usize::MAX);
        let (mut next, mut changes, mut number) = (500, 0, 40);
        world.run(200 * SECOND, |world| {
            server.serve(world);
            if world.now >= next && changes < 40 {
                next = world.now + 500 + world.below(2000);
                changes += 1;
                let entry = world.below(128) as usize;
                let by = world.below(5) as u8;
                world.change_table(|table| {
                    rotate(by, 5)(table);
                    table.entries[entry] = 0;
                });
                all.extend(clients(world, number..number + 2, usize::MAX));
                number += 2;
            }
            let mut done = 0;
            for client in &mut all {
                done += usize::from(client.go_on(world));
                assert!(!client.was_reset, "seed {seed}, at byte {}", client.received);
            }
            changes == 40 && done == all.len()
        });
        assert_eq!((all.len(), server.accepted.len(), server.failed), (120, 120, 0));
        let (hops, patience) = (by(&world, Cause::Hops), by(&world, Cause::Patience));
        assert_eq!((hops, patience), (0, 0), "seed {seed}");
        finish(world, server);
    }
}
