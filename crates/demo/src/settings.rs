//! What to type into a mail program.

use crate::report::Report;
use crate::stage::{DOMAIN, PASSWORD, PEOPLE, Stage};

/// Prints the settings, the web address last. When something is not as it should be, only where to look.
pub(crate) fn print(stage: &Stage, report: &Report) {
    let health = format!("    Health page: http://127.0.0.1:{}/health/ready", stage.port(8080));
    if !report.is_good() {
        let text =
            "Not everything is as it should be, see above. The server goes on, to be looked at (Ctrl-C ends it):";
        println!("\n{}", report.colour("1;31", text));
        println!("    Data and log: {}", stage.folder().display());
        println!("{}", report.colour("1", &health));
        return;
    }
    let logins: Vec<String> = PEOPLE.iter().map(|(login, _)| format!("{login}@{DOMAIN}")).collect();
    println!("\n{}", report.colour("1;36", "The server goes on serving. To try it with Thunderbird (Ctrl-C ends it):"));
    println!(
        "
    Account settings ▸ Add mail account ▸ Configure manually
    Name, address      Alice Martin, {}
    Password           {PASSWORD}   (the same for {})

                       server       port    security    authentication      user name
    Incoming (IMAP)    localhost    {:<7} SSL/TLS     normal password     the full address
    Outgoing (SMTP)    localhost    {:<7} SSL/TLS     normal password     the full address
    or with STARTTLS:  IMAP port {}, SMTP port {}

    Thunderbird asks about the certificate, because the server made it itself: confirm the exception.
    Write to info@{DOMAIN}, team@{DOMAIN}, prices@{DOMAIN}, dora@{DOMAIN} and see what happens.
    Data and log: {}
    From other servers, mail comes to port {}.
    Metrics: http://127.0.0.1:{}/metrics
",
        logins.first().map_or("", String::as_str),
        logins.get(1..).unwrap_or_default().join(", "),
        stage.port(993),
        stage.port(465),
        stage.port(143),
        stage.port(587),
        stage.folder().display(),
        stage.port(25),
        stage.port(8080),
    );
    println!("{}", report.colour("1", &health));
}
