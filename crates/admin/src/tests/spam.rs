//! The content filter.

use ::spam::Points;

use super::*;
use crate::{ExplainedMessage, SpamExplanation, SpamRequest};

/// The test text, which is spam beyond doubt.
const TEST: &[u8] = b"Subject: x\r\n\r\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n";

#[tokio::test]
async fn what_is_refused_is_told_with_the_points_that_refuse_it() {
    let store = stage().await;
    let explained = async |refuse, account: Option<&str>| -> SpamExplanation {
        let settings = Settings { spam_threshold: Some(Points::THRESHOLD), spam_refuse_from: refuse, ..settings() };
        let message = ExplainedMessage::Content(TEST.to_vec());
        let request = Request::Spam(SpamRequest::Explain { account: account.map(address), message });
        match execute(&store, &settings, &Actor::System, request).await {
            Ok(Response::SpamExplanation(one)) => *one,
            other => panic!("{other:?}"),
        }
    };
    for account in [None, Some("alice@example.org")] {
        let one = explained(Some(Points(150)), account).await;
        assert_eq!((one.spam, one.refused_from), (true, Some(Points(150))));
        assert!(one.reason.contains(" points of 15.0: "), "{}", one.reason);
        let one = explained(None, account).await;
        assert_eq!((one.spam, one.refused_from), (true, None));
        assert!(one.reason.contains(" points of 5.0: "), "{}", one.reason);
    }
    let alice = store.directory().account(&address("alice@example.org")).unwrap().id;
    let off = |settings: &mut storage::spam::SpamSettings| {
        settings.enabled = false;
        Ok(())
    };
    store.change_spam_settings(alice, off).await.unwrap();
    let one = explained(Some(Points(150)), Some("alice@example.org")).await;
    assert_eq!((one.spam, one.refused_from), (false, None), "who has no filter has it all the same");
}
