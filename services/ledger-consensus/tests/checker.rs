//! A bounded exhaustive model checker over the production thresholds and the production rule.
//!
//! One height, two values, R rounds. Honest nodes may vote, time out and learn certificates in any
//! order; whatever Byzantine nodes could sign is taken to exist; every leader is adversarial.
//! States are reduced by the symmetry of nodes and of values. A violation is both values decided.
//!
//! Each broken rule must be found unsafe: a checker that accepts a mutant checks nothing.

use std::collections::{BTreeSet, HashSet, VecDeque};

use ledger_consensus::{Choice, Report, Rules, rules::Mutant};
use ledger_types::{Digest, Policy, Quorum};

const ROUNDS_MAX: usize = 3;
const VALUES: [u8; 2] = [1, 2];

/// What is checked.
#[derive(Clone)]
struct Model {
    quorum: Quorum,
    /// Byzantine nodes; may exceed `quorum.f` to show what a policy does not tolerate.
    byzantine: u16,
    rounds: usize,
    rules: Rules,
    /// Two values may be proposed in one round.
    equivocation: bool,
}

/// What an honest node told in its timeout for a round: `(last vote, certificate)`, each as
/// `(round + 1, value)` with zeros for none.
type Told = (u8, u8, u8, u8);

/// One honest node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Honest {
    round: u8,
    prepare: [u8; ROUNDS_MAX],
    commit: [u8; ROUNDS_MAX],
    /// Highest certificate: `(round + 1, value)`.
    prepared: (u8, u8),
    told: [Option<Told>; ROUNDS_MAX],
}

type State = Vec<Honest>;

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Every state was visited.
    Safe { states: usize },
    /// Two values were decided, after this many steps.
    Unsafe { depth: u32 },
    /// The bound was reached first.
    Open { states: usize },
}

impl Model {
    fn new(policy: Policy, n: u16, rounds: usize) -> Self {
        let quorum = Quorum::new(policy, n);
        Self {
            quorum,
            byzantine: quorum.f,
            rounds,
            rules: Rules::PRODUCTION,
            equivocation: policy == Policy::Bft,
        }
    }

