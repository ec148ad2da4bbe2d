//! The table of levels, and every reason for which a model is refused.

use stack_seal::bundle::Bundle;
use stack_seal::revocation::Revoked;
use stack_seal::statement::SignedFile;

use super::*;
use crate::fixtures::{self, key, signing_key};
use crate::policy::{Identity, Revocation as Own};

#[test]
fn a_trusted_signature_passes_every_level() {
    let signatures = [signed(1, &claim())];
    for level in Enforcement::ALL {
        let verdict = trial(level).judge(&signatures);
        assert_eq!(verdict.refusal(), None, "{level:?}");
        assert!(verdict.checks.iter().all(|check| check.outcome == Outcome::Passed), "{verdict:?}");
        assert_eq!(
            (verdict.identities, verdict.needed, verdict.statement),
            (vec!["alice".into()], 1, Some(0))
        );
    }
}

#[test]
fn the_table_of_levels_holds() {
    use Reason::{
        BelowThreshold, Expired, FormatForbids, NoSignature, NotYetValid, Revoked as Withdrawn, RolledBack,
        SealingForbids, TemplateChanged, TierForbids, UnknownSigner, WrongName,
    };
    type Change = fn(&mut Trial) -> Vec<Signed<Statement>>;
    let cases: [(Reason, Enforcement, Change); 15] = [
        (NoSignature, Enforcement::Permissive, |_| Vec::new()),
        (UnknownSigner, Enforcement::Permissive, |_| vec![signed(9, &claim())]),
        (UnknownSigner, Enforcement::Permissive, |trial| {
            trial.policy.rules[0].pattern = "other".parse().unwrap();
            trial.policy.level = trial.policy.rules[0].level;
            vec![signed(1, &claim())]
        }),
        (WrongName, Enforcement::Permissive, |_| {
            vec![signed(1, &Claim { name: "registry.lan/med/another".to_owned(), ..claim() })]
        }),
        (Withdrawn, Enforcement::Audit, |trial| {
            trial.revoke(Revoked::Key(key(1)), None);
            vec![signed(1, &claim())]
        }),
        (Withdrawn, Enforcement::Audit, |trial| {
            let digest = statement(&claim()).root();
            trial.revoke(Revoked::Root(digest), Some(50));
            vec![signed(1, &claim())]
        }),
        (BelowThreshold, Enforcement::Permissive, |trial| {
            trial.policy.rules[0].threshold = 2;
            vec![signed(1, &claim())]
        }),
        (Expired, Enforcement::Strict, |_| {
            vec![signed(1, &Claim { expires: Some(UnixTime::from_seconds(NOW)), ..claim() })]
        }),
        (Expired, Enforcement::Strict, |trial| {
            trial.policy.rules[0].max_age_days = Some(1);
            trial.now = NOW + 3 * DAY_SECONDS;
            vec![signed(1, &claim())]
        }),
        (NotYetValid, Enforcement::Permissive, |_| {
            let issued = UnixTime::from_seconds(NOW + DAY_SECONDS + 1);
            vec![signed(1, &Claim { issued, ..claim() })]
        }),
        (NotYetValid, Enforcement::Permissive, |_| {
            vec![signed(1, &Claim { serial: (1 << 53) - 1, ..claim() })]
        }),
        (RolledBack, Enforcement::Permissive, |trial| {
            trial.marks.accept(&key(1), &Claim { serial: 8, ..claim() });
            vec![signed(1, &claim())]
        }),
        (TierForbids, Enforcement::Permissive, |trial| {
            trial.policy.rules[0].tiers = Some(vec![Tier::Sovereign]);
            trial.tier = Some(Tier::Private);
            vec![signed(1, &claim())]
        }),
        (FormatForbids, Enforcement::Permissive, |trial| {
            trial.policy.rules[0].formats = Some(vec!["safetensors".to_owned()]);
            vec![signed(1, &claim())]
        }),
        (SealingForbids, Enforcement::Permissive, |trial| {
            trial.policy.rules[0].sealed = Sealing::Required;
            vec![signed(1, &claim())]
        }),
    ];
    for (reason, refused_from, change) in cases {
        for level in Enforcement::ALL {
            let mut trial = trial(level);
            let signatures = change(&mut trial);
            let verdict = trial.judge(&signatures);
            let outcome = verdict.checks.iter().map(|check| check.outcome);
            let failed: Vec<Outcome> = outcome.filter(|&outcome| outcome != Outcome::Passed).collect();
            let expected =
                if level >= refused_from { Outcome::Refused(reason) } else { Outcome::Recorded(reason) };
            assert_eq!(failed.first(), Some(&expected), "{reason:?} at {level:?}: {verdict:?}");
            assert_eq!(verdict.refuses(), level >= refused_from);
        }
    }
    let mut changed = trial(Enforcement::Strict);
    changed.template = Template::Digest(Root([8; 32]));
    let verdict = changed.judge(&[signed(1, &claim())]);
    assert_eq!(verdict.refusal().unwrap().1, TemplateChanged);
}

