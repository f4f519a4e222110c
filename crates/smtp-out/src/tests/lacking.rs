//! Hosts that are there, and lack what a message needs: SMTPUTF8, room for it, DELIVERBY.

use super::*;

/// What a message may need, what a host says that has it, and one that lacks it; and the status of the failure.
const NEEDS: [(&str, &[&str], &[&str], &str); 3] = [
    ("SMTPUTF8", &["SMTPUTF8", "8BITMIME"], &["8BITMIME"], "5.6.7"),
    ("SIZE", &["SIZE 100000"], &["SIZE 100"], "5.3.4"),
    ("DELIVERBY", &["DELIVERBY"], &["SIZE"], "5.3.3"),
];

/// Needs nothing.
const SMALL: &[u8] = b"Subject: small\r\n\r\nx\r\n";

fn letter(stage: &Stage, need: &str) -> Envelope {
    let mut letter = envelope("<a@origin.example>", &["x@far.example"]);
    match need {
        "SMTPUTF8" => {
            letter = envelope("<a@origin.example>", &["jos\u{e9}@far.example"]);
            letter.smtputf8 = true;
        }
        "DELIVERBY" => {
            let by = stage.world.clock.now().plus(Duration::from_secs(86_400));
            letter.deliver_by = Some(mail::DeliverBy { by, mode: mail::DeliverByMode::Return, trace: false });
        }
        _ => {}
    }
    letter
}

/// A stage whose far domain has a second host, at this preference; the first has 10.
async fn with_second(preference: u16) -> (Stage, Remote) {
    let stage = Stage::new().await;
    stage.mx("far.example", &[(10, "mx.far.example"), (preference, "other.far.example")]);
    stage.host("other.far.example", &["192.0.2.9"]);
    let other = Remote::at(&stage.world, "192.0.2.9:25");
    stage.origin.offer(&["SMTPUTF8", "8BITMIME"]);
    (stage, other)
}

#[tokio::test]
async fn equals_are_tried_and_those_behind_are_not() {
    for (need, has, lacks, status) in NEEDS {
        for (preference, arrives) in [(10, true), (20, false)] {
            // Equal ones are shuffled: whichever comes first.
            for first_lacks in [true, false] {
                let (mut stage, other) = with_second(preference).await;
                let (poor, rich) = if first_lacks { (&stage.far, &other) } else { (&other, &stage.far) };
                poor.offer(lacks);
                rich.offer(has);
                let rich = rich.clone();
                stage.start();
                stage.send(letter(&stage, need), MESSAGE).await;
                stage.settle().await;
                let arrives = arrives || !first_lacks;
                assert_eq!(rich.got().len(), usize::from(arrives), "{need} {preference} {first_lacks}");
                assert!(stage.queue().await.is_empty());
                assert_eq!(stage.origin.got().len(), usize::from(!arrives), "{need} {preference} {first_lacks}");
                if !arrives {
                    let dsn = String::from_utf8(stage.origin.got()[0].content.clone()).unwrap();
                    assert!(dsn.contains(&format!("Status: {status}\r\n")), "{dsn}");
                    assert_eq!(rich.sessions(), 0, "it would hand it on to the better one");
                }
            }
        }
    }
}

#[tokio::test]
async fn all_of_them_lack_it() {
    for (need, _, lacks, status) in NEEDS {
        let (mut stage, other) = with_second(10).await;
        stage.far.offer(lacks);
        other.offer(lacks);
        stage.start();
        stage.send(letter(&stage, need), MESSAGE).await;
        stage.settle().await;
        let dsn = String::from_utf8(stage.origin.got()[0].content.clone()).unwrap();
        assert!(dsn.contains(&format!("Status: {status}\r\n")), "{dsn}");
        assert_eq!((stage.far.sessions(), other.sessions(), stage.far.count("MAIL") + other.count("MAIL")), (1, 1, 0));
        // Nothing is wrong with the destination: others go there at once.
        stage.send(envelope("<a@origin.example>", &["y@far.example"]), SMALL).await;
        stage.settle().await;
        assert_eq!(stage.far.got().len() + other.got().len(), 1, "{need}");
    }
}

#[tokio::test]
async fn a_better_host_that_is_away_may_have_it_later() {
    for (need, has, lacks, _) in NEEDS {
        let (mut stage, other) = with_second(20).await;
        other.offer(lacks);
        stage.far.offer(has).greet("421 4.3.2 back soon");
        stage.start();
        stage.send(letter(&stage, need), MESSAGE).await;
        stage.settle().await;
        let queue = stage.queue().await;
        assert_eq!((queue.len(), stage.origin.got().len(), other.count("MAIL")), (1, 0, 0), "{need}");
        assert!(queue[0].last_error.as_ref().unwrap().contains("back soon"), "{:?}", queue[0].last_error);
        // The destination is not left alone for it: the second host takes what it can.
        stage.send(envelope("<a@origin.example>", &["y@far.example"]), SMALL).await;
        stage.settle().await;
        assert_eq!(other.got().len(), 1, "{need}");
        stage.far.greet("220 here");
        stage.minutes(2).await;
        assert_eq!((stage.far.got().len(), stage.queue().await.len()), (1, 0), "{need}");
    }
}

#[tokio::test]
async fn an_open_connection_to_who_lacks_it_is_not_the_last_word() {
    for (need, has, lacks, _) in NEEDS {
        // To a host behind the best, which is back.
        let (mut stage, other) = with_second(20).await;
        other.offer(lacks);
        stage.far.offer(has).greet("421 4.3.2 back soon");
        stage.start();
        stage.send(envelope("<a@origin.example>", &["y@far.example"]), SMALL).await;
        stage.settle().await;
        assert_eq!((other.got().len(), other.open()), (1, 1));
        stage.far.greet("220 here");
        stage.send(letter(&stage, need), MESSAGE).await;
        stage.settle().await;
        assert_eq!((stage.far.got().len(), stage.queue().await.len(), stage.origin.got().len()), (1, 0, 0), "{need}");
        // To the only one: asked once.
        let mut stage = Stage::new().await;
        stage.far.offer(lacks);
        stage.start();
        stage.send(envelope("<a@origin.example>", &["y@far.example"]), SMALL).await;
        stage.settle().await;
        stage.send(letter(&stage, need), MESSAGE).await;
        stage.settle().await;
        assert_eq!((stage.far.sessions(), stage.far.got().len(), stage.queue().await.len()), (1, 1, 0), "{need}");
        stage.send(envelope("<a@origin.example>", &["z@far.example"]), SMALL).await;
        stage.settle().await;
        assert_eq!((stage.far.sessions(), stage.far.got().len()), (1, 2), "{need}");
    }
}

#[tokio::test]
async fn dead_addresses_of_a_host_that_lacks_it_put_nothing_off() {
    for (need, _, lacks, status) in NEEDS {
        let mut stage = Stage::new().await;
        stage.origin.offer(&["SMTPUTF8", "8BITMIME"]);
        // Of the far host's addresses one answers, the first or the last of them.
        stage.far.offer(lacks);
        stage.start();
        for addresses in [["192.0.2.1", "192.0.2.77"], ["192.0.2.77", "192.0.2.1"]] {
            stage.host("mx.far.example", &addresses);
            stage.send(letter(&stage, need), MESSAGE).await;
            stage.settle().await;
            let dsn = String::from_utf8(stage.origin.got().pop().unwrap().content.clone()).unwrap();
            assert!(dsn.contains(&format!("Status: {status}\r\n")), "{dsn}");
            assert!(stage.queue().await.is_empty(), "{need}");
        }
    }
}