    /// The same under broken rules.
    fn under(mut self, mutant: Mutant) -> Self {
        self.rules = mutant.rules();
        self.quorum = self.rules.thresholds(self.quorum);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn start(&self) -> State {
        let honest = Honest {
            round: 0,
            prepare: [0; ROUNDS_MAX],
            commit: [0; ROUNDS_MAX],
            prepared: (0, 0),
            told: [None; ROUNDS_MAX],
        };
        vec![honest; usize::from(self.quorum.n - self.byzantine)]
    }

    fn prepares(&self, state: &State, round: usize, value: u8) -> u16 {
        let honest = state.iter().filter(|h| h.prepare[round] == value).count();
        u16::try_from(honest).unwrap() + self.byzantine
    }

    fn certifiable(&self, state: &State, round: usize, value: u8) -> bool {
        self.quorum.commit_votes && self.prepares(state, round, value) >= self.quorum.certify
    }

    fn is_decided(&self, state: &State, value: u8) -> bool {
        (0..self.rounds).any(|round| {
            let commits = state.iter().filter(|h| h.commit[round] == value).count();
            let commits = u16::try_from(commits).unwrap() + self.byzantine;
            self.prepares(state, round, value) >= self.quorum.fast
                || (self.quorum.commit_votes && commits >= self.quorum.certify)
        })
    }

    fn violated(&self, state: &State) -> bool {
        VALUES.iter().all(|value| self.is_decided(state, *value))
    }

    /// Which values a leader, honest or not, can get accepted in `round`.
    fn proposable(&self, state: &State, round: usize) -> [bool; 2] {
        if round == 0 {
            return [true, true];
        }
        let told: Vec<Told> = state.iter().filter_map(|h| h.told[round]).collect();
        let lies = self.possible_lies(state, round);
        let mut allowed = [false, false];
        let mut reports = Vec::new();
        self.extend_honest(&told, 0, &lies, &mut reports, &mut allowed);
        allowed
    }

    /// Everything a Byzantine node can say in a timeout for `round`: any vote of its own, any
    /// certificate that exists.
    fn possible_lies(&self, state: &State, round: usize) -> Vec<Told> {
        let mut votes = vec![(0, 0)];
        let mut certificates = vec![(0, 0)];
        for earlier in 0..round {
            for value in VALUES {
                let named = (u8::try_from(earlier).unwrap() + 1, value);
                votes.push(named);
                if self.certifiable(state, earlier, value) {
                    certificates.push(named);
                }
            }
        }
        let pairs =
            votes.iter().flat_map(|v| certificates.iter().map(move |c| (v.0, v.1, c.0, c.1)));
        pairs.collect()
    }

    /// Tries every set of honest reports, filled up with lies to exactly `quorum.timeout`.
    fn extend_honest(
        &self,
        told: &[Told],
        at: usize,
        lies: &[Told],
        reports: &mut Vec<Told>,
        allowed: &mut [bool; 2],
    ) {
        if allowed[0] && allowed[1] {
            return;
        }
        let need = usize::from(self.quorum.timeout);
        if reports.len() < need && at < told.len() {
            reports.push(told[at]);
            self.extend_honest(told, at + 1, lies, reports, allowed);
            reports.pop();
            self.extend_honest(told, at + 1, lies, reports, allowed);
            return;
        }
        let missing = need - reports.len();
        if at == told.len() && missing <= usize::from(self.byzantine) {
            self.extend_lies(missing, 0, lies, reports, allowed);
        } else if missing == 0 {
            self.judge(reports, allowed);
        }
    }

    fn extend_lies(
        &self,
        missing: usize,
        from: usize,
        lies: &[Told],
        reports: &mut Vec<Told>,
        allowed: &mut [bool; 2],
    ) {
        if missing == 0 {
            self.judge(reports, allowed);
            return;
        }
        for (at, lie) in lies.iter().enumerate().skip(from) {
            reports.push(*lie);
            self.extend_lies(missing - 1, at, lies, reports, allowed);
            reports.pop();
        }
    }

    /// The production rule, on what the model calls reports.
    fn judge(&self, told: &[Told], allowed: &mut [bool; 2]) {
        let named =
            |round: u8, value: u8| (round > 0).then(|| (u32::from(round) - 1, Digest([value; 32])));
        let reports: Vec<Report> = told
            .iter()
            .map(|t| Report { last_vote: named(t.0, t.1), prepared: named(t.2, t.3) })
            .collect();
        match self.rules.accepted(&self.quorum, &reports) {
            Choice::Free => *allowed = [true, true],
            Choice::Bound(block) => allowed[usize::from(block.0[0]) - 1] = true,
        }
    }

    fn successors(&self, state: &State, mut visit: impl FnMut(State)) {
        let mut change = |at: usize, edit: &dyn Fn(&mut Honest)| {
            let mut next = state.clone();
            edit(&mut next[at]);
            visit(next);
        };
        let proposable: Vec<[bool; 2]> =
            (0..self.rounds).map(|round| self.proposable(state, round)).collect();
        for (at, honest) in state.iter().enumerate() {
            let round = usize::from(honest.round);
            for value in VALUES {
                let taken = state.iter().any(|h| h.prepare[round] == 3 - value);
                if honest.prepare[round] == 0
                    && proposable[round][usize::from(value) - 1]
                    && (self.equivocation || !taken)
                {
                    change(at, &|h| h.prepare[round] = value);
                }
                if honest.commit[round] == 0 && self.certifiable(state, round, value) {
                    change(at, &|h| {
                        h.commit[round] = value;
                        h.prepared = h.prepared.max((h.round + 1, value));
                    });
                }
            }
            self.timeouts(state, honest, &mut |next| change(at, &|h| *h = next));
        }
    }

    /// A node may go to any later round, having learnt any certificate that exists.
    fn timeouts(&self, state: &State, honest: &Honest, visit: &mut dyn FnMut(Honest)) {
        let round = usize::from(honest.round);
        let mut certificates = vec![honest.prepared];
        for earlier in 0..=round {
            for value in VALUES {
                let named = (u8::try_from(earlier).unwrap() + 1, value);
                if named.0 > honest.prepared.0 && self.certifiable(state, earlier, value) {
                    certificates.push(named);
                }
            }
        }
        let last = (0..=round).rev().find(|r| honest.prepare[*r] != 0);
        let last = last.map_or((0, 0), |r| (u8::try_from(r).unwrap() + 1, honest.prepare[r]));
        let mut said = vec![if self.rules.timeouts_report_votes() { last } else { (0, 0) }];
        if !self.rules.votes_survive() {
            said.push((0, 0));
        }
        for later in round + 1..self.rounds {
            for certificate in &certificates {
                for vote in &said {
                    let mut next = *honest;
                    next.round = u8::try_from(later).unwrap();
                    next.prepared = *certificate;
                    next.told[later] = Some((vote.0, vote.1, certificate.0, certificate.1));
                    visit(next);
                }
            }
        }
    }

    /// Visits all states breadth first, up to `bound` of them.
    fn explore(&self, bound: usize) -> Verdict {
        let start = canonical(self.start());
        let mut seen = HashSet::from([pack(&start)]);
        let mut open = VecDeque::from([(start, 0u32)]);
        let mut states = 0;
        while let Some((state, depth)) = open.pop_front() {
            states += 1;
            if self.violated(&state) {
                return Verdict::Unsafe { depth };
            }
            if states >= bound {
                return Verdict::Open { states };
            }
            self.successors(&state, |next| {
                let next = canonical(next);
                if seen.insert(pack(&next)) {
                    open.push_back((next, depth + 1));
                }
            });
        }
        Verdict::Safe { states }
    }

    /// Random walks to the end of each run, for models too large to exhaust.
    fn walk(&self, walks: u32, mut seed: u64) -> Verdict {
        let mut states = 0;
        for _ in 0..walks {
            let mut state = self.start();
            for depth in 0.. {
                states += 1;
                if self.violated(&state) {
                    return Verdict::Unsafe { depth };
                }
                let mut next = Vec::new();
                self.successors(&state, |s| next.push(s));
                if next.is_empty() {
                    break;
                }
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let pick = usize::try_from(seed % next.len() as u64).unwrap();
                state = next.swap_remove(pick);
            }
        }
        Verdict::Open { states }
    }
}

/// The least state among those that differ only by naming nodes and values.
fn canonical(mut state: State) -> State {
    state.sort_unstable();
    let mut swapped = state.clone();
    let swap = |value: u8| if value == 0 { 0 } else { 3 - value };
    for honest in &mut swapped {
        honest.prepare = honest.prepare.map(swap);
        honest.commit = honest.commit.map(swap);
        honest.prepared.1 = swap(honest.prepared.1);
        honest.told = honest.told.map(|t| t.map(|t| (t.0, swap(t.1), t.2, swap(t.3))));
    }
    swapped.sort_unstable();
    state.min(swapped)
}

/// Four bytes a node: enough for three rounds and two values.
fn pack(state: &State) -> Vec<u64> {
    let pack_one = |h: &Honest| {
        let mut bits = u64::from(h.round);
        for value in h.prepare.into_iter().chain(h.commit) {
            bits = bits << 2 | u64::from(value);
        }
        bits = bits << 4 | u64::from(h.prepared.0 << 2 | h.prepared.1);
        for told in &h.told[1..] {
            let packed = told.map_or(0, |t| {
                0x100 | u64::from(t.0) << 6 | u64::from(t.1) << 4 | u64::from(t.2 << 2 | t.3)
            });
            bits = bits << 9 | packed;
        }
        bits
    };
    state.iter().map(pack_one).collect()
}

/// Exhausts the model; the number of states is known, so a change of the model shows.
fn assert_safe(name: &str, model: &Model, states: usize) {
    assert_eq!(model.explore(20_000_000), Verdict::Safe { states }, "{name}");
}

fn assert_unsafe(name: &str, model: &Model, deepest: u32) {
    match model.explore(20_000_000) {
        Verdict::Unsafe { depth } => {
            assert!(depth <= deepest, "{name}: found at depth {depth}, expected by {deepest}");
        }
        verdict => panic!("{name}: the checker does not see that this is unsafe: {verdict:?}"),
    }
}

#[test]
fn four_nodes_are_safe_over_three_rounds() {
    // The smallest Byzantine ledger, exhausted.
    assert_safe("bft n=4", &Model::new(Policy::Bft, 4, 3), 648_201);
}

#[test]
fn six_nodes_with_a_fast_path_that_survives_one_fault_are_safe() {
    assert_safe("bft n=6", &Model::new(Policy::Bft, 6, 2), 133_243);
    let walked = Model::new(Policy::Bft, 6, 3).walk(20_000, 0x9e37_79b9_7f4a_7c15);
    assert!(matches!(walked, Verdict::Open { .. }), "{walked:?}");
}

#[test]
fn seven_nodes_with_two_byzantine_survive_random_walks() {
    let walked = Model::new(Policy::Bft, 7, 3).walk(5_000, 0x2545_f491_4f6c_dd1d);
    assert!(matches!(walked, Verdict::Open { .. }), "{walked:?}");
}

#[test]
fn majorities_are_safe_when_nobody_lies() {
    // This policy forms no prepare certificates, so the space is small.
    assert_safe("cft n=3", &Model::new(Policy::Cft, 3, 3), 1_141);
}

#[test]
fn five_nodes_under_cft_are_safe_when_nobody_lies() {
    assert_safe("cft n=5", &Model::new(Policy::Cft, 5, 3), 25_734);
}

/// In how many rounds a broken rule shows on four nodes, and after how many steps.
fn expected(mutant: Mutant) -> (usize, u32) {
    match mutant {
        Mutant::PreparedAlways => (3, 14),
        Mutant::VotedAlways => (3, 11),
        Mutant::SilentTimeouts | Mutant::Amnesia | Mutant::SendBeforeSave => (2, 9),
        Mutant::DisobeyChoice => (2, 10),
        Mutant::SmallQuorum => (2, 9),
        Mutant::SmallFastQuorum => (2, 6),
        Mutant::FewReports => (3, 14),
        Mutant::ManyReports => (2, 9),
    }
}

#[test]
fn every_broken_rule_is_found_unsafe() {
    // A checker that accepts a mutant would accept the mistake. `PreparedAlways` is Zyzzyva's
    // error; forgetting votes is what a lost vote log, or a vote sent before it is on disk, is.
    for mutant in Mutant::ALL {
        let (rounds, deepest) = expected(mutant);
        let model = Model::new(Policy::Bft, 4, rounds).under(mutant);
        assert_unsafe(&format!("{mutant:?}"), &model, deepest);
    }
}

#[test]
fn the_testing_page_says_of_every_mutant_which_layer_catches_it() {
    // Readers must not have to guess what a green run proves. The simulator's column is compared
    // where the simulator runs.
    let page = include_str!("../../../docs/testing.md");
    for mutant in Mutant::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{mutant:?}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/testing.md has no row for {mutant:?}"));
        let checker = row.split('|').nth(3).map(str::trim);
        assert_eq!(checker, Some("yes"), "the checker catches {mutant:?}: {row}");
    }
}

#[test]
fn a_majority_policy_does_not_survive_one_liar() {
    // Why `cft` says so in its name, and why a "raft until fraud is noticed" cannot be safe.
    let model = Model::new(Policy::Cft, 3, 2).with(|m| {
        m.byzantine = 1;
        m.equivocation = true;
    });
    assert_unsafe("raft majorities with one liar", &model, 2);
}

#[test]
fn packing_states_loses_nothing() {
    // Two states that pack alike would hide one of them from the search.
    let mut states = BTreeSet::new();
    let mut packed = BTreeSet::new();
    let model = Model::new(Policy::Bft, 4, 3);
    let mut open = vec![canonical(model.start())];
    while let Some(state) = open.pop() {
        if states.len() >= 20_000 {
            break;
        }
        if states.insert(state.clone()) {
            packed.insert(pack(&state));
            model.successors(&state, |next| open.push(canonical(next)));
        }
    }
    assert_eq!(states.len(), packed.len());
}
