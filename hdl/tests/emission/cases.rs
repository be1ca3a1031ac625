// Written by `generator.rs`; `UPDATE_CASES=1 cargo test -p hdl --test emission` writes it again.

use super::subject::*;
use rust_hdl_core::prelude::*;

#[derive(LogicBlock, Default)]
pub struct Random0 {
    u0: Signal<In, Bits<2>>,
    u1: Signal<In, Bits<33>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<8>>,
    u4: Signal<In, Bits<33>>,
    u5: Signal<In, Bits<3>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<5>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bit>,
    y1: Signal<Out, Bits<33>>,
    y2: Signal<Out, Bits<31>>,
    y3: Signal<Out, Bit>,
    y4: Signal<Out, Bits<3>>,
    y5: Signal<Out, Bits<8>>,
    y6: Signal<Out, Bit>,
    y7: Signal<Out, Bits<31>>,
}

impl Logic for Random0 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = !self.u4.val() == self.u2.val().get_bits::<33>(self.u5.val().index());
        self.y1.next = !(self.u4.val() & 0x1ffffffff_u64);
        self.y2.next = bit_cast::<31, 65>(bit_cast::<65, 33>(self.u1.val()) << 10 << 28 >> bits::<7>(1));
        self.y3.next = (self.s2.val() + signed_cast::<5>(bit_cast::<5, 16>(self.u2.val()))) == self.s2.val() - self.s2.val();
        self.y4.next = bit_cast::<3, 64>(bits::<64>(0x7fffffffffffffff_u64) + bits::<64>(0x324a921244bd9183_u64) << 64);
        self.y5.next = (self.u3.val() - (192) + self.u3.val() + 194).get_bits::<8>(self.u5.val().index());
        self.y6.next = (self.u2.val() & self.u2.val()).xor();
        self.y7.next = bit_cast::<31, 16>((self.u2.val()) & self.u2.val()) + ((bit_cast::<31, 33>(self.u1.val()) << bit_cast::<6, 3>(self.u5.val())) + bit_cast::<31, 2>(self.u0.val()));
    }
}

subject!(Random0, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random1 {
    u0: Signal<In, Bits<3>>,
    u1: Signal<In, Bits<31>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<32>>,
    u4: Signal<In, Bits<33>>,
    u5: Signal<In, Bits<5>>,
    s0: Signal<In, Signed<31>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Signed<31>>,
    y1: Signal<Out, Bits<1>>,
    y2: Signal<Out, Bit>,
    y3: Signal<Out, Bits<1>>,
    y4: Signal<Out, Bits<2>>,
    y5: Signal<Out, Bits<33>>,
    y6: Signal<Out, Bits<31>>,
    y7: Signal<Out, Bits<31>>,
}

impl Logic for Random1 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = -self.s0.val();
        self.y1.next = bit_cast::<1, 16>(self.u2.val());
        self.y2.next = self.u1.val().get_bit(self.u0.val().index());
        self.y3.next = (bit_cast::<1, 5>(self.u5.val()) + (self.b1.val())).replace_bit(0, self.u2.val().all());
        self.y4.next = ((bit_cast::<2, 65>(bits::<65>(0x7fffffffffffffff_u64))) | bit_cast::<2, 33>(self.u4.val())).replace_bit(1, (self.b1.val()) && self.b1.val());
        self.y5.next = !bit_cast::<33, 33>(!self.u2.val().get_bits::<33>(self.u0.val().index()));
        self.y6.next = bit_cast::<31, 3>(self.u0.val()) + 1934718708;
        self.y7.next = bit_cast::<31, 32>(!self.u3.val() >> bit_cast::<1, 32>(self.u3.val()) + bits::<1>(1));
    }
}

subject!(Random1, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random2 {
    u0: Signal<In, Bits<4>>,
    u1: Signal<In, Bits<48>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<13>>,
    u4: Signal<In, Bits<31>>,
    u5: Signal<In, Bits<16>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<5>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bit>,
    y1: Signal<Out, Bits<13>>,
    y2: Signal<Out, Bits<48>>,
    y3: Signal<Out, Bits<31>>,
    y4: Signal<Out, Bits<64>>,
    y5: Signal<Out, Signed<16>>,
    y6: Signal<Out, Signed<16>>,
    y7: Signal<Out, Bits<4>>,
}

impl Logic for Random2 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = bit_cast::<65, 16>(self.u5.val()) + self.b1.val() >= bits::<65>(0x7a3f602149193591_u64) + bit_cast::<65, 4>(self.u0.val());
        self.y1.next = (bit_cast::<2, 48>(self.u1.val()).get_bits::<13>(1)).replace_bit(10, self.u3.val() == (8191)) & self.u3.val() >> bit_cast::<2, 31>(self.u4.val()) - bit_cast::<2, 4>(self.u0.val());
        self.y2.next = bit_cast::<48, 48>(bit_cast::<48, 16>(self.u2.val()) | 1) & (self.u1.val() >> (20) & 0xb2634c39403e_u64) + ((self.u1.val() + self.u1.val()) + (self.u1.val() ^ (self.u1.val())));
        self.y3.next = bit_cast::<31, 13>(self.u3.val() + self.u3.val());
        self.y4.next = !(bits::<64>(0x7fffffffffffffff_u64) + self.b0.val()) + self.u3.val().any();
        self.y5.next = -self.s0.val();
        self.y6.next = self.s0.val() + (self.s0.val() + self.s0.val());
        self.y7.next = bit_cast::<4, 48>(self.u1.val() + self.u1.val() + (self.u2.val() != self.u2.val()));
    }
}

