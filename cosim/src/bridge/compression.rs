//! The two compressions of a trace file. Verilator's trace writer expects the C libraries; these crates take their place,
//! because
//! their headers are more than `make setup` may ask for, and compiling them costs half a minute.

use miniz_oxide::deflate::compress_to_vec_zlib;

/// Length that LZ4 never exceeds.
pub fn lz4_bound(length: usize) -> usize {
    lz4_flex::block::get_maximum_output_size(length)
}

/// Compresses into `target` as one LZ4 block; the length, or 0 where it does not fit.
pub fn lz4_compress(source: &[u8], target: &mut [u8]) -> usize {
    lz4_flex::block::compress_into(source, target).unwrap_or(0)
}

/// Length that zlib does not exceed: miniz's own bound.
pub fn zlib_bound(length: usize) -> usize {
    128 + length + length / 10
}

/// Compresses into `target` as a zlib stream; the length, or 0 where it does not fit.
pub fn zlib_compress(source: &[u8], target: &mut [u8], level: i32) -> usize {
    let compressed = compress_to_vec_zlib(source, level.clamp(0, 9) as u8);
    match target.get_mut(..compressed.len()) {
        Some(place) => {
            place.copy_from_slice(&compressed);
            compressed.len()
        }
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zeros, a short period, and bytes that do not compress (a linear congruential generator).
    fn samples() -> Vec<Vec<u8>> {
        let mut samples = Vec::new();
        for length in [0, 1, 13, 255, 4_096, 70_000] {
            let mut state = 1u32;
            let noise = (0..length).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            });
            samples.extend([vec![0; length], (0..length).map(|i| (i % 7) as u8).collect(), noise.collect()]);
        }
        samples
    }

    #[test]
    fn lz4_never_exceeds_its_bound_and_round_trips() {
        for sample in samples() {
            let mut target = vec![0; lz4_bound(sample.len())];
            let length = lz4_compress(&sample, &mut target);
            assert_eq!(lz4_flex::block::decompress(&target[..length], sample.len()).unwrap(), sample);
        }
    }

    #[test]
    fn zlib_never_exceeds_its_bound_and_round_trips() {
        for sample in samples() {
            for level in 0..=9 {
                let mut target = vec![0; zlib_bound(sample.len())];
                let length = zlib_compress(&sample, &mut target, level);
                let back = miniz_oxide::inflate::decompress_to_vec_zlib(&target[..length]).unwrap();
                assert_eq!(back, sample, "level {level}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_gives_no_length() {
        let noise = samples().pop().unwrap();
        assert_eq!(lz4_compress(&noise, &mut [0; 100]), 0);
        assert_eq!(zlib_compress(&noise, &mut [0; 100], 4), 0);
    }
}
