//! The memory of sockets' buffers in the kernel's pools.

use soft_cores::ism::sockets::{KernelMemory, Memory, Share};
use soft_cores::kernel::pool::{AllocError, Shape};

use crate::free_machine;

fn shape(bytes: u32, blocks: u32) -> Shape {
    Shape { bytes, blocks, alignment: 64 }
}

#[test]
fn row_66_3_a_block_is_the_smallest_that_fits_and_of_its_share() {
    let machine = free_machine();
    let shares = [
        (Share::Received, shape(4000, 1)),
        (Share::Received, shape(100, 1)),
        (Share::ToSend, shape(100, 1)),
        (Share::Ring, shape(2048, 1)),
    ];
    let mut memory = KernelMemory::new(machine.kernel.clone(), &shares).unwrap();
    let used = |memory: &KernelMemory<_>| {
        memory.pools().map(|(share, bytes, pool)| (share, bytes, machine.kernel.usage(pool).unwrap().used)).collect()
    };
    let short = memory.take(Share::Received, 100).unwrap();
    let long = memory.take(Share::Received, 1).unwrap();
    assert_eq!(memory.take(Share::Received, 0), None);
    assert_eq!(memory.take(Share::ToSend, 101), None);
    let expected =
        vec![(Share::Received, 100, 1), (Share::ToSend, 100, 0), (Share::Ring, 2048, 0), (Share::Received, 4000, 1)];
    let now: Vec<_> = used(&memory);
    assert_eq!(now, expected);
    assert_eq!(memory.store(short, b"short"), Ok(()));
    assert_eq!(memory.store(long + 3995, b"long."), Ok(()));
    let mut bytes = [0; 5];
    assert_eq!((memory.load(short, &mut bytes), &bytes), (Ok(()), b"short"));
    assert_eq!((memory.load(long + 3995, &mut bytes), &bytes), (Ok(()), b"long."));
    assert!(memory.store(u32::MAX - 2, b"nowhere").is_err() && memory.load(u32::MAX - 2, &mut bytes).is_err());
    memory.give_back(short);
    // Counted by the kernel, and nothing else happens.
    memory.give_back(short);
    assert_eq!(memory.take(Share::Received, 50), Some(short));
    let now: Vec<_> = used(&memory);
    assert_eq!(now, expected);
}

#[test]
fn row_66_3_a_memory_that_does_not_fit_is_refused() {
    let machine = free_machine();
    let refused = KernelMemory::new(machine.kernel.clone(), &[(Share::Ring, shape(1 << 20, 16))]).err();
    assert_eq!(refused, Some(AllocError::Exhausted));
}