#[test]
fn identities_are_counted_not_keys() {
    let two = Claim { quorum: 2, signers: vec![key(1), key(2), key(3)], ..claim() };
    let strict = trial(Enforcement::Strict);
    // Keys 1 and 3 are both alice's.
    let alone = strict.judge(&[signed(1, &two), signed(3, &two)]);
    assert_eq!(alone.refusal().unwrap().1, Reason::BelowThreshold);
    let together = strict.judge(&[signed(1, &two), signed(2, &two)]);
    assert!(!together.refuses());
    assert_eq!(together.identities, ["alice", "bob"]);
    // Two statements with one signer each are not one statement with two.
    let other = Claim { serial: 6, ..two.clone() };
    assert!(strict.judge(&[signed(1, &two), signed(2, &other)]).refuses());
}

#[test]
fn a_signer_who_is_trusted_elsewhere_is_a_stranger_here() {
    let mut trial = trial(Enforcement::Strict);
    trial.policy.rules[0].signers = vec!["bob".to_owned()];
    assert_eq!(trial.judge(&[signed(1, &claim())]).refusal().unwrap().1, Reason::UnknownSigner);
}

#[test]
fn revocations_bind_from_their_time_and_by_their_signer() {
    let by = |byte: u8, what: Revoked, since: Option<u64>| {
        let revocation = Revocation {
            revoked: what,
            since: since.map(UnixTime::from_seconds),
            reason: Some("lost".to_owned()),
            issued: UnixTime::from_seconds(NOW),
            signer: key(byte),
        };
        Bundle::sign(revocation.to_payload(), &signing_key(byte)).open(&[]).unwrap()
    };
    let alice = || Revoked::Key(key(1));
    let reason = |revocation: Signed<Revocation>, signature: &Claim| {
        let mut trial = trial(Enforcement::Strict);
        trial.revocations.push(revocation);
        trial.judge(&[signed(1, signature)]).refusal().map(|(_, reason)| reason)
    };
    assert_eq!(reason(by(2, alice(), None), &claim()), Some(Reason::Revoked), "bob is trusted here");
    assert_eq!(reason(by(1, alice(), None), &claim()), Some(Reason::Revoked), "alice revokes herself");
    assert_eq!(reason(by(9, alice(), None), &claim()), None, "a stranger revokes nothing");
    let issued = claim().issued.seconds();
    assert_eq!(reason(by(2, alice(), Some(issued + 1)), &claim()), None);
    assert_eq!(reason(by(2, alice(), Some(issued)), &claim()), Some(Reason::Revoked));
}

#[test]
fn setting_the_clock_back_revives_nothing() {
    let mut trial = trial(Enforcement::Strict);
    let old = Claim { expires: Some(UnixTime::from_seconds(NOW + 10)), ..claim() };
    assert!(!trial.judge(&[signed(1, &old)]).refuses());
    let newer = Claim { name: "another".to_owned(), issued: UnixTime::from_seconds(NOW + 20), ..claim() };
    trial.marks.accept(&key(2), &newer);
    assert_eq!(trial.judge(&[signed(1, &old)]).refusal().unwrap().1, Reason::Expired);
}

