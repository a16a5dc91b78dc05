//! Three hundred seeds; a failing one is named, and replays alone by `cargo xtask sim`.

fn check(seeds: std::ops::Range<u64>) {
    let (mut envelopes, mut faults, mut refusals) = (0, 0, 0);
    let (mut offered, mut received) = (0, 0);
    for seed in seeds {
        match portcullis_sim::run(seed) {
            Ok(report) => {
                envelopes += report.envelopes;
                faults += report.faults;
                refusals += report.refusals;
                offered += report.offered;
                received += report.received;
            }
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
    // A simulation in which nothing is said and nothing breaks would prove nothing.
    let counts = [envelopes, faults, refusals, offered];
    let what = "messages, faults, refusals, files offered";
    assert!(counts.iter().all(|count| *count > 30), "{what}: {counts:?}");
    assert!(received > 10, "files received: {received}");
}

#[test]
fn seeds_0_to_99() {
    check(0..100);
}

#[test]
fn seeds_100_to_199() {
    check(100..200);
}

#[test]
fn seeds_200_to_299() {
    check(200..300);
}