subject!(Random2, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random3 {
    u0: Signal<In, Bits<5>>,
    u1: Signal<In, Bits<32>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<16>>,
    u4: Signal<In, Bits<16>>,
    u5: Signal<In, Bits<3>>,
    s0: Signal<In, Signed<31>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<32>>,
    y1: Signal<Out, Bit>,
    y2: Signal<Out, Bits<5>>,
    y3: Signal<Out, Bits<65>>,
    y4: Signal<Out, Bits<32>>,
    y5: Signal<Out, Bits<16>>,
    y6: Signal<Out, Bits<128>>,
    y7: Signal<Out, Bits<16>>,
}

impl Logic for Random3 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = bit_cast::<32, 3>(self.u5.val());
        self.y1.next = !((self.u1.val()) + 1 >= self.u1.val() - self.u1.val());
        self.y2.next = (((bit_cast::<128, 16>(self.u4.val())).get_bits::<5>(self.u0.val().index())) - (self.u0.val() + 27) ^ (0)) - bit_cast::<5, 16>(bit_cast::<16, 16>(!self.u2.val()));
        self.y3.next = bit_cast::<65, 33>(bit_cast::<33, 3>(self.u5.val())) + (bit_cast::<65, 16>(self.u2.val()) << bit_cast::<4, 16>(self.u2.val()));
        self.y4.next = bit_cast::<32, 48>(bit_cast::<48, 16>(self.u3.val()));
        self.y5.next = bit_cast::<16, 13>(bit_cast::<13, 16>(self.u4.val()) + !bit_cast::<13, 16>(self.u3.val())) >> (bit_cast::<7, 16>(self.u2.val()) << bit_cast::<4, 5>(self.u0.val()));
        self.y6.next = bit_cast::<128, 16>(self.u2.val() + 65535);
        self.y7.next = (bit_cast::<16, 16>(self.u4.val()) | self.u2.val() + (self.u2.val())) << (bits::<4>(15) ^ bit_cast::<4, 16>(self.u2.val()));
    }
}

subject!(Random3, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random4 {
    u0: Signal<In, Bits<2>>,
    u1: Signal<In, Bits<33>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<5>>,
    u4: Signal<In, Bits<13>>,
    u5: Signal<In, Bits<65>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<9>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<2>>,
    y1: Signal<Out, Bits<13>>,
    y2: Signal<Out, Bits<16>>,
    y3: Signal<Out, Bit>,
    y4: Signal<Out, Bits<16>>,
    y5: Signal<Out, Bits<33>>,
    y6: Signal<Out, Signed<9>>,
    y7: Signal<Out, Bits<3>>,
}

impl Logic for Random4 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = self.u0.val() ^ self.u0.val() + self.u0.val();
        self.y1.next = bit_cast::<13, 65>((self.u5.val() >> self.u3.val()) + 0);
        self.y2.next = (self.u4.val().replace_bit(5, self.b1.val()) + ((self.u4.val()) | 0)).get_bits::<2>(8).get_bits::<16>(1);
        self.y3.next = !(self.u1.val() <= self.u1.val());
        self.y4.next = (self.u2.val() - self.u2.val() & unsigned_cast(self.s0.val())) ^ self.u2.val() - self.u2.val() << bit_cast::<1, 16>(self.u2.val());
        self.y5.next = bit_cast::<33, 33>(!self.u1.val() - (self.u1.val() & (self.u1.val())) | self.u1.val());
        self.y6.next = self.s2.val();
        self.y7.next = bits::<3>(7) - bits::<3>(0) | (bit_cast::<3, 16>(self.u2.val() + self.b1.val()));
    }
}

subject!(Random4, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random5 {
    u0: Signal<In, Bits<4>>,
    u1: Signal<In, Bits<8>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<48>>,
    u4: Signal<In, Bits<65>>,
    u5: Signal<In, Bits<16>>,
    s0: Signal<In, Signed<64>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bit>,
    y1: Signal<Out, Bits<16>>,
    y2: Signal<Out, Bits<16>>,
    y3: Signal<Out, Bits<4>>,
    y4: Signal<Out, Signed<8>>,
    y5: Signal<Out, Signed<8>>,
    y6: Signal<Out, Bits<16>>,
    y7: Signal<Out, Signed<8>>,
}

impl Logic for Random5 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = self.u2.val() - self.u2.val() > 65535;
        self.y1.next = self.u2.val() + 42764;
        self.y2.next = self.u2.val() + self.u1.val().any() + !self.b0.val() & bit_cast::<16, 16>((self.u3.val() | self.u3.val()).get_bits::<16>(self.u0.val().index()));
        self.y3.next = self.u0.val() - bit_cast::<4, 65>(self.u4.val());
        self.y4.next = self.s1.val();
        self.y5.next = (self.s1.val()) + (-(-self.s1.val() - (self.s1.val() - (self.s1.val()))));
        self.y6.next = self.u5.val() + self.u2.val() - 661;
        self.y7.next = -(self.s1.val()) - signed_bit_cast::<8, 64>(self.s0.val());
    }
}

subject!(Random5, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random6 {
    u0: Signal<In, Bits<4>>,
    u1: Signal<In, Bits<33>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<128>>,
    u4: Signal<In, Bits<31>>,
    u5: Signal<In, Bits<48>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<5>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<16>>,
    y1: Signal<Out, Bit>,
    y2: Signal<Out, Signed<32>>,
    y3: Signal<Out, Bit>,
    y4: Signal<Out, Bits<3>>,
    y5: Signal<Out, Bits<128>>,
    y6: Signal<Out, Bits<128>>,
    y7: Signal<Out, Bits<31>>,
}

impl Logic for Random6 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = bit_cast::<16, 48>(bit_cast::<48, 33>(self.u1.val()));
        self.y1.next = (bits::<32>(2041487279).replace_bit(13, self.b0.val()) - 0xc6a53438_u64).any();
        self.y2.next = -self.s1.val();
        self.y3.next = (bit_cast::<32, 128>(self.u3.val())) + bits::<32>(1478484179) > unsigned_cast(self.s1.val());
        self.y4.next = (!(self.u3.val() >> bit_cast::<6, 4>(self.u0.val()))).get_bits::<3>(46);
        self.y5.next = !self.u3.val();
        self.y6.next = self.u3.val();
        self.y7.next = (self.u4.val() + 565729041) + (bit_cast::<31, 31>(self.u4.val()) ^ 1);
    }
}

