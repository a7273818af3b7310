//! Launcher, spawn: the running program and the signals around it.
//! In: a [`Program`]; signals from the terminal, supervisors and the program. Out: [`Event`]s.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use memguard_inspect::Stat;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::signal::{SigSet, Signal, kill, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, getpid};

use super::{Program, ProgramExit, SpawnError, allocators, forward, inherited, preload};
use crate::config::SESSION_VARIABLE;
use crate::until::poll_until;

/// What [`Supervisor::wait`] saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The time is up.
    Tick,
    /// A signal arrived; it has been passed on where that was needed.
    Signal(Signal),
    /// The program has ended and is reaped. Every later call says the same.
    Exited(ProgramExit),
}

/// The running program. While it exists the forwarded signals are blocked in the calling thread and in every
/// thread started from it later: start it before any other thread.
#[derive(Debug)]
pub struct Supervisor {
    child: Child,
    signals: SignalFd,
    /// The mask to go back to.
    mask_before: SigSet,
    exited: Option<ProgramExit>,
    /// CPU time of the program in its whole life, in ns, once it has ended.
    cpu_ns: Option<u64>,
    /// The program is stopped.
    stopped: bool,
    /// We were asked to stop and wait for the program to do so first.
    stop_asked: bool,
}

impl Supervisor {
    /// Starts the program, with the interposer preloaded if there is one for it.
    ///
    /// # Errors
    /// Nothing of the program has run then; signals are as they were.
    pub fn start(program: &Program) -> Result<Self, SpawnError> {
        // Before the first child, which is the loader that is asked about allocators.
        inherited::make_children_waitable();
        let (name, arguments) = program.command.split_first().ok_or(Errno::EINVAL)?;
        // The command line's parser demands a command, so the error above is a defect of the caller.
        let mut command = Command::new(name);
        command.args(arguments).env(SESSION_VARIABLE, &program.session_dir);
        if let Some(library) = &program.library {
            let before = std::env::var_os("LD_PRELOAD");
            let executed = program.executed.as_deref();
            let beside = executed.map_or_else(Vec::new, |file| allocators::libraries(file, library));
            let value = preload::value(library, &beside, &program.session_dir, before.as_deref())?;
            command.env("LD_PRELOAD", value);
            let options = std::env::var_os(preload::ASAN_OPTIONS);
            command.env(preload::ASAN_OPTIONS, preload::asan_options(options.as_deref()));
        }

        let watched = forward::watched();
        let signals = SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        // Blocked before the start: no signal falls between it and our readiness to pass it on.
        let mask_before = SigSet::thread_get_mask()?;
        watched.thread_block()?;
        inherited::restore_in(&mut command, mask_before);
        match command.spawn() {
            Ok(child) => Ok(Self {
                child,
                signals,
                mask_before,
                exited: None,
                cpu_ns: None,
                stopped: false,
                stop_asked: false,
            }),
            Err(error) => {
                mask_before.thread_set_mask()?;
                Err(SpawnError::from_start(&name.to_string_lossy(), error))
            }
        }
    }

    /// The program's process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// CPU time of the program in its whole life, in ns; `None` while it lives, or where the kernel did not tell.
    pub fn cpu_ns(&self) -> Option<u64> {
        self.cpu_ns
    }

    /// Waits for the next event, at most `timeout`.
    ///
    /// # Errors
    /// Only if the system refuses to wait at all; the program runs on.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Event> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(exit) = self.exited {
                return Ok(Event::Exited(exit));
            }
            while let Some(signal) = self.signals.read_signal()? {
                if let Some(event) = self.receive(&signal)? {
                    return Ok(event);
                }
            }
            if Instant::now() >= deadline {
                return Ok(Event::Tick);
            }
            poll_until(&mut [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)], deadline)?;
        }
    }

    fn receive(&mut self, info: &siginfo) -> io::Result<Option<Event>> {
        let Ok(signal) = Signal::try_from(info.ssi_signo as i32) else { return Ok(None) };
        if signal == Signal::SIGCHLD {
            self.look_at_children()?;
            return Ok(self.exited.map(Event::Exited));
        }
        // Senders outside our PID namespace and the kernel both show as process 0; the code tells them apart.
        let from_kernel = info.ssi_code == libc::SI_KERNEL;
        if forward::is_needed(self.pid(), Pid::from_raw(info.ssi_pid as i32), from_kernel) {
            // The program is our unreaped child, so its number cannot belong to anyone else; it may have ended.
            let _ = kill(self.pid(), signal);
        }
        match signal {
            Signal::SIGTSTP => self.stop_asked = true,
            Signal::SIGCONT => self.stop_asked = false,
            _ => {}
        }
        self.stop_with_program()?;
        Ok(Some(Event::Signal(signal)))
    }

    fn look_at_children(&mut self) -> io::Result<()> {
        // Stops are asked for apart from the end: the standard library reads every wait status, also that of
        // a death by a real-time signal.
        let changes = WaitPidFlag::WNOHANG | WaitPidFlag::WSTOPPED | WaitPidFlag::WCONTINUED;
        loop {
            match waitid(Id::Pid(self.pid()), changes) {
                Ok(WaitStatus::Stopped(..)) => {
                    self.stopped = true;
                    self.stop_with_program()?;
                }
                Ok(WaitStatus::Continued(_)) => (self.stopped, self.stop_asked) = (false, false),
                _ => break,
            }
        }
        if !matches!(waitid(Id::Pid(self.pid()), ended_unreaped()), Ok(WaitStatus::StillAlive)) {
            // Once it is reaped nobody can tell any more.
            self.cpu_ns = Stat::of_zombie(self.pid().as_raw()).map(|stat| stat.cpu_ns);
            self.exited = self.child.try_wait()?.map(ProgramExit::from);
        }
        if self.exited.is_none() && getpid().as_raw() == 1 {
            reap_adopted(self.pid());
        }
        Ok(())
    }

    /// The shell sees a job stopped when we are, so we stop when we were asked to and the program did; a
    /// program that handles the request in its own way keeps us running. We never stop for a program stopped
    /// alone (`kill -STOP`): whoever continues it would not continue us.
    fn stop_with_program(&mut self) -> io::Result<()> {
        if self.stop_asked && self.stopped {
            self.stop_asked = false;
            raise(Signal::SIGSTOP)?;
            // Continued: by the shell's SIGCONT to the group, or by one to us alone, which waits to be read.
        }
        Ok(())
    }
}

/// Asks who has ended, and leaves them as they are.
fn ended_unreaped() -> WaitPidFlag {
    WaitPidFlag::WNOHANG | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT
}

/// As the first process of a container we inherit orphans, and nobody else would bury them.
fn reap_adopted(program: Pid) {
    while let Ok(status) = waitid(Id::All, ended_unreaped()) {
        match status.pid() {
            Some(pid) if pid != program => drop(waitpid(pid, Some(WaitPidFlag::WNOHANG))),
            _ => break,
        }
    }
}

impl AsFd for Supervisor {
    /// Readable when [`Supervisor::wait`] has something to say, for use in a wider `poll`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

impl Drop for Supervisor {
    /// Signals work as before: what comes after can be interrupted. Those that still wait were meant for the
    /// program, so they are taken out first.
    fn drop(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        let _ = self.mask_before.thread_set_mask();
    }
}
