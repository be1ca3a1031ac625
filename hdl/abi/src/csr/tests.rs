extern crate std;
use super::*;
use std::collections::BTreeMap;

/// Every word of a space with the name of its register.
fn words(space: &Space) -> BTreeMap<u32, &'static str> {
    let mut words = BTreeMap::new();
    for r in space.registers {
        for i in 0..r.count as usize {
            for word in 0..r.width / 32 {
                let offset = r.at(i) + 4 * word;
                assert!(offset < 1 << space.address_bits, "{} is outside {}", r.name, space.name);
                assert_eq!(words.insert(offset, r.name), None, "{} overlaps another at {offset:#x}", r.name);
            }
        }
    }
    words
}

fn check(space: &Space) {
    for r in space.registers {
        assert_eq!(r.offset % (r.width / 8), 0, "{} is misaligned", r.name);
        assert!(!r.doc.is_empty() && r.doc.ends_with('.'), "{} wants a sentence", r.name);
        let mut used = 0u64;
        for f in r.fields {
            assert!(f.lsb + f.width <= r.width && used & f.mask() == 0, "{}.{} overlaps", r.name, f.name);
            used |= f.mask();
        }
        if let (Reset::Value(value), Hardware::Reads) = (r.reset, r.hardware) {
            assert_eq!(value & !r.mask(), 0, "{} resets bits it does not have", r.name);
        }
    }
    for (i, r) in space.registers.iter().enumerate() {
        assert!(space.registers[..i].iter().all(|other| other.name != r.name), "{} stands twice", r.name);
    }
}

#[test]
fn registers_and_fields_do_not_overlap() {
    check(&HOST);
    check(&CORE);
    assert_eq!((words(&HOST).len(), words(&CORE).len()), (929, 100));
}

#[test]
fn host_layout_is_what_drivers_were_promised() {
    // By hand: I2O (facts: linux i2o/core.h, PCI 9080), then the published map.
    assert_eq!((host::I2O_STATUS.at(0), host::I2O_MASK.at(0)), (0x30, 0x34));
    assert_eq!((host::I2O_INBOUND.at(0), host::I2O_OUTBOUND.at(0)), (0x40, 0x44));
    assert_eq!((host::I2O_INBOUND.at(3), host::I2O_OUTBOUND.at(15)), (0x3040, 0xF044));
    assert_eq!(host::i2o_status::OUTBOUND_POST.mask(), 0x08);
    assert_eq!(host::HASH_CONTROL.offset, 0x1_0020);
    assert_eq!(host::RETA.offset, 0x1_0200);
    assert_eq!(host::PROCESSOR_POST_FULL.at(1), 0x1_1158);
    assert_eq!(host::DMA_PUSH.offset - host::DMA_SOURCE.offset, 24, "a descriptor is written in one burst");
}

#[test]
fn fields_are_taken_out_and_put_in_place() {
    let bits = host::hash_control::CHUNK_BITS;
    assert_eq!((bits.mask(), bits.get(0x0000_0300), bits.put(5), bits.put(9)), (0x700, 3, 0x500, 0x100));
    assert_eq!(host::OUT_BASE.mask(), 0xFFFF_FFFF_FFFF_FFC0);
    assert_eq!(host::HASH_KEY.mask(), 0xFFFF_FFFF);
}

#[test]
fn accessors_use_the_registers_offsets() {
    struct Log(std::vec::Vec<(u32, Option<u32>)>);
    impl Bus for Log {
        type Error = ::core::convert::Infallible;
        fn read(&mut self, offset: u32) -> Result<u32, Self::Error> {
            self.0.push((offset, None));
            Ok(offset)
        }
        fn write(&mut self, offset: u32, value: u32) -> Result<(), Self::Error> {
            self.0.push((offset, Some(value)));
            Ok(())
        }
    }
    let mut log = Log(std::vec![]);
    let Ok(time) = core::TIME.read_wide(&mut log);
    assert_eq!(time, 0x5C_0000_0058);
    let Ok(()) = core::COMPARE.write_wide(&mut log, 0x1_0000_0002);
    let Ok(()) = core::IRQ_MASK.write(&mut log, 7);
    let Ok(mask) = core::IRQ_MASK.read(&mut log);
    assert_eq!(mask, 0x54);
    assert_eq!(log.0, [(0x58, None), (0x5C, None), (0x60, Some(2)), (0x64, Some(1)), (0x54, Some(7)), (0x54, None)]);
}
