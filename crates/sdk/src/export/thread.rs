//! The thread that exports spans.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry::Context;
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tracing::dispatcher::DefaultGuard;

use super::quiet::Quiet;

const NAME: &str = "otel-export";

/// A `tokio` runtime on a thread of its own, silent and untraced.
#[derive(Debug)]
pub(crate) struct ExportThread {
    runtime: Handle,
    quiet: Quiet,
    stop: oneshot::Sender<Infallible>,
    /// Disconnected when the thread ends. The mutex only makes it `Sync`.
    ended: Mutex<Receiver<Infallible>>,
    thread: JoinHandle<()>,
}

thread_local! {
    static SILENCE: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) };
}

impl ExportThread {
    pub(super) fn start() -> io::Result<Self> {
        let quiet = Quiet::new();
        let on_pool = quiet.clone();
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .thread_name(NAME)
            // The threads of the blocking pool, where host names are resolved.
            .on_thread_start(move || SILENCE.set(Some(on_pool.enter())))
            .on_thread_stop(|| drop(SILENCE.take()))
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = channel();
        let on_thread = quiet.clone();
        let thread = std::thread::Builder::new()
            .name(NAME.to_owned())
            .spawn(move || {
                let _end: std::sync::mpsc::Sender<Infallible> = end;
                let _silence = on_thread.enter();
                // Instrumentation of HTTP and gRPC clients shall not trace the export of traces.
                let _untraced = Context::enter_telemetry_suppressed_scope();
                let _ = runtime.block_on(stopped);
                // Does not wait for requests or name look-ups that are still under way.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            quiet,
            stop,
            ended: Mutex::new(ended),
            thread,
        })
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn quiet(&self) -> &Quiet {
        &self.quiet
    }

    /// Runs `build` here, silently, with the runtime of the thread at hand.
    pub(super) fn enter<T>(&self, build: impl FnOnce() -> T) -> T {
        let _silence = self.quiet.enter();
        let _runtime = self.runtime.enter();
        build()
    }

    /// Ends the thread, and whatever is still being sent with it. Waits for that at most `timeout`.
    pub(crate) fn stop(self, timeout: Duration) {
        drop(self.stop);
        let Ok(ended) = self.ended.into_inner() else {
            return;
        };
        if ended.recv_timeout(timeout) == Err(RecvTimeoutError::Disconnected) {
            // It has nothing left to run, and a panic there has been reported already.
            let _ = self.thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_there_is_not_traced_and_the_thread_ends() {
        let thread = ExportThread::start().unwrap();
        let suppressed = thread.runtime().spawn(async {
            let name = std::thread::current().name().map(str::to_owned);
            (name, Context::current().is_telemetry_suppressed())
        });
        let suppressed = runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(suppressed);
        assert_eq!(suppressed.unwrap(), (Some(NAME.to_owned()), true));
        // What never ends does not hold it up.
        let endless = thread.runtime().spawn(std::future::pending::<()>());
        thread.stop(Duration::from_secs(60));
        assert!(endless.is_finished());
    }
}
