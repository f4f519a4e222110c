//! SMTP smuggling: what only looks like the end of a message never is one, whoever brings it, however it is cut.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may unwrap, like the tests"
)]

mod support;

use support::engine_stage::EngineStage;
use testkit::transcript::Stage;

/// What some server somewhere takes for the end of a message or of a line.
const VARIANTS: [&[u8]; 16] = [
    b"\n.\n",
    b"\r.\r",
    b"\r\n.\n",
    b"\n.\r\n",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\n\n",
    b"\n\r.\n\r",
    b"x\rx",
    b"x\nx",
    b"\r\r\n",
    b"\n\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
];

const HIDDEN: &[u8] = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<alice@relais.example>\r\nDATA\r\nevil";

/// A session up to the message.
fn opened(listener: &str, convert: bool) -> EngineStage {
    let mut stage = EngineStage::default();
    stage.directive(0, &format!("listener {listener}")).unwrap();
    if convert {
        stage.directive(0, "bare-newlines convert").unwrap();
    }
    stage.connect(0).unwrap();
    let hello = if listener == "lmtp" { "LHLO" } else { "EHLO" };
    let auth = if listener == "submissions" { "AUTH PLAIN AGFsaWNlAG9wZW4gc2VzYW1l\r\n" } else { "" };
    let recipients = "RCPT TO:<bob@relais.example>\r\nRCPT TO:<alice@relais.example>\r\n";
    let lines = format!("{hello} c.example\r\n{auth}MAIL FROM:<alice@relais.example>\r\n{recipients}");
    stage.send(0, lines.as_bytes()).unwrap();
    let said = replies(&mut stage);
    assert_eq!(said[said.len() - 2..], ["250", "250"], "{said:?}");
    stage
}

/// The codes of all replies that are there.
fn replies(stage: &mut EngineStage) -> Vec<String> {
    let mut codes = Vec::new();
    while let Ok(Some(line)) = stage.read_line(0) {
        if !stage.is_untagged(&line) {
            codes.push(line[..3].to_owned());
        }
    }
    codes
}

#[test]
fn only_the_real_end_ends_a_message() {
    for listener in ["mx", "submissions", "lmtp"] {
        for (convert, variant) in [false, true].into_iter().flat_map(|c| VARIANTS.map(|variant| (c, variant))) {
            let taken = convert && !variant.contains(&0);
            let code = if taken { "250" } else { "550" };
            let expected = vec![code; if listener == "lmtp" { 2 } else { 1 }];
            let text = [b"Subject: x\r\n\r\na", variant, HIDDEN].concat();
            let by_data = [&text[..], b"\r\n.\r\n"].concat();
            for cut in 0..=by_data.len() {
                let mut stage = opened(listener, convert);
                stage.send(0, b"DATA\r\n").unwrap();
                assert_eq!(replies(&mut stage), ["354"]);
                stage.send(0, &by_data[..cut]).unwrap();
                stage.send(0, &by_data[cut..]).unwrap();
                assert_eq!(replies(&mut stage), expected, "{listener}, DATA, {variant:?} cut at {cut}");
                stage.directive(0, if taken { "kept 1" } else { "kept 0" }).unwrap();
                stage.send(0, b"NOOP\r\n").unwrap();
                assert_eq!(replies(&mut stage), ["250"]);
            }
            for cut in 0..=text.len() {
                let mut stage = opened(listener, convert);
                stage.send(0, format!("BDAT {} LAST\r\n", text.len()).as_bytes()).unwrap();
                stage.send(0, &text[..cut]).unwrap();
                stage.send(0, &text[cut..]).unwrap();
                assert_eq!(replies(&mut stage), expected, "{listener}, BDAT, {variant:?} cut at {cut}");
                stage.directive(0, if taken { "kept 1" } else { "kept 0" }).unwrap();
                stage.send(0, b"NOOP\r\n").unwrap();
                assert_eq!(replies(&mut stage), ["250"]);
            }
        }
    }
}
