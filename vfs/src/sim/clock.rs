//! Simulated time: moved by file operations and by the driver, never by the real clock.

/// Wall clock of a new world: 2024-01-01 00:00:00 UTC.
const START_NANOS: i64 = 1_704_067_200_000_000_000;

/// By default a file operation takes a microsecond.
const TICK_NANOS: u64 = 1_000;

#[derive(Clone, Debug)]
pub(super) struct SimTime {
    pub(super) wall_nanos: i64,
    pub(super) monotonic_nanos: u64,
    pub(super) tick_nanos: u64,
    /// The wall clock stands still; the monotonic one never does.
    pub(super) stopped: bool,
}

impl SimTime {
    pub(super) fn new() -> Self {
        let (wall_nanos, tick_nanos) = (START_NANOS, TICK_NANOS);
        Self { wall_nanos, monotonic_nanos: 0, tick_nanos, stopped: false }
    }

    pub(super) fn advance(&mut self, nanos: u64) {
        self.monotonic_nanos = self.monotonic_nanos.saturating_add(nanos);
        if !self.stopped {
            self.wall_nanos = self.wall_nanos.saturating_add_unsigned(nanos);
        }
    }

    pub(super) fn tick(&mut self) {
        self.advance(self.tick_nanos);
    }
}
