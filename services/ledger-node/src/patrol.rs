//! When the node looks again at what lies on disk.
//!
//! A tour reads everything, in looks of bounded size. After a tour the node rests for a few times as
//! long as it took, but not so long that what was broken right behind a tour would wait for more than
//! a minute: a small ledger is read every few seconds, a large one without a pause.

use std::time::{Duration, Instant};

/// Between two looks of a tour.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A rest, in durations of the tour before it.
const REST_TOURS: u32 = 4;
/// A tour and the rest after it at most, while the tour alone is shorter.
const TOUR_AND_REST_MAX: Duration = Duration::from_secs(40);

/// The pace of one kind of tour.
#[derive(Debug)]
pub(crate) struct Patrol {
    began: Instant,
    next: Instant,
}

impl Patrol {
    /// The first look is due one interval from now.
    pub(crate) fn new(now: Instant) -> Self {
        let next = now + LOOK_EVERY;
        Self { began: next, next }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// A look has ended; whether it was the last one of a tour.
    pub(crate) fn looked(&mut self, now: Instant, tour_is_over: bool) {
        self.next = now + LOOK_EVERY;
        if tour_is_over {
            let tour = now.saturating_duration_since(self.began);
            let rest = (tour * REST_TOURS).min(TOUR_AND_REST_MAX.saturating_sub(tour));
            self.next = self.next.max(now + rest);
            self.began = self.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds from one tour's end to the next one's, for tours of a number of looks.
    fn between_tours(looks: u32) -> f64 {
        let mut now = Instant::now();
        let mut patrol = Patrol::new(now);
        let mut ends = Vec::new();
        while ends.len() < 3 {
            for look in 1..=looks {
                while !patrol.is_due(now) {
                    now += Duration::from_millis(10);
                }
                patrol.looked(now, look == looks);
            }
            ends.push(now);
        }
        (ends[2] - ends[1]).as_secs_f64()
    }

    #[test]
    fn rests_are_long_enough_to_be_cheap_and_short_enough_to_find() {
        // A hundred megabytes of blocks are fifty looks, of rows of fifty bytes two hundred: found and
        // mended within 60 s is what the product says.
        assert!(between_tours(1) <= 0.3, "a small ledger is looked at all the time");
        assert!(between_tours(10) >= 4.0 * 1.8, "a tour of two seconds is followed by a rest");
        for looks in [50, 100, 200] {
            let seconds = between_tours(looks);
            assert!(seconds <= 45.0, "a tour of {looks} looks comes every {seconds} s");
        }
        assert!(between_tours(5_000) <= 1_001.0, "a large ledger is read without a pause");
    }
}
