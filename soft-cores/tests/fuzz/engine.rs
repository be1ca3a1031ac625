//! Runs cases of a target: so many, or for so long. Says which one broke a law, and its shortest form.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::{self, AssertUnwindSafe};
use std::str::FromStr;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use crate::corpus::Corpus;
use crate::draw::Draw;

/// Cases that are tried to make a wrong one shorter.
const SHORTENINGS: usize = 3000;
/// A case that takes longer hangs; the longest take a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// Something that takes bytes from outside.
pub trait Target {
    /// One step of a case.
    type Step: Clone + Debug;
    const NAME: &'static str;
    /// Cases of the short run.
    const CASES: u64;
    /// Kinds of outcome that the short run meets at least: else it does not get far enough in to find anything.
    const KINDS: usize;

    /// The steps of a case.
    fn draw(draw: &mut Draw, corpus: &Corpus) -> Vec<Self::Step>;

    /// Does them, and panics if a law is broken. Notes the kinds of outcome that it met.
    fn run(steps: &[Self::Step], kinds: &mut Kinds);
}

/// Kinds of outcome that were met.
pub type Kinds = BTreeSet<String>;

struct Options {
    seed: u64,
    seconds: Option<u64>,
    case: Option<u64>,
    corpus: Corpus,
}

impl Options {
    fn of_environment() -> Self {
        let capture = env::var("POINTSMAN_FUZZ_CAPTURE").ok().filter(|file| !file.is_empty());
        let capture = capture.map(|file| fs::read(&file).unwrap_or_else(|problem| panic!("{file}: {problem}")));
        Self {
            seed: number("POINTSMAN_SEED").unwrap_or(1),
            seconds: number("POINTSMAN_FUZZ_SECONDS"),
            case: number("POINTSMAN_FUZZ_CASE"),
            corpus: Corpus::new(capture.as_deref()),
        }
    }
}

fn number<N: FromStr>(variable: &str) -> Option<N> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}=`{text}` is no number")))
}

/// Runs a target as the environment says.
pub fn fuzz<T: Target>() {
    run::<T>(&Options::of_environment());
}

fn run<T: Target>(options: &Options) {
    let (mut kinds, mut cases, mut steps) = (Kinds::new(), 0, 0);
    let started = Instant::now();
    let limit = options.seconds.map(Duration::from_secs);
    let is_over = |cases| match (options.case, limit) {
        (Some(_), _) => cases == 1,
        (None, Some(limit)) => started.elapsed() >= limit,
        (None, None) => cases == T::CASES,
    };
    while !is_over(cases) {
        let case = options.case.unwrap_or(cases);
        let plan = T::draw(&mut Draw::new(options.seed, case), &options.corpus);
        let _alive = watch(format!("{}: case {case} of seed {} does not end", T::NAME, options.seed));
        if !holds::<T>(&plan, &mut kinds) {
            fail::<T>(&plan, options.seed, case);
        }
        steps += plan.len();
        cases += 1;
    }
    let seconds = started.elapsed().as_secs_f64();
    let (name, rate) = (T::NAME, steps as f64 / seconds);
    println!(
        "{name}: {cases} cases of seed {}, {steps} steps in {seconds:.1} s, {rate:.0} a second; {} kinds of outcome; {} frames in the corpus",
        options.seed,
        kinds.len(),
        options.corpus.frames.len()
    );
    let is_whole = options.case.is_none() && cases >= T::CASES;
    assert!(!is_whole || kinds.len() >= T::KINDS, "only {} kinds of outcome were met: {kinds:?}", kinds.len());
}

/// Ends the process, with a word, unless what is returned is dropped in time: nothing else ends a loop without end.
fn watch(word: String) -> Sender<()> {
    let (alive, watched) = channel();
    thread::spawn(move || {
        if watched.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{word}");
            process::exit(1);
        }
    });
    alive
}

fn holds<T: Target>(steps: &[T::Step], kinds: &mut Kinds) -> bool {
    panic::catch_unwind(AssertUnwindSafe(|| T::run(steps, kinds))).is_ok()
}

/// Prints the shortest case that was found to fail like this one, and fails as it does.
fn fail<T: Target>(steps: &[T::Step], seed: u64, case: u64) -> ! {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let shortest = shortened(steps, |fewer| !holds::<T>(fewer, &mut Kinds::new()));
    panic::set_hook(hook);
    println!(
        "{}: case {case} of seed {seed} breaks a law; {} of its {} steps do:",
        T::NAME,
        shortest.len(),
        steps.len()
    );
    shortest.iter().for_each(|step| println!("    {step:?}"));
    println!("again: POINTSMAN_SEED={seed} POINTSMAN_FUZZ_CASE={case}, and POINTSMAN_FUZZ_CAPTURE if it was set");
    T::run(&shortest, &mut Kinds::new());
    panic!("the case fails only now and then");
}

/// Leaves out steps, many at first, as long as the rest still fails.
fn shortened<S: Clone>(steps: &[S], fails: impl Fn(&[S]) -> bool) -> Vec<S> {
    let mut steps = steps.to_vec();
    let mut tries = 0;
    let mut chunk = steps.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        while at < steps.len() && tries < SHORTENINGS {
            let end = (at + chunk).min(steps.len());
            let fewer = [&steps[..at], &steps[end..]].concat();
            tries += 1;
            if fails(&fewer) {
                steps = fewer;
            } else {
                at = end;
            }
        }
        chunk /= 2;
    }
    steps
}

#[test]
fn a_case_is_made_as_short_as_it_stays_wrong() {
    let steps: Vec<u32> = (0..200).collect();
    let fails = |steps: &[u32]| steps.contains(&17) && steps.contains(&18) && steps.contains(&150);
    assert_eq!(shortened(&steps, fails), [17, 18, 150]);
    assert_eq!(shortened(&steps, |_| true), [0; 0]);
}

/// Breaks its law when it meets a 7 after a 3.
struct Broken;

impl Target for Broken {
    type Step = u8;
    const NAME: &'static str = "broken";
    const CASES: u64 = 50;
    const KINDS: usize = 1;

    fn draw(draw: &mut Draw, _: &Corpus) -> Vec<u8> {
        (0..40).map(|_| draw.below(10) as u8).collect()
    }

    fn run(steps: &[u8], kinds: &mut Kinds) {
        let three = steps.iter().position(|&step| step == 3);
        kinds.extend(three.map(|_| "three".to_owned()));
        assert!(three.is_none_or(|three| !steps[three..].contains(&7)), "seven behind three");
    }
}

#[test]
fn a_law_that_is_broken_is_found() {
    let options = Options { seed: 1, seconds: None, case: None, corpus: Corpus { frames: Vec::new() } };
    let found = panic::catch_unwind(AssertUnwindSafe(|| run::<Broken>(&options))).unwrap_err();
    assert_eq!(found.downcast_ref::<&str>(), Some(&"seven behind three"));
}
