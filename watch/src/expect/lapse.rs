//! How often it never comes, and whether that is more than usual.

use crate::{float::ln, state::persist};

/// Cases until which the usual share is the plain mean.
const LEARNING: u32 = 1_000;
/// Cases that are learnt at once after that.
const BLOCK: u32 = 100;
/// Weight of such a block against all before: the memory is about 10,000 cases.
const WEIGHT: f64 = 0.01;
/// Half of the cases over which an excess is looked for.
const HALF: u32 = 200;
/// Least share that counts as usual, for an excess.
const LEAST: f64 = 0.001;
/// Logarithm of the probability under which an excess is told: one in a million.
const UNLIKELY: f64 = -13.8;
/// Least lapses that are an excess.
const FEWEST: u32 = 5;

/// Share of cases that lapse.
///
/// The usual share is the mean of the first thousand cases, then an exponentially
/// weighted one, to which a hundred cases teach at most twice what was usual; and of
/// lapses in a row only the first one teaches: what breaks is not soon usual. An excess
/// is a binomial tail over the newest 200 to 400 cases, against what was usual before
/// them, bounded by Chernoff's `exp(−n·KL(k/n ‖ p))` (1952), under one in a million: of cases
/// that lapse independently at the usual share at most one in 10⁶ looks, and a look is
/// taken only where one lapses. 80 bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lapses {
    /// Cases judged.
    pub(super) cases: u32,
    /// Those of them that lapsed.
    pub(super) lapsed: u32,
    /// The share that is usual, 0 to 1.
    pub(super) usual: f64,
    /// Lapses and cases that teach: all, then those of a block.
    taught: (u32, u32),
    block: (u32, u32),
    in_a_row: bool,
    newest: (u32, u32),
    before: (u32, u32),
    /// What was usual before each of these.
    reference: (f64, f64),
    stands: bool,
}

persist!(Lapses {
    cases,
    lapsed,
    usual,
    taught,
    block,
    in_a_row,
    newest,
    before,
    reference,
    stands
} as "share of cases");

/// More lapses than usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Excess {
    pub(super) lapsed: u32,
    pub(super) cases: u32,
    /// The share that was usual, 0 to 1.
    pub(super) usual: f64,
    /// Upper bound of the probability of so many, 0 to 1.
    pub(super) probability: f64,
}

impl Lapses {
    fn is_sound(&self) -> bool {
        let counts = [
            (self.taught, LEARNING),
            (self.block, BLOCK),
            (self.newest, HALF),
            (self.before, HALF),
        ];
        counts
            .iter()
            .all(|((lapses, cases), most)| lapses <= cases && cases <= most)
    }

    pub(super) const fn new() -> Self {
        Self {
            cases: 0,
            lapsed: 0,
            usual: 0.0,
            taught: (0, 0),
            block: (0, 0),
            in_a_row: false,
            newest: (0, 0),
            before: (0, 0),
            reference: (0.0, 0.0),
            stands: false,
        }
    }

    /// Takes a case; returns an excess once, until it is over.
    pub(super) fn judge(&mut self, lapsed: bool, enough: u32) -> Option<Excess> {
        let excess = self.look(lapsed, enough);
        self.cases = self.cases.saturating_add(1);
        self.lapsed = self.lapsed.saturating_add(u32::from(lapsed));
        if !(lapsed && self.in_a_row) {
            self.teach(u32::from(lapsed));
        }
        self.in_a_row = lapsed;
        excess
    }

    /// Takes back that a case lapsed: it came after all.
    pub(super) fn forgive(&mut self) {
        for lapses in [
            &mut self.lapsed,
            &mut self.taught.0,
            &mut self.block.0,
            &mut self.newest.0,
        ] {
            *lapses = lapses.saturating_sub(1);
        }
        self.in_a_row = false;
        if self.taught.1 < LEARNING {
            self.usual = mean(self.taught);
        }
    }

    fn teach(&mut self, lapse: u32) {
        if self.taught.1 < LEARNING {
            self.taught = (self.taught.0 + lapse, self.taught.1 + 1);
            self.usual = mean(self.taught);
            return;
        }
        self.block = (self.block.0 + lapse, self.block.1 + 1);
        if self.block.1 >= BLOCK {
            self.learn();
        }
    }

