//! Ctrl-C and SIGTERM.
//!
//! ```text
//! no loop runs ──run──> first signal cancels the root ──signal──> second signal exits at once
//!      ^                        │                                         (also from a stuck loop)
//!      └────── run returned ────┴──> the next signal exits at once: nobody listens any more
//! ```

#[cfg(unix)]
pub(crate) use unix::Interrupts;
#[cfg(not(unix))]
pub(crate) use windows::Interrupts;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};

    use signal_hook::SigId;
    use signal_hook::consts::{SIGINT, SIGTERM};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

    /// A loop that listens for the two signals.
    pub(crate) struct Interrupts {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Interrupts {
        pub(crate) fn listen() -> io::Result<Self> {
            let interrupts =
                Interrupts { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? };
            Hooks::with(Hooks::add_loop)?;
            Ok(interrupts)
        }

        /// Waits for one of the signals and gives its number.
        pub(crate) async fn recv(&mut self) -> i32 {
            std::future::poll_fn(|cx| {
                if self.interrupt.poll_recv(cx).is_ready() {
                    std::task::Poll::Ready(SIGINT)
                } else {
                    self.terminate.poll_recv(cx).map(|_| SIGTERM)
                }
            })
            .await
        }

        /// Says that a handler of the program's own takes care of `signal` from now on, or no longer does.
        pub(crate) fn set_handled_by_program(signal: i32, is_handled: bool) -> io::Result<()> {
            match SIGNALS.iter().position(|own| *own == signal) {
                Some(at) => Hooks::with(|hooks| hooks.set_handled(at, is_handled)),
                None => Ok(()),
            }
        }
    }

    impl Drop for Interrupts {
        fn drop(&mut self) {
            let removed = Hooks::with(|hooks| {
                hooks.remove_loop();
                Ok(())
            });
            debug_assert!(removed.is_ok(), "removing a loop does no I/O");
        }
    }

    /// What the process does inside the signal handler: exit if `exit_now` is up, then put it up.
    struct Hooks {
        n_loops: usize,
        hooks: Option<[Hook; 2]>,
    }

    struct Hook {
        exit_now: Arc<AtomicBool>,
        /// Put `exit_now` of both signals up at the first one; absent while the program handles the signal itself.
        raise: Option<[SigId; 2]>,
        n_handlers: usize,
    }

    impl Hooks {
        fn with<R>(call: impl FnOnce(&mut Hooks) -> io::Result<R>) -> io::Result<R> {
            static HOOKS: Mutex<Hooks> = Mutex::new(Hooks { n_loops: 0, hooks: None });
            call(&mut HOOKS.lock().unwrap_or_else(PoisonError::into_inner))
        }

        fn add_loop(&mut self) -> io::Result<()> {
            if self.hooks.is_none() {
                let mut hooks = [Hook::install(SIGINT)?, Hook::install(SIGTERM)?];
                // The order matters: the flags are looked at before a signal puts them up.
                let flags = hooks.each_ref().map(|hook| hook.exit_now.clone());
                for (hook, signal) in hooks.iter_mut().zip(SIGNALS) {
                    hook.raise = Some(raise_all(signal, &flags)?);
                }
                self.hooks = Some(hooks);
            }
            if self.n_loops == 0 {
                self.each(|hook| hook.exit_now.store(false, Ordering::SeqCst));
            }
            self.n_loops += 1;
            Ok(())
        }

        fn remove_loop(&mut self) {
            self.n_loops -= 1;
            if self.n_loops == 0 {
                self.each(|hook| hook.exit_now.store(true, Ordering::SeqCst));
            }
        }

        fn set_handled(&mut self, at: usize, is_handled: bool) -> io::Result<()> {
            let Some(hooks) = &mut self.hooks else {
                return Ok(());
            };
            let flags = hooks.each_ref().map(|hook| hook.exit_now.clone());
            let hook = &mut hooks[at];
            if is_handled {
                hook.n_handlers += 1;
                for raise in hook.raise.take().into_iter().flatten() {
                    signal_hook::low_level::unregister(raise);
                }
                hook.exit_now.store(false, Ordering::SeqCst);
            } else {
                hook.n_handlers = hook.n_handlers.saturating_sub(1);
                if hook.n_handlers == 0 && hook.raise.is_none() {
                    hook.raise = Some(raise_all(SIGNALS[at], &flags)?);
                }
            }
            Ok(())
        }

        fn each(&self, call: impl Fn(&Hook)) {
            self.hooks.iter().flatten().for_each(call);
        }
    }

    impl Hook {
        fn install(signal: i32) -> io::Result<Self> {
            let exit_now = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, exit_now.clone())?;
            Ok(Hook { exit_now, raise: None, n_handlers: 0 })
        }
    }

    fn raise_all(signal: i32, flags: &[Arc<AtomicBool>; 2]) -> io::Result<[SigId; 2]> {
        let [first, second] = flags;
        let raise = |flag: &Arc<AtomicBool>| signal_hook::flag::register(signal, flag.clone());
        Ok([raise(first)?, raise(second)?])
    }
}

#[cfg(not(unix))]
mod windows {
    use std::io;

    const SIGINT: i32 = 2;

    /// A loop that listens for Ctrl-C.
    pub(crate) struct Interrupts {
        has_come: bool,
    }

    impl Interrupts {
        pub(crate) fn listen() -> io::Result<Self> {
            Ok(Interrupts { has_come: false })
        }

        pub(crate) async fn recv(&mut self) -> i32 {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            if std::mem::replace(&mut self.has_come, true) {
                std::process::exit(128 + SIGINT);
            }
            SIGINT
        }
    }
}
