//! External accounts: made, changed, removed, and refused.

use super::*;

fn elsewhere() -> ExternalContent {
    ExternalContent {
        host: Some("imap.b.example".into()),
        login: Some("far".into()),
        password: Some("nur für drüben".into()),
        ..ExternalContent::default()
    }
}

#[tokio::test]
async fn m08_an_external_account_is_made_changed_and_removed_and_its_password_is_in_no_answer() {
    let store = stage().await;
    let show = Request::External(Box::new(ExternalRequest::Show { id: 1 }));
    let list = Request::External(Box::new(ExternalRequest::List { owner: Some(address("ALICE@example.org")) }));
    let set = |content: ExternalContent| {
        Request::External(Box::new(ExternalRequest::Set { id: 1, content: Box::new(content) }))
    };
    let off = ExternalContent { enabled: Some(false), ..ExternalContent::default() };
    for request in [external(elsewhere()), show.clone(), list, set(off)] {
        let answer = ask(&store, request).await;
        let json = serde_json::to_string(&answer).unwrap();
        let sealed = store.directory().external(1).unwrap().password.clone().unwrap().0;
        assert!(answer.is_ok() && !json.contains("drüben") && !json.contains(&sealed), "{json}");
        assert!(json.contains("\"has_password\":true") && json.contains("\"port\":993"), "{json}");
    }
    // Another server would be told the password: it must be said again.
    let host = ExternalContent { host: Some("evil.example".into()), ..ExternalContent::default() };
    assert!(said(ask(&store, set(host)).await).contains("password must be given again"));
    let sealer = auth::Sealer::for_external_accounts(&store).await.unwrap();
    let sealed = store.directory().external(1).unwrap().password.clone().unwrap().0;
    assert_eq!(sealer.open(1, &sealed).unwrap().expose(), "nur für drüben");
    let now = Request::External(Box::new(ExternalRequest::FetchNow { id: 1 }));
    assert!(said(ask(&store, now).await).contains("switched off"));
    ask(&store, Request::External(Box::new(ExternalRequest::Remove { id: 1 }))).await.unwrap();
    assert!(said(ask(&store, show).await).contains("no external account 1"));
}

#[tokio::test]
async fn m08_external_accounts_that_can_not_work_are_refused_with_what_to_do() {
    use routing::objects::{AfterFetch, ExternalFolder, ExternalSecurity};
    let store = stage().await;
    let folder = |remote: &str| ExternalFolder { remote: remote.into(), local: None };
    let wrong = [
        (ExternalContent { password: None, ..elsewhere() }, "needs a password"),
        (ExternalContent { host: None, ..elsewhere() }, "needs a host"),
        (ExternalContent { security: Some(ExternalSecurity::None), ..elsewhere() }, "unprotected"),
        (ExternalContent { interval_secs: Some(5), ..elsewhere() }, "shortest interval"),
        (ExternalContent { port: Some(0), ..elsewhere() }, "no port"),
        (ExternalContent { login: Some("a\r\nb".into()), ..elsewhere() }, "no login"),
        (ExternalContent { folders: Some(vec![folder("A"), folder("A")]), ..elsewhere() }, "named twice"),
        (ExternalContent { mailbox: Some("a//b".into()), ..elsewhere() }, "mailbox name"),
        (ExternalContent { after_fetch: Some(AfterFetch::DeleteAfterDays(0)), ..elsewhere() }, "at once"),
        (ExternalContent { ca_pem: Edit::Set("x".into()), ..elsewhere() }, "PEM"),
        (ExternalContent { password: Some("x".repeat(2_000).into()), ..elsewhere() }, "longer"),
    ];
    for (content, reason) in wrong {
        let told = said(ask(&store, external(content)).await);
        assert!(told.contains(reason), "{reason}: {told}");
    }
    assert_eq!(store.directory().externals().count(), 0);
    for n in 0..11 {
        let answer = ask(&store, external(elsewhere())).await;
        assert_eq!(answer.is_ok(), n < 10, "{n}");
    }
    // They go with their owner.
    let remove = Request::Account(AccountRequest::Remove { address: address("alice@example.org"), force: true });
    ask(&store, remove).await.unwrap();
    assert_eq!(store.directory().externals().count(), 0);
    let mut found = Vec::new();
    storage::check::check(&store, true, &mut |finding| found.push(finding.to_string())).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
}