subject!(Random6, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random7 {
    u0: Signal<In, Bits<2>>,
    u1: Signal<In, Bits<48>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<31>>,
    u4: Signal<In, Bits<33>>,
    u5: Signal<In, Bits<5>>,
    s0: Signal<In, Signed<100>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Signed<100>>,
    y1: Signal<Out, Bit>,
    y2: Signal<Out, Bit>,
    y3: Signal<Out, Bits<1>>,
    y4: Signal<Out, Bits<31>>,
    y5: Signal<Out, Bits<33>>,
    y6: Signal<Out, Bits<2>>,
    y7: Signal<Out, Bit>,
}

impl Logic for Random7 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = self.s0.val();
        self.y1.next = (bit_cast::<5, 33>(self.u4.val()) | self.u5.val() + self.u5.val()).get_bit(4);
        self.y2.next = (((self.u0.val() & 1) << 1) + 3).get_bit(1);
        self.y3.next = bits::<1>(1);
        self.y4.next = (self.u3.val() + self.b1.val() ^ 0) + self.u3.val();
        self.y5.next = !bit_cast::<33, 16>(self.u2.val() + self.u2.val() | bit_cast::<16, 48>(self.u1.val()));
        self.y6.next = self.u0.val() >> bits::<1>(1) >> 2;
        self.y7.next = self.u3.val() + (862034707) < self.u3.val() << (bit_cast::<8, 5>(self.u5.val())) && bit_cast::<64, 33>(self.u4.val()).get_bits::<33>(28).all();
    }
}

subject!(Random7, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random8 {
    u0: Signal<In, Bits<3>>,
    u1: Signal<In, Bits<5>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<65>>,
    u4: Signal<In, Bits<48>>,
    u5: Signal<In, Bits<65>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<9>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<65>>,
    y1: Signal<Out, Bits<3>>,
    y2: Signal<Out, Bits<64>>,
    y3: Signal<Out, Bits<48>>,
    y4: Signal<Out, Bits<48>>,
    y5: Signal<Out, Bit>,
    y6: Signal<Out, Bits<3>>,
    y7: Signal<Out, Bits<48>>,
}

impl Logic for Random8 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = ((self.u5.val()) + (self.u5.val())).replace_bit(self.u0.val().index(), bit_cast::<64, 65>(self.u5.val()).any());
        self.y1.next = bit_cast::<3, 65>(self.u5.val()) + !(self.u0.val() - self.u0.val());
        self.y2.next = bit_cast::<64, 65>(bit_cast::<65, 65>(self.u5.val().replace_bit(self.u1.val().index(), self.b1.val())) ^ bit_cast::<65, 32>(bit_cast::<32, 65>(self.u5.val()) & 0xfe2619ef_u64));
        self.y3.next = !bit_cast::<48, 1>(bits::<1>(1));
        self.y4.next = bit_cast::<48, 65>(self.u0.val().replace_bit(0, self.b0.val()).get_bits::<65>(2));
        self.y5.next = !(bits::<31>(2147483647).get_bits::<65>(25) + bit_cast::<65, 65>(self.u3.val()) <= (self.u5.val()));
        self.y6.next = self.u0.val() + 0 + (self.u2.val() <= (self.u2.val()));
        self.y7.next = (self.u4.val() & self.u4.val() & (self.u4.val()) + self.u4.val()) + self.u4.val().replace_bit(self.u0.val().index(), !self.b0.val());
    }
}

subject!(Random8, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random9 {
    u0: Signal<In, Bits<5>>,
    u1: Signal<In, Bits<13>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<2>>,
    u4: Signal<In, Bits<3>>,
    u5: Signal<In, Bits<32>>,
    s0: Signal<In, Signed<24>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bit>,
    y1: Signal<Out, Bits<32>>,
    y2: Signal<Out, Bit>,
    y3: Signal<Out, Bits<32>>,
    y4: Signal<Out, Bit>,
    y5: Signal<Out, Bits<2>>,
    y6: Signal<Out, Bits<65>>,
    y7: Signal<Out, Bits<5>>,
}

impl Logic for Random9 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = self.u3.val() << 3 > 3;
        self.y1.next = (bit_cast::<1, 3>(self.u4.val()).get_bits::<2>(0) & 3).get_bits::<32>(1);
        self.y2.next = -self.s0.val() == (signed_bit_cast::<24, 8>(self.s1.val()));
        self.y3.next = (self.u4.val() + self.u4.val()).get_bits::<32>(2);
        self.y4.next = ((bit_cast::<64, 2>(self.u3.val()) << (bit_cast::<6, 3>(self.u4.val()))) + (self.b0.val() || self.b1.val())).get_bit(self.u0.val().index());
        self.y5.next = self.u3.val();
        self.y6.next = (bit_cast::<65, 32>(self.u5.val()) ^ 0x7fffffffffffffff_u64) + (self.u4.val().get_bits::<65>(0));
        self.y7.next = bit_cast::<5, 128>(bits::<128>(0x7fffffffffffffff_u64)) + ((self.u0.val()) << 5) | (self.u0.val() ^ 0).replace_bit(3, self.u3.val() > self.u3.val());
    }
}

subject!(Random9, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random10 {
    u0: Signal<In, Bits<3>>,
    u1: Signal<In, Bits<33>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<8>>,
    u4: Signal<In, Bits<65>>,
    u5: Signal<In, Bits<1>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<17>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bit>,
    y1: Signal<Out, Bits<48>>,
    y2: Signal<Out, Bits<33>>,
    y3: Signal<Out, Bits<8>>,
    y4: Signal<Out, Bits<33>>,
    y5: Signal<Out, Bits<3>>,
    y6: Signal<Out, Bit>,
    y7: Signal<Out, Bits<65>>,
}

impl Logic for Random10 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = !!self.b0.val();
        self.y1.next = (bits::<48>(0) ^ bit_cast::<48, 1>(self.u5.val())).replace_bit(47, bit_cast::<5, 1>(self.u5.val()).all()) + (self.u2.val() == self.u2.val());
        self.y2.next = self.u1.val().get_bits::<33>(self.u5.val().index());
        self.y3.next = self.u3.val() & (self.u3.val() + self.u3.val());
        self.y4.next = self.u1.val();
        self.y5.next = (self.u0.val() + 1 & bit_cast::<3, 16>(bit_cast::<16, 64>(bits::<64>(0x7fffffffffffffff_u64)))) + (((self.u0.val() & 1) << 3) << bit_cast::<6, 16>(self.u2.val()));
        self.y6.next = (self.s0.val() == self.s0.val()) || self.s2.val() <= signed_bit_cast::<17, 32>(self.s1.val());
        self.y7.next = (self.u4.val() - self.u4.val()) - 0x90311f9a1d97de2_u64 - 0x5435121146e59683_u64;
    }
}

