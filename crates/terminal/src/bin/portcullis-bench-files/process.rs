//! Processes that are started, and what the system says this one has used. Source: proc(5).

use std::process::Child;
use std::time::Duration;

use super::Result;

/// A process that ends when this is dropped.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Clock ticks a second: the same on every Linux that Rust runs on.
const TICKS: u64 = 100;

/// Processor time of this process and of those that it has waited for, in user and kernel mode.
pub(crate) fn processor_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the name in parentheses, which may hold anything.
    let after_name = stat.rsplit_once(") ").ok_or("stat without a name")?.1;
    // utime, stime, cutime and cstime are fields 14 to 17, counted from 1; here the third is 0.
    let fields = after_name.split(' ').skip(11).take(4).map(str::parse::<u64>);
    let ticks: std::result::Result<u64, _> = fields.sum();
    Ok(Duration::from_millis(ticks? * 1_000 / TICKS))
}

/// KiB that this process has had at most.
pub(crate) fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("a status without VmHWM")?.parse()?)
}
