//! Memory management (66.3): the processor's memory in pools of blocks of one size.
//!
//! A block is its byte address. Nothing is written into the memory: who has which block is kept beside it, so what the card
//! writes where it should not cannot confuse a pool, and a block that is given back twice, or was never given out, is
//! refused.

use alloc::vec::Vec;
use core::ops::Range;

use super::Kernel;
use crate::platform::Platform;

/// A pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolId(usize);

/// Why there is no new pool, or no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocError {
    /// The pool has no block left, or the memory no room for a pool.
    Exhausted,
    /// Blocks of no bytes, or an alignment that is no power of two.
    Shape,
    /// It is another kernel's pool.
    NoSuchPool,
}

/// Why a block was not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// It is not the address of a block of any pool.
    Foreign,
    /// The block is free already.
    Double,
    /// The card has it: to receive a frame in, or a frame that starts with it is being sent.
    Lent,
}

/// The blocks of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of a block that its user may use.
    pub bytes: u32,
    /// Blocks.
    pub blocks: u32,
    /// The address of each is a multiple of this power of two.
    pub alignment: u32,
}

/// How a pool is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Blocks in all.
    pub blocks: u32,
    /// Blocks given out.
    pub used: u32,
    /// The most that were given out at a time.
    pub most: u32,
    /// Requests that found no block.
    pub exhausted: u64,
    /// Blocks that were given back when they were free, or lent to the card.
    pub double: u64,
}

#[derive(Debug)]
struct Pool {
    first: u32,
    /// From a block to the next.
    stride: u32,
    taken: Vec<bool>,
    /// Numbers of the free blocks. The one freed last is given out first.
    free: Vec<u32>,
    usage: Usage,
}

impl Pool {
    fn take(&mut self) -> Result<u32, AllocError> {
        let Some(block) = self.free.pop() else {
            self.usage.exhausted += 1;
            return Err(AllocError::Exhausted);
        };
        self.taken[block as usize] = true;
        self.usage.used += 1;
        self.usage.most = self.usage.most.max(self.usage.used);
        Ok(self.first + block * self.stride)
    }

    /// The number of the block at an address; `None` if none starts there.
    fn block(&self, address: u32) -> Option<usize> {
        let offset = address.checked_sub(self.first)?;
        let block = (offset / self.stride) as usize;
        (offset % self.stride == 0 && block < self.taken.len()).then_some(block)
    }

    fn give_back(&mut self, block: usize) -> Result<(), FreeError> {
        if !core::mem::take(&mut self.taken[block]) {
            self.usage.double += 1;
            return Err(FreeError::Double);
        }
        self.free.push(block as u32);
        self.usage.used -= 1;
        Ok(())
    }
}

/// The memory that can be given out, and the pools in it.
#[derive(Debug)]
pub(super) struct Pools {
    rest: Range<u32>,
    pools: Vec<Pool>,
    foreign: u64,
}

impl Pools {
    pub fn new(memory: Range<u32>) -> Self {
        Self { rest: memory, pools: Vec::new(), foreign: 0 }
    }

    /// Takes a range out of the memory, forever.
    fn carve(&mut self, bytes: u32, alignment: u32) -> Result<u32, AllocError> {
        if !alignment.is_power_of_two() {
            return Err(AllocError::Shape);
        }
        let start = self.rest.start.checked_next_multiple_of(alignment).ok_or(AllocError::Exhausted)?;
        let end = start.checked_add(bytes).filter(|&end| end <= self.rest.end).ok_or(AllocError::Exhausted)?;
        self.rest.start = end;
        Ok(start)
    }

    fn add(&mut self, shape: Shape) -> Result<PoolId, AllocError> {
        if shape.bytes == 0 || shape.blocks == 0 || !shape.alignment.is_power_of_two() {
            return Err(AllocError::Shape);
        }
        let stride = shape.bytes.checked_next_multiple_of(shape.alignment).ok_or(AllocError::Exhausted)?;
        let bytes = stride.checked_mul(shape.blocks).ok_or(AllocError::Exhausted)?;
        let first = self.carve(bytes, shape.alignment)?;
        let taken = alloc::vec![false; shape.blocks as usize];
        let free = (0..shape.blocks).rev().collect();
        self.pools.push(Pool { first, stride, taken, free, usage: Usage { blocks: shape.blocks, ..Usage::default() } });
        Ok(PoolId(self.pools.len() - 1))
    }

    pub fn take(&mut self, id: PoolId) -> Result<u32, AllocError> {
        self.pools.get_mut(id.0).ok_or(AllocError::NoSuchPool)?.take()
    }

    fn refuse_lent(&mut self, address: u32) -> FreeError {
        if let Some(pool) = self.pools.iter_mut().find(|pool| pool.block(address).is_some()) {
            pool.usage.double += 1;
        }
        FreeError::Lent
    }