subject!(Random10, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random11 {
    u0: Signal<In, Bits<3>>,
    u1: Signal<In, Bits<64>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<31>>,
    u4: Signal<In, Bits<31>>,
    u5: Signal<In, Bits<128>>,
    s0: Signal<In, Signed<24>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Signed<8>>,
    y1: Signal<Out, Bits<31>>,
    y2: Signal<Out, Bits<5>>,
    y3: Signal<Out, Bits<64>>,
    y4: Signal<Out, Bits<13>>,
    y5: Signal<Out, Bits<31>>,
    y6: Signal<Out, Bits<31>>,
    y7: Signal<Out, Bits<64>>,
}

impl Logic for Random11 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = self.s1.val();
        self.y1.next = self.u4.val() + bit_cast::<32, 31>(self.u3.val()).all() | bit_cast::<33, 64>(self.u1.val()).get_bits::<31>(20) ^ (self.u4.val() ^ 2147483647);
        self.y2.next = (bits::<5>(15) + (31) ^ (bit_cast::<5, 31>(self.u4.val()) | bit_cast::<5, 16>(self.u2.val())) | bit_cast::<5, 31>(self.u4.val()) << bits::<7>(127) - 127) & 26;
        self.y3.next = !self.u1.val() - (self.u1.val() << bit_cast::<6, 64>(self.u1.val()));
        self.y4.next = !bits::<13>(6755) - (bit_cast::<13, 64>(self.u1.val()) << bit_cast::<5, 31>(self.u4.val())) & (3185);
        self.y5.next = self.u3.val();
        self.y6.next = (bits::<32>(0xd992537b_u64) << self.u0.val()).get_bits::<31>(29);
        self.y7.next = bit_cast::<64, 64>(bit_cast::<64, 16>(self.u2.val() + self.u2.val()));
    }
}

subject!(Random11, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random12 {
    u0: Signal<In, Bits<4>>,
    u1: Signal<In, Bits<128>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<128>>,
    u4: Signal<In, Bits<48>>,
    u5: Signal<In, Bits<16>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<5>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<32>>,
    y1: Signal<Out, Signed<5>>,
    y2: Signal<Out, Bit>,
    y3: Signal<Out, Bits<13>>,
    y4: Signal<Out, Bits<48>>,
    y5: Signal<Out, Bits<32>>,
    y6: Signal<Out, Bit>,
    y7: Signal<Out, Bits<16>>,
}

impl Logic for Random12 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = bit_cast::<32, 48>(self.u4.val()) >> 25;
        self.y1.next = -self.s2.val() - signed_bit_cast::<5, 5>(self.s2.val()) + signed_bit_cast::<5, 16>(self.s0.val());
        self.y2.next = ((self.u4.val() + self.u4.val() - 0xffffffffffff_u64).any()) || (!bit_cast::<32, 4>(self.u0.val()) | (bits::<32>(0xffffffff_u64)) >> bit_cast::<7, 128>(self.u3.val()) != bit_cast::<32, 1>(self.u0.val().get_bits::<1>(1)));
        self.y3.next = (!bits::<3>(1)).get_bits::<13>(2);
        self.y4.next = (self.u4.val() << 41 >> bit_cast::<3, 128>(self.u3.val())) + ((self.s1.val()) <= self.s1.val());
        self.y5.next = (self.u5.val() - self.u2.val() ^ 32520) * ((self.u5.val()) + self.b1.val() & self.u2.val() + self.b0.val()) + (self.u3.val() < self.u3.val());
        self.y6.next = bits::<3>(7) + bit_cast::<3, 128>(self.u1.val()) < 1;
        self.y7.next = bit_cast::<16, 4>(bit_cast::<4, 128>(self.u3.val()) + ((self.s1.val()) <= signed_bit_cast::<32, 16>(self.s0.val())));
    }
}

subject!(Random12, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random13 {
    u0: Signal<In, Bits<5>>,
    u1: Signal<In, Bits<65>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<5>>,
    u4: Signal<In, Bits<48>>,
    u5: Signal<In, Bits<16>>,
    s0: Signal<In, Signed<3>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<65>>,
    y1: Signal<Out, Bits<5>>,
    y2: Signal<Out, Bits<64>>,
    y3: Signal<Out, Signed<8>>,
    y4: Signal<Out, Bit>,
    y5: Signal<Out, Bit>,
    y6: Signal<Out, Bits<8>>,
    y7: Signal<Out, Bits<16>>,
}

impl Logic for Random13 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = !(self.u1.val() >> (52));
        self.y1.next = bit_cast::<5, 32>(bit_cast::<32, 48>(self.u4.val()).replace_bit(2, self.b0.val()) - (bits::<32>(0xf5807a98_u64) ^ bit_cast::<32, 16>(self.u5.val())));
        self.y2.next = (bit_cast::<64, 5>(bit_cast::<5, 5>(self.u0.val())) << (bits::<3>(1) << bit_cast::<3, 48>(self.u4.val()))) + ((bit_cast::<64, 16>(self.u2.val())) + bit_cast::<64, 5>(self.u3.val()) + !self.b0.val() + (bit_cast::<3, 5>(self.u0.val()) == bits::<3>(1)));
        self.y3.next = self.s1.val();
        self.y4.next = ((self.u3.val() | self.u3.val()) + (self.u0.val() & self.u0.val())).all();
        self.y5.next = !((self.u3.val()) + self.b0.val()) >> (self.u0.val() >> 2) <= (self.u0.val() >> (bit_cast::<4, 16>(self.u2.val())) & 1) >> bits::<6>(8) + bits::<6>(63);
        self.y6.next = (bit_cast::<8, 16>(self.u5.val()) ^ bit_cast::<8, 5>(self.u3.val())) + (bits::<8>(0) << 2);
        self.y7.next = (bit_cast::<16, 48>(self.u4.val())) & (self.u1.val().get_bits::<16>(self.u3.val().index()) ^ (self.u5.val() ^ 65535));
    }
}

