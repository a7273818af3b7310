//! Inspect: the POSIX timers of a process, from `/proc/PID/timers` (kernels built with checkpoint and restore).
//! `procfs` does not know this file.

use std::ops::ControlFlow;

use crate::lines::{for_each_line, value_of};

/// Four lines of some 30 bytes each: enough for 65,536 timers.
const BYTES_MAX: u64 = 16 << 20;
const TIMERS_MAX: usize = 65_536;

/// One timer made with `timer_create`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerEntry {
    /// Its number within the process.
    pub id: i32,
    /// The signal it sends; kept by the kernel even for timers that start a thread (32 with glibc).
    pub signal: Option<i32>,
    /// The clock it counts.
    pub clock: Option<i32>,
    /// What the program gave to be handed back with the signal.
    pub value: u64,
}

/// All timers; `None` if the kernel has no such file or the process has ended.
pub fn posix_timers(pid: i32) -> Option<Vec<TimerEntry>> {
    let mut timers = Vec::new();
    for_each_line(&format!("/proc/{pid}/timers"), BYTES_MAX, |line| see(&mut timers, line))?;
    Some(timers)
}

fn see(timers: &mut Vec<TimerEntry>, line: &str) -> ControlFlow<()> {
    if let Some(id) = value_of(line, "ID:") {
        if timers.len() >= TIMERS_MAX {
            return ControlFlow::Break(());
        }
        if let Ok(id) = id.parse() {
            timers.push(TimerEntry { id, signal: None, clock: None, value: 0 });
        }
    } else if let Some(timer) = timers.last_mut() {
        if let Some(signal) = value_of(line, "signal:") {
            let (signal, value) = signal.split_once('/').unwrap_or((signal, ""));
            timer.signal = signal.parse().ok();
            timer.value = u64::from_str_radix(value.trim_start_matches("0x"), 16).unwrap_or(0);
        } else if let Some(clock) = value_of(line, "ClockID:") {
            timer.clock = clock.parse().ok();
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{SigEvent, SigevNotify, Signal};
    use nix::sys::timer::Timer;
    use nix::time::ClockId;

    fn parsed(text: &str) -> Vec<TimerEntry> {
        let mut timers = Vec::new();
        for line in text.lines() {
            let _ = see(&mut timers, line);
        }
        timers
    }

    #[test]
    fn hostile_text_gives_no_panic() {
        assert_eq!(parsed(""), vec![]);
        assert_eq!(parsed("signal: 1/0\nClockID: 1"), vec![]);
        assert_eq!(parsed("ID: 99999999999999999999"), vec![]);
        assert_eq!(
            parsed("ID: 7\nsignal: x\nClockID:"),
            vec![TimerEntry { id: 7, signal: None, clock: None, value: 0 }]
        );
        let whole = "ID: 1\nsignal: 60/00007fff86e452a8\nnotify: signal/pid.2634\nClockID: 0";
        assert_eq!(
            parsed(whole),
            vec![TimerEntry { id: 1, signal: Some(60), clock: Some(0), value: 0x7fff_86e4_52a8 }]
        );
    }

    #[test]
    fn a_timer_of_this_process_is_seen() {
        let pid = std::process::id() as i32;
        if posix_timers(pid).is_none() {
            return; // This kernel has no such file.
        }
        let notify = SigevNotify::SigevSignal { signal: Signal::SIGUSR1, si_value: 0x7654_3210 };
        let timer = Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(notify)).expect("a timer");
        let seen = posix_timers(pid).expect("the file exists");
        let ours = |t: &&TimerEntry| t.signal == Some(Signal::SIGUSR1 as i32) && t.value == 0x7654_3210;
        assert_eq!(seen.iter().filter(ours).count(), 1);
        drop(timer);
        assert_eq!(posix_timers(pid).expect("the file exists").iter().filter(ours).count(), 0);
        assert_eq!(posix_timers(-1), None);
    }
}