    pub fn give_back(&mut self, address: u32) -> Result<(), FreeError> {
        let found = self.pools.iter_mut().find_map(|pool| pool.block(address).map(|block| (pool, block)));
        match found {
            Some((pool, block)) => pool.give_back(block),
            None => {
                self.foreign += 1;
                Err(FreeError::Foreign)
            }
        }
    }
}

impl<P: Platform + 'static> Kernel<P> {
    /// Takes a range out of the processor's memory for good.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn carve(&self, bytes: u32, alignment: u32) -> Result<u32, AllocError> {
        self.critical(|| self.pools.borrow_mut().carve(bytes, alignment))
    }

    /// Makes a pool in the processor's memory. Pools stay for good.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn pool(&self, shape: Shape) -> Result<PoolId, AllocError> {
        self.critical(|| self.pools.borrow_mut().add(shape))
    }

    /// Takes a block out of a pool: its address. What it holds is left of its last user.
    ///
    /// # Errors
    /// There is none.
    pub fn alloc(&self, pool: PoolId) -> Result<u32, AllocError> {
        self.critical(|| self.pools.borrow_mut().take(pool))
    }

    /// Gives a block back to the pool that it is of.
    ///
    /// # Errors
    /// It is not one that was given out. This is counted, and nothing else happens.
    pub fn free(&self, address: u32) -> Result<(), FreeError> {
        self.critical(|| {
            let mut pools = self.pools.borrow_mut();
            if self.mac.borrow().has(address) { Err(pools.refuse_lent(address)) } else { pools.give_back(address) }
        })
    }

    /// How a pool is used.
    pub fn usage(&self, pool: PoolId) -> Option<Usage> {
        self.critical(|| self.pools.borrow().pools.get(pool.0).map(|pool| pool.usage))
    }

    /// Addresses that were given back and are no block of any pool.
    pub fn foreign_frees(&self) -> u64 {
        self.critical(|| self.pools.borrow().foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { bytes: 100, blocks: 3, alignment: 64 };

    #[test]
    fn row_66_3_blocks_are_aligned_apart_and_inside() {
        let mut pools = Pools::new(70..128 + 3 * 128);
        let pool = pools.add(SHAPE).unwrap();
        let blocks: Vec<_> = (0..3).map(|_| pools.take(pool).unwrap()).collect();
        assert_eq!(blocks, [128, 256, 384]);
        assert_eq!(pools.take(pool), Err(AllocError::Exhausted));
        let usage = Usage { blocks: 3, used: 3, most: 3, exhausted: 1, double: 0 };
        assert_eq!(pools.pools[0].usage, usage);
    }

    #[test]
    fn a_pool_that_does_not_fit_by_a_byte_is_refused() {
        assert_eq!(Pools::new(70..127 + 3 * 128).add(SHAPE), Err(AllocError::Exhausted));
        let huge = Shape { bytes: u32::MAX, blocks: u32::MAX, alignment: 1 << 31 };
        assert_eq!(Pools::new(0..u32::MAX).add(huge), Err(AllocError::Exhausted));
        assert_eq!(Pools::new(1..2).carve(1, 1 << 31), Err(AllocError::Exhausted));
        for shape in [
            Shape { bytes: 0, ..SHAPE },
            Shape { blocks: 0, ..SHAPE },
            Shape { alignment: 0, ..SHAPE },
            Shape { alignment: 3, ..SHAPE },
        ] {
            assert_eq!(Pools::new(0..u32::MAX).add(shape), Err(AllocError::Shape));
        }
    }

    #[test]
    fn row_66_3_what_was_not_given_out_is_not_taken_back() {
        let mut pools = Pools::new(0..10_000);
        let (first, second) = (pools.add(SHAPE).unwrap(), pools.add(SHAPE).unwrap());
        let (a, b) = (pools.take(first).unwrap(), pools.take(second).unwrap());
        assert_eq!(pools.give_back(a + 1), Err(FreeError::Foreign));
        assert_eq!(pools.give_back(6 * 128), Err(FreeError::Foreign));
        assert_eq!(pools.give_back(u32::MAX), Err(FreeError::Foreign));
        assert_eq!(pools.give_back(a + 128), Err(FreeError::Double));
        assert_eq!((pools.give_back(a), pools.give_back(b)), (Ok(()), Ok(())));
        assert_eq!(pools.give_back(b), Err(FreeError::Double));
        assert_eq!((pools.foreign, pools.pools[0].usage.double, pools.pools[1].usage.double), (3, 1, 1));
        assert_eq!((pools.pools[0].usage.used, pools.pools[0].usage.most), (0, 1));
        assert_eq!(pools.take(first), Ok(a));
    }
}