subject!(Random13, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random14 {
    u0: Signal<In, Bits<3>>,
    u1: Signal<In, Bits<48>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<2>>,
    u4: Signal<In, Bits<31>>,
    u5: Signal<In, Bits<64>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<9>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<16>>,
    y1: Signal<Out, Bits<128>>,
    y2: Signal<Out, Bits<64>>,
    y3: Signal<Out, Bits<8>>,
    y4: Signal<Out, Bit>,
    y5: Signal<Out, Bits<16>>,
    y6: Signal<Out, Bits<48>>,
    y7: Signal<Out, Signed<16>>,
}

impl Logic for Random14 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = bit_cast::<16, 48>((self.u1.val()).replace_bit(self.u0.val().index(), self.b1.val()));
        self.y1.next = bit_cast::<31, 31>(self.u0.val().get_bits::<31>(0)).get_bits::<128>(self.u0.val().index());
        self.y2.next = bit_cast::<64, 2>(self.u3.val() + ((self.u3.val() & (self.u3.val())) >> !self.u0.val()));
        self.y3.next = bits::<8>(255) << bit_cast::<6, 2>(self.u3.val()) & bit_cast::<8, 3>(self.u0.val());
        self.y4.next = !!self.u5.val().xor();
        self.y5.next = bit_cast::<16, 5>(bit_cast::<5, 48>(self.u1.val()) - bit_cast::<5, 16>(self.u2.val()) << 3) + (!self.u1.val()).get_bits::<3>(self.u3.val().index()).get_bits::<16>(1);
        self.y6.next = bit_cast::<48, 64>(self.u5.val()) & bit_cast::<48, 16>(self.u2.val());
        self.y7.next = self.s0.val() - signed_cast::<16>(self.u2.val());
    }
}

subject!(Random14, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random15 {
    u0: Signal<In, Bits<4>>,
    u1: Signal<In, Bits<31>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<1>>,
    u4: Signal<In, Bits<5>>,
    u5: Signal<In, Bits<48>>,
    s0: Signal<In, Signed<64>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bit>,
    y1: Signal<Out, Bits<16>>,
    y2: Signal<Out, Bits<48>>,
    y3: Signal<Out, Bits<5>>,
    y4: Signal<Out, Bits<128>>,
    y5: Signal<Out, Bits<16>>,
    y6: Signal<Out, Bit>,
    y7: Signal<Out, Bits<31>>,
}

impl Logic for Random15 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = self.s0.val() - (self.s0.val()) != signed_cast::<64>(unsigned_cast(self.s0.val()));
        self.y1.next = (self.u2.val() | self.u2.val()) + (self.u2.val() != 30395) + (self.b0.val() && self.b1.val());
        self.y2.next = self.u5.val() >> 20;
        self.y3.next = (bit_cast::<33, 4>(self.u0.val()) & bit_cast::<33, 16>(self.u2.val())).get_bits::<5>(self.u0.val().index());
        self.y4.next = bit_cast::<128, 1>(self.u1.val().get_bits::<1>(self.u0.val().index()) ^ (self.u3.val() + self.u3.val()));
        self.y5.next = ((self.u2.val()) + self.u2.val().replace_bit(1, self.b1.val()) | self.u2.val()) >> (bit_cast::<7, 48>(self.u5.val()) >> 8);
        self.y6.next = bit_cast::<13, 65>(bit_cast::<65, 16>(self.u2.val())) >= (8191);
        self.y7.next = !(self.u1.val() << bit_cast::<3, 31>(self.u1.val()) & (self.u1.val() ^ (self.u1.val())));
    }
}

subject!(Random15, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random16 {
    u0: Signal<In, Bits<5>>,
    u1: Signal<In, Bits<8>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<65>>,
    u4: Signal<In, Bits<1>>,
    u5: Signal<In, Bits<48>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<9>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<32>>,
    y1: Signal<Out, Bit>,
    y2: Signal<Out, Bits<3>>,
    y3: Signal<Out, Bits<5>>,
    y4: Signal<Out, Bits<1>>,
    y5: Signal<Out, Bits<1>>,
    y6: Signal<Out, Bits<128>>,
    y7: Signal<Out, Signed<9>>,
}

impl Logic for Random16 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = bit_cast::<32, 5>(self.u0.val()) + bit_cast::<32, 5>(self.u0.val()) ^ (bits::<32>(0) ^ 0xffffffff_u64);
        self.y1.next = (self.u5.val().replace_bit(self.u4.val().index(), self.b1.val()) | (self.u5.val() + (self.u5.val()))).get_bit(26);
        self.y2.next = (bit_cast::<3, 128>(!!bit_cast::<128, 65>(self.u3.val()))) + (self.b1.val() && self.b0.val());
        self.y3.next = self.u0.val() << bits::<2>(1) | 0;
        self.y4.next = (self.u4.val() + self.b0.val()) - (self.u4.val() & self.u4.val()) + ((self.u4.val() | self.u4.val()) ^ (self.u4.val() ^ self.u4.val()));
        self.y5.next = (self.u4.val()) << 2;
        self.y6.next = (bit_cast::<128, 1>(self.u4.val()) | bit_cast::<128, 5>(self.u0.val())) + 0x7fffffffffffffff_u64;
        self.y7.next = -(self.s2.val()) - -(self.s2.val() + signed_cast::<9>(bit_cast::<9, 5>(self.u0.val())));
    }
}