#[test]
fn what_was_seen_to_expire_stays_expired() {
    let mut trial = trial(Enforcement::Strict);
    trial.policy.rules[0].max_age_days = Some(1);
    let dated = Claim { expires: Some(UnixTime::from_seconds(NOW + 10)), ..claim() };
    for (claim, later) in [(dated, 11), (claim(), 2 * DAY_SECONDS)] {
        trial.marks = RollbackMarks::default();
        trial.now = NOW;
        let verdict = trial.judge(&[signed(1, &claim)]);
        assert!(!verdict.refuses() && !verdict.expired());
        trial.marks.see(&claim, UnixTime::from_seconds(NOW), false);
        trial.now = NOW + later;
        let verdict = trial.judge(&[signed(1, &claim)]);
        assert_eq!(verdict.refusal().unwrap().1, Reason::Expired);
        trial.marks.see(&claim, UnixTime::from_seconds(trial.now), verdict.expired());
        trial.now = NOW;
        let verdict = trial.judge(&[signed(1, &claim)]);
        let (check, reason) = verdict.refusal().unwrap();
        assert_eq!(reason, Reason::Expired);
        assert!(check.detail.contains("it was"), "{}", check.detail);
    }
}

#[test]
fn keys_are_shown_by_their_ends() {
    let key = key(1);
    let text = short(&key);
    assert_eq!(text.chars().count(), "ed25519:".len() + 9, "{text}");
    assert!(key.to_string().ends_with(text.split_once('…').unwrap().1));
}

/// Everything that a judgement depends on.
struct Trial {
    policy: Policy,
    marks: RollbackMarks,
    revocations: Vec<Signed<Revocation>>,
    now: u64,
    template: Template,
    tier: Option<Tier>,
}

fn trial(level: Enforcement) -> Trial {
    let identity = |name: &str, bytes: &[u8]| Identity {
        name: name.to_owned(),
        keys: bytes.iter().map(|&byte| key(byte)).collect(),
    };
    let rule = Rule {
        pattern: "registry.lan/med/**".parse().unwrap(),
        level,
        signers: vec!["alice".to_owned(), "bob".to_owned()],
        threshold: 1,
        tiers: None,
        formats: None,
        sealed: Sealing::Allowed,
        template: None,
        max_age_days: None,
    };
    Trial {
        policy: Policy {
            level: Enforcement::Audit,
            identities: vec![identity("alice", &[1, 3]), identity("bob", &[2])],
            rules: vec![rule],
            revoked: Vec::new(),
        },
        marks: RollbackMarks::default(),
        revocations: Vec::new(),
        now: NOW,
        template: Template::Digest(Root([7; 32])),
        tier: None,
    }
}

impl Trial {
    fn judge(&self, signatures: &[Signed<Statement>]) -> Verdict {
        let case = Case {
            names: &["registry.lan/med/model:latest"],
            signatures,
            format: Some("gguf"),
            template: self.template,
            sealed: false,
            tier: self.tier,
            level: None,
        };
        let now = UnixTime::from_seconds(self.now);
        judge(&self.policy, &case, &TrustState { now, marks: &self.marks, revocations: &self.revocations })
    }

    fn revoke(&mut self, what: Revoked, since: Option<u64>) {
        self.policy.revoked.push(Own { what, since: since.map(UnixTime::from_seconds), reason: None });
    }
}

fn claim() -> Claim {
    Claim {
        name: "registry.lan/med/model".to_owned(),
        serial: 7,
        issued: UnixTime::from_seconds(NOW - 100),
        signers: vec![key(1), key(9)],
        tier: Tier::Private,
        template: Some(Root([7; 32])),
        ..fixtures::claim()
    }
}

fn statement(claim: &Claim) -> Statement {
    let file = SignedFile {
        name: "m.gguf".to_owned(),
        sha256: [1; 32],
        blake3: Some(Root([2; 32])),
        size: Some(3),
        leaves: None,
    };
    Statement::new("m".to_owned(), vec![file], Vec::new(), Some(claim.clone())).unwrap()
}

fn signed(byte: u8, claim: &Claim) -> Signed<Statement> {
    Bundle::sign(statement(claim).to_payload(), &signing_key(byte)).open(&[]).unwrap()
}

const NOW: u64 = 1_790_000_000;