    fn learn(&mut self) {
        let share = mean(core::mem::take(&mut self.block));
        let taught = share.min(2.0 * self.usual + LEAST / 5.0);
        self.usual += (taught - self.usual) * WEIGHT;
    }

    fn look(&mut self, lapsed: bool, enough: u32) -> Option<Excess> {
        self.newest = (self.newest.0 + u32::from(lapsed), self.newest.1 + 1);
        let (lapses, cases) = (self.newest.0 + self.before.0, self.newest.1 + self.before.1);
        let usual = self.reference.0;
        let log = tail(lapses, cases, usual.max(LEAST));
        let known = self.cases.saturating_sub(cases);
        if self.newest.1 >= HALF {
            self.before = core::mem::take(&mut self.newest);
            self.reference = (self.reference.1, self.usual);
            self.stands &= log < UNLIKELY / 2.0;
        }
        let found = lapsed && !self.stands && known >= enough && lapses >= FEWEST && log < UNLIKELY;
        found.then(|| {
            self.stands = true;
            Excess {
                lapsed: lapses,
                cases,
                usual,
                probability: crate::float::exp(log),
            }
        })
    }
}

fn mean((lapses, cases): (u32, u32)) -> f64 {
    f64::from(lapses) / f64::from(cases.max(1))
}

/// Returns the logarithm of Chernoff's bound of the probability of so many or more.
fn tail(lapsed: u32, cases: u32, usual: f64) -> f64 {
    let share = f64::from(lapsed) / f64::from(cases.max(1));
    if share <= usual {
        return 0.0;
    }
    let rest = if share < 1.0 {
        (1.0 - share) * ln((1.0 - share) / (1.0 - usual).max(f64::MIN_POSITIVE))
    } else {
        0.0
    };
    -f64::from(cases) * (share * ln(share / usual) + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{self, StateError};

    fn judge(lapses: &mut Lapses, cases: u32, every: u32) -> Vec<Excess> {
        let judged = (1..=cases).filter_map(|case| lapses.judge(case % every == 0, 100));
        judged.collect()
    }

    use alloc::vec::Vec;

    #[test]
    fn what_is_usual_is_learnt_and_is_no_excess() {
        let mut lapses = Lapses::new();
        assert_eq!(judge(&mut lapses, 20_000, 25), []);
        assert!((lapses.usual - 0.04).abs() < 0.002, "{}", lapses.usual);
    }

    #[test]
    fn an_excess_is_told_once_with_its_figures_until_it_is_over() {
        let mut lapses = Lapses::new();
        assert_eq!(judge(&mut lapses, 2_000, 3_000), []);
        let found = judge(&mut lapses, 500, 20);
        let [excess] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(
            excess.probability < 1e-6 && excess.lapsed >= 5,
            "{excess:?}"
        );
        assert_eq!(judge(&mut lapses, 1_000, 2_000), []);
        assert_eq!(judge(&mut lapses, 200, 4).len(), 1, "{lapses:?}");
    }

    #[test]
    fn what_breaks_is_not_usual_for_long() {
        let mut lapses = Lapses::new();
        judge(&mut lapses, 200, 300);
        judge(&mut lapses, 10_000, 1);
        assert!(lapses.usual < 0.006, "{}", lapses.usual);
        judge(&mut lapses, 2_000, 3_000);
        judge(&mut lapses, 10_000, 1);
        assert!(lapses.usual < 0.002, "{}", lapses.usual);
        judge(&mut lapses, 10_000, 20);
        assert!(lapses.usual < 0.006, "{}", lapses.usual);
    }

    #[test]
    fn counts_that_can_not_be_are_no_state() {
        for counts in [(0, u32::MAX), (2, 1)] {
            for place in 0..4 {
                let mut lapses = Lapses::new();
                let places = [
                    &mut lapses.taught,
                    &mut lapses.block,
                    &mut lapses.newest,
                    &mut lapses.before,
                ];
                *places[place] = counts;
                let read: Result<Lapses, _> = state::restore(&state::save(&lapses));
                assert!(matches!(read, Err(StateError::Value { .. })), "{read:?}");
            }
        }
    }

    #[test]
    fn what_came_after_all_is_no_lapse() {
        let mut lapses = Lapses::new();
        judge(&mut lapses, 100, 10);
        (0..10).for_each(|_| lapses.forgive());
        assert_eq!((lapses.lapsed, lapses.usual), (0, 0.0));
    }
}