subject!(Random16, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random17 {
    u0: Signal<In, Bits<2>>,
    u1: Signal<In, Bits<2>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<128>>,
    u4: Signal<In, Bits<13>>,
    u5: Signal<In, Bits<13>>,
    s0: Signal<In, Signed<64>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bit>,
    y1: Signal<Out, Bits<32>>,
    y2: Signal<Out, Bits<8>>,
    y3: Signal<Out, Bits<2>>,
    y4: Signal<Out, Bits<128>>,
    y5: Signal<Out, Bit>,
    y6: Signal<Out, Bits<2>>,
    y7: Signal<Out, Bit>,
}

impl Logic for Random17 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = (self.u1.val() & self.u1.val()).xor();
        self.y1.next = bits::<32>(0xc9267b18_u64).replace_bit(self.u0.val().index(), self.u1.val() != (self.u0.val()));
        self.y2.next = unsigned_cast(self.s1.val() - signed_bit_cast::<8, 8>(self.s1.val()));
        self.y3.next = self.u0.val().replace_bit(1, bit_cast::<31, 13>(self.u4.val()).all());
        self.y4.next = self.u3.val();
        self.y5.next = (self.u2.val() - self.u2.val() << 14) + (bit_cast::<16, 2>(self.u0.val()) >> bit_cast::<3, 13>(self.u4.val()) + bits::<3>(4)) != 15041;
        self.y6.next = self.u0.val() + 0 - (self.u0.val() - self.u0.val());
        self.y7.next = !bits::<48>(0xffffffffffff_u64) + (!bit_cast::<48, 2>(self.u0.val())) != bit_cast::<48, 13>(self.u4.val()) + bit_cast::<48, 13>(self.u5.val()) >> (bits::<6>(24) >> (bit_cast::<7, 13>(self.u4.val())));
    }
}

subject!(Random17, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random18 {
    u0: Signal<In, Bits<4>>,
    u1: Signal<In, Bits<32>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<2>>,
    u4: Signal<In, Bits<33>>,
    u5: Signal<In, Bits<31>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<17>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<2>>,
    y1: Signal<Out, Bits<16>>,
    y2: Signal<Out, Bits<33>>,
    y3: Signal<Out, Bits<31>>,
    y4: Signal<Out, Bits<33>>,
    y5: Signal<Out, Bits<31>>,
    y6: Signal<Out, Bits<2>>,
    y7: Signal<Out, Bits<13>>,
}

impl Logic for Random18 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = bit_cast::<2, 128>(bit_cast::<128, 33>(self.u4.val())) << self.u4.val().get_bits::<1>(18);
        self.y1.next = (self.u2.val() | (self.u2.val())) + 15524 ^ bit_cast::<16, 32>(self.u1.val() - self.u1.val());
        self.y2.next = !(self.u4.val() + (self.u4.val() | self.u4.val()) << bit_cast::<6, 16>(self.u2.val()));
        self.y3.next = (!self.u5.val()).replace_bit(self.u0.val().index(), self.u2.val().get_bit(8));
        self.y4.next = (self.u2.val() + self.b1.val()).get_bits::<33>(12) ^ (self.u4.val() + (self.u4.val()) + (self.u4.val() >= 1));
        self.y5.next = bit_cast::<31, 16>(bit_cast::<16, 16>(unsigned_cast(self.s0.val()) - bit_cast::<16, 31>(self.u5.val())));
        self.y6.next = self.u3.val() + self.u3.val() ^ bit_cast::<2, 3>(bits::<3>(7));
        self.y7.next = bit_cast::<13, 8>((self.u1.val()).get_bits::<8>(27)) - ((self.u0.val() + self.u0.val()).get_bits::<13>(3));
    }
}

subject!(Random18, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random19 {
    u0: Signal<In, Bits<5>>,
    u1: Signal<In, Bits<1>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<1>>,
    u4: Signal<In, Bits<16>>,
    u5: Signal<In, Bits<8>>,
    s0: Signal<In, Signed<100>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<1>>,
    y1: Signal<Out, Bits<16>>,
    y2: Signal<Out, Signed<100>>,
    y3: Signal<Out, Bits<5>>,
    y4: Signal<Out, Bit>,
    y5: Signal<Out, Bits<1>>,
    y6: Signal<Out, Bit>,
    y7: Signal<Out, Signed<8>>,
}

impl Logic for Random19 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = self.u5.val().get_bits::<1>(3).replace_bit(0, (self.u4.val()).all());
        self.y1.next = ((self.u2.val() ^ self.u2.val()) >> self.u5.val() - (self.u5.val())) + self.u2.val();
        self.y2.next = self.s0.val();
        self.y3.next = (bits::<13>(2450) + bits::<13>(0)).get_bits::<5>(7);
        self.y4.next = bit_cast::<13, 16>(self.u2.val().replace_bit(11, self.b1.val())) >= bit_cast::<13, 8>(self.u5.val());
        self.y5.next = (bit_cast::<1, 1>(self.u1.val() + self.b1.val()) & (0)) + (self.u1.val() + self.b0.val() << bit_cast::<8, 1>(self.u1.val()) ^ !self.u3.val() << self.u0.val());
        self.y6.next = (!self.u4.val()).all();
        self.y7.next = (self.s1.val()) + self.s1.val();
    }
}

subject!(Random19, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random20 {
    u0: Signal<In, Bits<4>>,
    u1: Signal<In, Bits<5>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<8>>,
    u4: Signal<In, Bits<64>>,
    u5: Signal<In, Bits<48>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<5>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Signed<16>>,
    y1: Signal<Out, Bit>,
    y2: Signal<Out, Bits<16>>,
    y3: Signal<Out, Bits<4>>,
    y4: Signal<Out, Bits<33>>,
    y5: Signal<Out, Bits<8>>,
    y6: Signal<Out, Bits<48>>,
    y7: Signal<Out, Bit>,
}

impl Logic for Random20 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = -(self.s0.val() - (self.s0.val()));
        self.y1.next = (self.u0.val() ^ self.u0.val()) & (self.u0.val()) + (self.u0.val()) != (self.u0.val() ^ 11) + (self.u0.val() + (12));
        self.y2.next = bit_cast::<13, 48>(bit_cast::<48, 3>(bits::<3>(4) + self.b1.val())).get_bits::<16>(0);
        self.y3.next = (self.u0.val() & self.u0.val()) - (self.u0.val() | self.u0.val());
        self.y4.next = bit_cast::<33, 8>(self.u3.val()) ^ bit_cast::<33, 64>(self.u4.val());
        self.y5.next = bit_cast::<8, 64>(self.u4.val() + 0 & (self.u4.val() + self.b0.val()) | ((self.u4.val() & 0x5037ae252175a25e_u64) + (self.u4.val() == (self.u4.val()))));
        self.y6.next = self.u5.val();
        self.y7.next = -self.s1.val() >= signed_bit_cast::<32, 16>(self.s0.val());
    }
}

