//! The shipped golden vectors hold on the verilated card.

use cosim::vectors::{SHIPPED, read};
use cosim::verify::verify;

#[test]
fn the_card_agrees_with_every_shipped_vector() {
    let mut checked = 0;
    for (name, text) in SHIPPED {
        let vectors = read(name, text.as_bytes()).unwrap();
        for (vector, verdict) in vectors.iter().zip(verify(&vectors).unwrap()) {
            assert!(verdict.agrees_with(vector), "{name}, {}: the card says {verdict:?}", vector.name);
            checked += 1;
        }
    }
    assert!(checked >= 16 + 12 + 6 + 6, "only {checked} vectors");
}

#[test]
fn a_vector_that_is_wrong_fails_on_the_card() {
    let mut vectors = read(SHIPPED[0].0, SHIPPED[0].1.as_bytes()).unwrap();
    vectors[0].hash ^= 1;
    let verdicts = verify(&vectors).unwrap();
    let failed: Vec<_> = vectors.iter().zip(&verdicts).map(|(vector, verdict)| !verdict.agrees_with(vector)).collect();
    assert_eq!(failed.iter().filter(|f| **f).count(), 1);
    assert!(failed[0]);
}
