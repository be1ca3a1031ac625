//! The build script's own work queue.

use std::sync::Mutex;
use std::thread;

/// Applies `work` to every item, `threads` at a time, first come first served; results in the order of the items, or
/// the first error.
pub fn map<T, R>(threads: usize, items: Vec<T>, work: impl Fn(T) -> Result<R, String> + Sync) -> Result<Vec<R>, String>
where
    T: Send,
    R: Send,
{
    let mut results: Vec<Option<Result<R, String>>> = items.iter().map(|_| None).collect();
    let queue = Mutex::new(items.into_iter().zip(&mut results));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().ok().and_then(|mut queue| queue.next());
                    let Some((item, result)) = next else { break };
                    *result = Some(work(item));
                }
            });
        }
    });
    drop(queue);
    results
        .into_iter()
        .map(|result| result.unwrap_or_else(|| Err("a worker of the build script died".into())))
        .collect()
}