subject!(Random20, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random21 {
    u0: Signal<In, Bits<2>>,
    u1: Signal<In, Bits<64>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<3>>,
    u4: Signal<In, Bits<64>>,
    u5: Signal<In, Bits<16>>,
    s0: Signal<In, Signed<64>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<16>>,
    y1: Signal<Out, Bits<3>>,
    y2: Signal<Out, Bits<2>>,
    y3: Signal<Out, Bits<64>>,
    y4: Signal<Out, Bits<128>>,
    y5: Signal<Out, Bits<64>>,
    y6: Signal<Out, Bits<13>>,
    y7: Signal<Out, Bits<13>>,
}

impl Logic for Random21 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = self.u5.val() + self.b1.val() + (bit_cast::<16, 2>(self.u0.val()));
        self.y1.next = !bit_cast::<3, 128>(bit_cast::<128, 64>(self.u4.val()));
        self.y2.next = (((self.u0.val() ^ 1) << 2) ^ bit_cast::<2, 16>(self.u5.val() << 11)) + (!(self.u0.val() << bit_cast::<5, 3>(self.u3.val()))).replace_bit(0, (self.s1.val()) > (signed_cast::<8>(bit_cast::<8, 64>(self.u1.val()))));
        self.y3.next = self.u4.val() + 0 - (self.u1.val() >> 51);
        self.y4.next = bit_cast::<128, 16>(bit_cast::<16, 16>(self.u2.val())) + ((bits::<128>(0x338e34e732b1bcad_u64) + bit_cast::<128, 64>(self.u4.val())) >> 81);
        self.y5.next = bit_cast::<64, 64>(self.u1.val()).replace_bit(self.u0.val().index(), self.b1.val() && self.b0.val()) << self.u5.val().get_bits::<7>(6) & bit_cast::<64, 3>(self.u3.val());
        self.y6.next = (bits::<13>(2070) | bits::<13>(8191)) ^ self.u3.val().get_bits::<13>(2);
        self.y7.next = bit_cast::<13, 16>(self.u2.val().replace_bit(5, self.b0.val())) + (self.b0.val() && self.b0.val());
    }
}

subject!(Random21, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random22 {
    u0: Signal<In, Bits<5>>,
    u1: Signal<In, Bits<1>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<31>>,
    u4: Signal<In, Bits<32>>,
    u5: Signal<In, Bits<1>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<2>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<16>>,
    y1: Signal<Out, Bits<1>>,
    y2: Signal<Out, Bits<1>>,
    y3: Signal<Out, Bits<16>>,
    y4: Signal<Out, Bit>,
    y5: Signal<Out, Bits<31>>,
    y6: Signal<Out, Bits<2>>,
    y7: Signal<Out, Bits<32>>,
}

impl Logic for Random22 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = self.u2.val() & self.u2.val() | 11598;
        self.y1.next = (!(self.u5.val() - 0)).replace_bit(0, self.b0.val() & self.b0.val());
        self.y2.next = self.u5.val() - (self.u1.val() + 0) - bit_cast::<1, 5>(self.u0.val() << bits::<4>(7)) | 1;
        self.y3.next = bit_cast::<16, 48>(bit_cast::<48, 31>(self.u3.val()) | (bit_cast::<48, 31>(self.u3.val())));
        self.y4.next = ((bit_cast::<2, 5>(self.u0.val()) << bit_cast::<4, 31>(self.u3.val())) + (self.u4.val()).get_bits::<2>(25)).xor();
        self.y5.next = (bit_cast::<31, 5>(self.u0.val().replace_bit(self.u1.val().index(), self.b1.val())) | self.u5.val().get_bits::<32>(0).get_bits::<31>(self.u0.val().index())) ^ self.u3.val();
        self.y6.next = (bit_cast::<2, 31>(self.u3.val()) << (0)) - bit_cast::<65, 1>(self.u1.val()).get_bits::<2>(self.u1.val().index());
        self.y7.next = ((self.u0.val() | (self.u0.val())) >> 3).get_bits::<32>(2);
    }
}

subject!(Random22, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random23 {
    u0: Signal<In, Bits<4>>,
    u1: Signal<In, Bits<16>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<48>>,
    u4: Signal<In, Bits<33>>,
    u5: Signal<In, Bits<32>>,
    s0: Signal<In, Signed<31>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<33>>,
    y1: Signal<Out, Bits<4>>,
    y2: Signal<Out, Bit>,
    y3: Signal<Out, Bit>,
    y4: Signal<Out, Bits<32>>,
    y5: Signal<Out, Bits<48>>,
    y6: Signal<Out, Bits<4>>,
    y7: Signal<Out, Bits<1>>,
}

impl Logic for Random23 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = (self.u4.val() ^ (1)) & 1367268001;
        self.y1.next = bit_cast::<4, 3>(bit_cast::<3, 32>(self.u5.val())) + ((self.u0.val()) + self.u0.val()) - ((self.u0.val() ^ self.u0.val()) & ((self.u0.val()) | (self.u0.val())));
        self.y2.next = self.u0.val() != bit_cast::<4, 8>(bit_cast::<8, 32>(self.u5.val())) & (self.u0.val()) >> bit_cast::<3, 4>(self.u0.val()) || bit_cast::<16, 1>(bit_cast::<1, 16>(self.u2.val()) + bit_cast::<1, 16>(self.u1.val())) != self.u2.val() + (self.b1.val()) << bit_cast::<2, 16>(self.u1.val());
        self.y3.next = !self.b1.val() || (self.b0.val() || self.b0.val());
        self.y4.next = !self.u5.val() & (self.u5.val() ^ (self.u5.val())) | (self.u5.val() >> bit_cast::<6, 16>(self.u2.val())) + (self.u5.val() - self.u5.val());
        self.y5.next = bit_cast::<48, 4>((((self.u0.val()) << 4).replace_bit(2, self.u0.val() <= self.u0.val())) + (self.u0.val().get_bits::<4>(3) + 15));
        self.y6.next = bit_cast::<4, 32>(self.u5.val() + self.u5.val());
        self.y7.next = (bit_cast::<1, 48>(self.u3.val()) & bit_cast::<1, 16>(self.u1.val())) + bits::<1>(0) + (self.u3.val() & self.u3.val()).get_bits::<1>(22);
    }
}

