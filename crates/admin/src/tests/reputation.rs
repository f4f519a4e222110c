//! What is known of clients and senders, and the greylist.

use ::reputation::greylist::{GreyKey, GreylistSettings};
use ::reputation::standing::{Rating, Sender, What};

use super::*;

fn show(subject: &str) -> Request {
    Request::Reputation(ReputationRequest::Show { subject: subject.into(), helo: None, sender: None })
}

fn forget(subject: &str) -> Request {
    Request::Reputation(ReputationRequest::Forget { subject: subject.into() })
}

#[tokio::test]
async fn standings_are_shown_and_forgotten_by_administrators() {
    let store = stage().await;
    let network = "192.0.2.0/24".parse().unwrap();
    let claimed = Sender::Network(network, Some("bank.example".parse().unwrap()));
    let senders = vec![Sender::Domain("far.example".parse().unwrap()), claimed.clone()];
    let now = store.now();
    for _ in 0..4 {
        let senders = senders.clone();
        store.transact(move |tx| tx.count_standing(&senders, What::FoundSpam, now)).await.unwrap();
    }
    for (subject, sender) in [("far.example", &senders[0]), ("Zoe@FAR.example", &senders[0]), ("192.0.2.77", &claimed)]
    {
        let Ok(Response::Reputation(view)) = ask(&store, show(subject)).await else { panic!("{subject}") };
        assert_eq!((view.standings.len(), &view.standings[0].sender), (1, sender));
        assert!(matches!(view.standings[0].rating, Rating::Bad(_)) && view.now.is_none());
    }
    let Ok(Response::Reputation(view)) = ask(&store, show("[198.51.100.7]")).await else { panic!() };
    assert!(view.standings.is_empty());
    let wrong = ask(&store, show("no such thing")).await.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::Invalid);
    assert!(wrong.to_string().contains("neither a client nor a sender"), "{wrong}");
    let bob = Actor::Account { id: store.directory().account(&address("bob@example.org")).unwrap().id, remote: None };
    let list = || Request::Greylist(GreylistRequest::List { limit: None });
    for asked in [show("far.example"), forget("far.example"), list()] {
        assert_eq!(ask_as(&store, &settings(), &bob, asked).await.unwrap_err().kind, ErrorKind::Denied);
    }
    for subject in ["far.example", "192.0.2.0/24"] {
        assert!(said(ask(&store, forget(subject)).await).contains("is forgotten"), "{subject}");
        assert_eq!(ask(&store, forget(subject)).await.unwrap_err().kind, ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn the_greylist_is_shown_and_forgotten() {
    let store = stage().await;
    let key =
        GreyKey::of("2001:db8::".parse().unwrap(), Some(&address("zoe@far.example")), &"example.org".parse().unwrap());
    store.greylist(vec![key.clone()], GreylistSettings::default()).await.unwrap();
    let list = || Request::Greylist(GreylistRequest::List { limit: Some(5) });
    let Ok(Response::Greylist(view)) = ask(&store, list()).await else { panic!() };
    assert_eq!((view.waiting.len(), &view.waiting[0].key, view.passed.len()), (1, &key, 0));
    let Ok(Response::Reputation(view)) = ask(&store, show("2001:db8::5")).await else { panic!() };
    assert_eq!(view.waiting.len(), 1);
    let forget = |client: &str| Request::Greylist(GreylistRequest::Forget { client: client.into() });
    assert_eq!(ask(&store, forget("far example")).await.unwrap_err().kind, ErrorKind::Invalid);
    assert!(said(ask(&store, forget("2001:db8::9")).await).contains("not known to the greylist any more"));
    assert_eq!(ask(&store, forget("2001:db8::9")).await.unwrap_err().kind, ErrorKind::NotFound);
    // The servers of a domain, by its name.
    let pool = "far.example".parse().unwrap();
    let domain = |text: &str| Domain::parse(text).unwrap();
    let settings = GreylistSettings { wait: std::time::Duration::ZERO, ..GreylistSettings::default() };
    let keys = |n: u8| {
        let network = format!("192.0.{n}.1").parse().unwrap();
        GreyKey::all(network, Some(domain("far.example")), Some(&address("zoe@far.example")), &domain("example.org"))
    };
    store.greylist(keys(1), settings).await.unwrap();
    let Ok(Response::Reputation(view)) = ask(&store, show("far.example")).await else { panic!() };
    assert_eq!((view.waiting.len(), &view.waiting[0].key.origin), (1, &pool));
    store.greylist(keys(2), settings).await.unwrap();
    let Ok(Response::Reputation(view)) = ask(&store, show("far.example")).await else { panic!() };
    assert_eq!(view.passed.map(|pass| pass.origin), Some(pool));
    assert!(said(ask(&store, forget("Far.Example")).await).contains("far.example is not known to the greylist"));
    assert_eq!(ask(&store, forget("far.example")).await.unwrap_err().kind, ErrorKind::NotFound);
}
