//! The memory that sockets' buffers are in, and that memory as a processor's kernel offers it.

use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::kernel::Kernel;
use crate::kernel::pool::{AllocError, PoolId, Shape};
use crate::platform::{Event, OutsideMemory, Platform};

/// What a block is for. Each has its own share, so that no peer takes by datagrams what streams and senders need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// A ring of a stream.
    Ring,
    /// A datagram that was received.
    Received,
    /// A datagram to send.
    ToSend,
}

/// See the module's page.
pub trait Memory {
    /// A block of at least so many bytes; `None`: there is none now.
    fn take(&mut self, share: Share, bytes: u32) -> Option<u32>;

    /// Gives back a block that was taken.
    fn give_back(&mut self, address: u32);

    /// Reads.
    ///
    /// # Errors
    /// Some of it does not exist.
    fn load(&self, address: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory>;

    /// Writes.
    ///
    /// # Errors
    /// Some of it does not exist.
    fn store(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory>;
}

/// The memory of a processor, in pools of its kernel.
pub struct KernelMemory<P: Platform> {
    kernel: Rc<Kernel<P>>,
    /// The one with the smallest blocks first.
    pools: Vec<(Share, u32, PoolId)>,
}

impl<P: Platform + 'static> KernelMemory<P> {
    /// Makes the pools, which stay for good. A share may have several, for short and for long datagrams.
    ///
    /// # Errors
    /// The processor's memory has no room for them.
    pub fn new(kernel: Rc<Kernel<P>>, shapes: &[(Share, Shape)]) -> Result<Self, AllocError> {
        let mut pools = Vec::new();
        for &(share, shape) in shapes {
            pools.push((share, shape.bytes, kernel.pool(shape)?));
        }
        pools.sort_by_key(|&(_, bytes, _)| bytes);
        Ok(Self { kernel, pools })
    }

    /// The pools: what each is for, and how many bytes a block has.
    pub fn pools(&self) -> impl Iterator<Item = (Share, u32, PoolId)> + '_ {
        self.pools.iter().copied()
    }
}

impl<P: Platform + 'static> Memory for KernelMemory<P> {
    fn take(&mut self, share: Share, bytes: u32) -> Option<u32> {
        let fits = |&&(whose, size, _): &&(Share, u32, PoolId)| whose == share && size >= bytes;
        self.pools.iter().filter(fits).find_map(|&(.., pool)| self.kernel.alloc(pool).ok())
    }

    fn give_back(&mut self, address: u32) {
        // The kernel counts what was not given out.
        let _ = self.kernel.free(address);
    }

    fn load(&self, address: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory> {
        self.kernel.platform().charge(Event::Copy(bytes.len()));
        self.kernel.platform().load(address, bytes)
    }

    fn store(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory> {
        self.kernel.platform().charge(Event::Copy(bytes.len()));
        self.kernel.platform().store(address, bytes)
    }
}