subject!(Random23, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random24 {
    u0: Signal<In, Bits<2>>,
    u1: Signal<In, Bits<64>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<64>>,
    u4: Signal<In, Bits<5>>,
    u5: Signal<In, Bits<32>>,
    s0: Signal<In, Signed<16>>,
    s1: Signal<In, Signed<32>>,
    s2: Signal<In, Signed<17>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bit>,
    y1: Signal<Out, Bit>,
    y2: Signal<Out, Bit>,
    y3: Signal<Out, Bits<64>>,
    y4: Signal<Out, Signed<17>>,
    y5: Signal<Out, Bits<64>>,
    y6: Signal<Out, Signed<16>>,
    y7: Signal<Out, Bits<5>>,
}

impl Logic for Random24 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = -self.s2.val() != self.s2.val();
        self.y1.next = !(self.u0.val() > self.u0.val()) && self.u3.val() ^ self.u1.val() == bit_cast::<64, 33>(bits::<33>(0));
        self.y2.next = self.u1.val() ^ 0x7fffffffffffffff_u64 != (self.u3.val() ^ self.u3.val()) >> bit_cast::<4, 5>(self.u4.val()) & bit_cast::<64, 3>(bits::<3>(7));
        self.y3.next = self.u1.val() & 0 & bit_cast::<64, 32>(self.u5.val());
        self.y4.next = self.s2.val();
        self.y5.next = self.u3.val().get_bits::<16>(52).get_bits::<64>(0) + ((self.u1.val() | self.u3.val()) + bit_cast::<64, 16>(self.u2.val())) | self.u3.val();
        self.y6.next = self.s0.val();
        self.y7.next = !((self.u4.val() | self.u4.val()) + 27);
    }
}

subject!(Random24, [u0, u1, u2, u3, u4, u5, s0, s1, s2, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

#[derive(LogicBlock, Default)]
pub struct Random25 {
    u0: Signal<In, Bits<2>>,
    u1: Signal<In, Bits<31>>,
    u2: Signal<In, Bits<16>>,
    u3: Signal<In, Bits<128>>,
    u4: Signal<In, Bits<48>>,
    u5: Signal<In, Bits<64>>,
    s0: Signal<In, Signed<64>>,
    s1: Signal<In, Signed<8>>,
    b0: Signal<In, Bit>,
    b1: Signal<In, Bit>,
    y0: Signal<Out, Bits<32>>,
    y1: Signal<Out, Signed<64>>,
    y2: Signal<Out, Bits<31>>,
    y3: Signal<Out, Bit>,
    y4: Signal<Out, Bits<48>>,
    y5: Signal<Out, Bits<2>>,
    y6: Signal<Out, Bits<2>>,
    y7: Signal<Out, Bits<65>>,
}

impl Logic for Random25 {
    #[hdl_gen]
    #[rustfmt::skip]
    fn update(&mut self) {
        self.y0.next = bit_cast::<32, 128>(self.u3.val()) + self.b1.val() - (bit_cast::<32, 64>(self.u5.val()) >> 7);
        self.y1.next = (self.s0.val() + signed_cast::<64>(self.u5.val() + self.u5.val())) + (-self.s0.val() + signed_bit_cast::<64, 8>(self.s1.val()));
        self.y2.next = self.u1.val().replace_bit(2, self.b0.val()) - (self.u1.val() + self.u1.val()) - 1164730971 >> (bit_cast::<5, 48>(self.u4.val()) >> bits::<4>(12));
        self.y3.next = self.s0.val() >= signed_cast::<64>(bit_cast::<64, 2>(self.u0.val()));
        self.y4.next = (bit_cast::<3, 16>(self.u2.val()) - bit_cast::<3, 64>(self.u5.val()) << bit_cast::<7, 64>(self.u5.val()) + bit_cast::<7, 48>(self.u4.val())).get_bits::<48>(1);
        self.y5.next = (bit_cast::<2, 128>(self.u3.val() + self.u3.val()) | (self.u0.val().get_bits::<2>(1)) >> bits::<8>(255) + bits::<8>(0)).replace_bit(1, self.u0.val() == self.u0.val());
        self.y6.next = self.u0.val() + self.b1.val() + (self.u4.val()).any();
        self.y7.next = (bits::<65>(0x7fffffffffffffff_u64) >> 31 >> self.u0.val()) + (self.u4.val().get_bit(44));
    }
}

subject!(Random25, [u0, u1, u2, u3, u4, u5, s0, s1, b0, b1], [y0, y1, y2, y3, y4, y5, y6, y7]);

/// Adds every random block to the bench.
pub fn add_all(bench: &mut Bench) {
    bench.add::<Random0>();
    bench.add::<Random1>();
    bench.add::<Random2>();
    bench.add::<Random3>();
    bench.add::<Random4>();
    bench.add::<Random5>();
    bench.add::<Random6>();
    bench.add::<Random7>();
    bench.add::<Random8>();
    bench.add::<Random9>();
    bench.add::<Random10>();
    bench.add::<Random11>();
    bench.add::<Random12>();
    bench.add::<Random13>();
    bench.add::<Random14>();
    bench.add::<Random15>();
    bench.add::<Random16>();
    bench.add::<Random17>();
    bench.add::<Random18>();
    bench.add::<Random19>();
    bench.add::<Random20>();
    bench.add::<Random21>();
    bench.add::<Random22>();
    bench.add::<Random23>();
    bench.add::<Random24>();
    bench.add::<Random25>();
}
