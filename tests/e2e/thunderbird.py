"""Debian's Thunderbird on a screen of its own (Xvfb), with a new profile, driven by Marionette.

What is done goes through Thunderbird's own windows, commands and services, so that its code decides what it says on the wire.
"""

import base64
import json
import os
import signal
import subprocess

from harness import PASSWORD, certificate, folder, until
from marionette import Marionette

# A loaded machine is slow, and a wait that ends well ends early.
SECONDS = 60

# Nothing is asked at the start, nothing is fetched from the network, and no page of the makers is opened.
PREFERENCES = {
    "marionette.port": 0,
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "datareporting.healthreport.uploadEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "mail.biff.play_sound": False,
    "mail.biff.show_alert": False,
    "mail.chat.enabled": False,
    "mail.instrumentation.userOptedIn": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    # No filter of its own that learns and marks: every mark is a test's.
    "mail.server.default.spamLevel": 0,
    "mail.spam.version": 1,
    "mail.spotlight.firstRunDone": True,
    # What is deleted in the trash is gone without a question.
    "mail.warn_on_delete_from_trash": False,
    "mail.winsearch.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "",
}


# What all scripts share.
COMMON = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const { FileUtils } = ChromeUtils.importESModule("resource://gre/modules/FileUtils.sys.mjs");
const accountOf = name => MailServices.accounts.accounts.find(one => one.incomingServer.prettyName == name);
const serverOf = name => accountOf(name).incomingServer;
const identityOf = name => accountOf(name).defaultIdentity;
const folderAt = (name, path) => path.split("/").filter(part => part).reduce((parent, part) => parent.getChildNamed(part), serverOf(name).rootFolder);
const pane = () => document.getElementById("tabmail").currentAbout3Pane;
const listener = (resolve, reject) => ({
    onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
    onStopCopy: status => Components.isSuccessCode(status) ? resolve() : reject(new Error("copy: " + status)),
});
"""


class Display:
    """A screen that nobody sees."""

    def __init__(self):
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
            pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading) as told:
            # An end without a number is a server that did not start.
            number = told.readline().strip()
        if not number:
            raise AssertionError("Xvfb did not start")
        self.name = ":" + number

    def close(self):
        self.process.terminate()
        self.process.wait()


class Thunderbird:
    """One Thunderbird. `account` must follow before mail can be read."""

    def __init__(self):
        self.home = folder("thunderbird")
        self.profile = self.home / "profile"
        self.profile.mkdir()
        self.log = self.home / "log"
        # What it says on the wire, for whoever looks into a failure.
        self.wire = self.home / "wire"
        (self.profile / "user.js").write_text(
            "".join("user_pref(%s, %s);\n" % (json.dumps(name), json.dumps(value)) for name, value in PREFERENCES.items()))
        self.display = Display()
        try:
            self._start()
        except BaseException:
            self.kill()
            raise

    def _start(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MOZ_", "DBUS_", "XDG_", "WAYLAND_"))}
        environment.update(HOME=str(self.home), DISPLAY=self.display.name, LC_ALL="C.UTF-8", TZ="UTC", MOZ_CRASHREPORTER_DISABLE="1",
                           MOZ_LOG="sync,timestamp,IMAP:5,SMTP:4", MOZ_LOG_FILE=str(self.wire))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["thunderbird", "--profile", str(self.profile), "--no-remote", "--marionette", "--remote-allow-system-access"],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        port = self.profile / "MarionetteActivePort"
        until(lambda: self.process.poll() is not None or (port.exists() and port.read_text().strip()), 120, "Thunderbird's port")
        if self.process.poll() is not None:
            raise AssertionError("Thunderbird ended:\n%s" % self.log.read_text(errors="replace")[-3000:])
        self.marionette = Marionette(int(port.read_text()))

    def kill(self):
        """Ends it at once, and its screen."""
        if getattr(self, "marionette", None):
            self.marionette.close()
        if getattr(self, "process", None):
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # It has ended by itself.
            self.process.wait()
        self.display.close()

    def script(self, text, *arguments):
        """The body of an async function in Thunderbird's main window; what it returns."""
        return self.marionette.script(COMMON + text, *arguments)

    def screenshot(self, name):
        """What is on the screen as a PNG, whose path is returned."""
        path = self.home / (name + ".png")
        path.write_bytes(base64.b64decode(self.marionette.command("WebDriver:TakeScreenshot", {"full": True, "hash": False})))
        return path

    def said(self):
        """The commands that went to the IMAP server, each with the name of the mailbox that was selected."""
        log = self.wire.with_name(self.wire.name + ".moz_log")
        text = log.read_text(errors="replace") if log.exists() else ""
        return [line.partition(":SendData: ")[2] for line in text.splitlines() if ":SendData: " in line]

    # -- accounts

    def account(self, user, name, imap, smtp, socket="SSL"):
        """Sets an account up as the dialog for new accounts does; the certificates are accepted and the password is known."""
        self.script("""
            const [user, password, name, imap, smtp, socket, chain] = args;
            const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
            const shown = new TextDecoder().decode(await IOUtils.read(chain)).replace(/-----.*?-----/g, "").replace(/\\s/g, "");
            const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
            for (const port of [imap, smtp]) {
                overrides.rememberValidityOverride("localhost", port, {}, database.constructX509FromBase64(shown), false);
            }
            for (const origin of ["imap://localhost", "smtp://localhost"]) {
                const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
                login.init(origin, null, origin, user, password, "", "");
                await Services.logins.addLoginAsync(login);
            }
            const server = MailServices.accounts.createIncomingServer(user, "localhost", "imap");
            server.prettyName = name;
            server.port = imap;
            server.socketType = Ci.nsMsgSocketType[socket];
            server.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
            // Messages stay on the server until they are read, so that a search in their text is the server's.
            server.QueryInterface(Ci.nsIImapIncomingServer).offlineDownload = false;
            const sender = MailServices.outgoingServer.createServer("smtp").QueryInterface(Ci.nsISmtpServer);
            sender.hostname = "localhost";
            sender.port = smtp;
            sender.socketType = Ci.nsMsgSocketType[socket];
            sender.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
            sender.username = user;
            const identity = MailServices.accounts.createIdentity();
            identity.email = user;
            identity.fullName = name;
            identity.composeHtml = false;
            identity.smtpServerKey = sender.key;
            const account = MailServices.accounts.createAccount();
            account.addIdentity(identity);
            account.incomingServer = server;
        """, user, PASSWORD, name, imap, smtp, socket, str(certificate().chain))

    # -- folders

    def folders(self, name):
        """Path -> its special use, for the account's folders that Thunderbird knows."""
        return self.script("""
            const found = {};
            const uses = ["Inbox", "Drafts", "SentMail", "Trash", "Junk", "Archive"];
            const walk = (folder, path) => {
                for (const sub of folder.subFolders) {
                    found[path + sub.name] = uses.filter(use => sub.getFlag(Ci.nsMsgFolderFlags[use])).join(" ");
                    walk(sub, path + sub.name + "/");
                }
            };
            walk(serverOf(args[0]).rootFolder, "");
            return found;
        """, name)

    def open(self, account, path, subject=None):
        """Clicks a folder, which must have a message. When Thunderbird shows the folder while a message comes into it, it sometimes counts
        the message and lists none; then somebody clicks another folder, and this one again."""
        def click():
            self.script("pane().displayFolder(folderAt(args[0], args[1]).URI);", account, path)
            until(lambda: self.script("return pane().gFolder === folderAt(args[0], args[1]) && Boolean(pane().gDBView);", account, path),
                  SECONDS, "the folder %s" % path)
            if subject is None:
                return True
            try:
                return until(lambda: subject in self.rows(), 10, "the row of %r" % subject)
            except AssertionError:
                self.script("pane().displayFolder(serverOf(args[0]).rootFolder.URI);", account)
                return False
        until(click, SECONDS, "%s with %r" % (path, subject))

    def check_mail(self, account):
        """The button "Get Messages"."""
        self.script("serverOf(args[0]).getNewMessages(serverOf(args[0]).rootFolder, window.msgWindow, null);", account)

    def create_folder(self, account, parent, name):
        self.script("folderAt(args[0], args[1]).createSubfolder(args[2], window.msgWindow);", account, parent, name)

    def rename_folder(self, account, path, name):
        self.script("folderAt(args[0], args[1]).rename(args[2], window.msgWindow);", account, path, name)

    def move_folder(self, account, path, target):
        self.script("""
            await new Promise((resolve, reject) => MailServices.copy.copyFolder(
                folderAt(args[0], args[1]), folderAt(args[0], args[2]), true, listener(resolve, reject), window.msgWindow));
        """, account, path, target)

    def quota(self, account, path):
        """Name -> [usage, limit] as the properties of the folder show them."""
        return {name: (usage, limit) for name, usage, limit in self.script(
            "return folderAt(args[0], args[1]).QueryInterface(Ci.nsIMsgImapMailFolder).getQuota()"
                     ".map(one => [one.name, Number(one.usage), Number(one.limit)]);", account, path)}

    # -- messages of the open folder

    def rows(self):
        """The list as it is on the screen: subject -> what its row tells."""
        return {row["subject"]: row for row in self.script("""
            const view = pane().gDBView;
            return view ? [...Array(view.rowCount).keys()].map(index => view.getMsgHdrAt(index)).map(header => ({
                subject: header.mime2DecodedSubject, author: header.mime2DecodedAuthor, read: header.isRead, flagged: header.isFlagged,
                answered: Boolean(header.flags & Ci.nsMsgMessageFlags.Replied), attachment: Boolean(header.flags & Ci.nsMsgMessageFlags.Attachment),
                keywords: header.getStringProperty("keywords").split(" ").filter(word => word).sort(), size: header.messageSize,
            })) : [];
        """)}

    def shows(self, subject, test=lambda row: True):
        """Waits until a row is there, and is as it should be."""
        def look():
            row = self.rows().get(subject)
            return row if row and test(row) else None
        return until(look, SECONDS, "the row of %r" % subject)

    def lacks(self, subject):
        """Waits until a row is gone."""
        until(lambda: subject not in self.rows(), SECONDS, "the row of %r to go" % subject)

    def select(self, *subjects, shown=True):
        """Clicks rows; of one alone the message is shown, and its text returned, unless it can't be without a connection."""
        for subject in subjects:
            self.shows(subject)
        self.script("""
            const view = pane().gDBView;
            pane().threadTree.selectedIndices = [...Array(view.rowCount).keys()].filter(index => args.includes(view.getMsgHdrAt(index).mime2DecodedSubject));
        """, *subjects)
        if len(subjects) > 1 or not shown:
            return None
        return until(lambda: self.script("""
            const message = document.getElementById("tabmail").currentAboutMessage;
            if (!message || !message.msgLoaded || message.gMessage?.mime2DecodedSubject != args[0]) return null;
            return message.getMessagePaneBrowser().contentDocument?.body?.textContent;
        """, subjects[0]), SECONDS, "the text of %r" % subjects[0])

    def attachments(self):
        """The attachments of the message that is shown: [name, type]."""
        return self.script("return document.getElementById('tabmail').currentAboutMessage.currentAttachments.map(one => [one.name, one.contentType]);")

    def do(self, command, *folder):
        """A command of the menus for the selected messages: `cmd_delete`, `cmd_tag1`; an account and a path say where to."""
        self.script("""
            const [command, ...place] = args;
            if (!pane().commandController.isCommandEnabled(command)) throw new Error(command + " is not enabled");
            pane().commandController.doCommand(command, place.length ? folderAt(...place) : undefined);
        """, command, *folder)

    def search(self, account, path, *terms, every=True):
        """Subjects of what "Search Messages…" finds with "Run search on server": terms are attribute, operator, value."""
        return sorted(self.script("""
            const [account, path, every, ...terms] = args;
            const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
            session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folderAt(account, path));
            for (const [attribute, operator, text] of terms) {
                const term = session.createTerm();
                const value = term.value;
                value.attrib = term.attrib = Ci.nsMsgSearchAttrib[attribute];
                value.str = text;
                term.value = value;
                term.op = Ci.nsMsgSearchOp[operator];
                term.booleanAnd = every;
                session.appendTerm(term);
            }
            const found = [];
            await new Promise((resolve, reject) => {
                session.registerListener({
                    onSearchHit: header => found.push(header.mime2DecodedSubject),
                    onSearchDone: status => Components.isSuccessCode(status) ? resolve() : reject(new Error("search: " + status)),
                    onNewSearch() {},
                }, Ci.nsIMsgSearchSession.allNotifications);
                session.search(window.msgWindow);
            });
            return found;
        """, account, path, every, *terms))

    # -- writing

    def write(self, account, **fields):
        """Opens the window for a new message and fills it in."""
        self.script("""
            const [account, given] = args;
            const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
            const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
            params.type = Ci.nsIMsgCompType.New;
            params.format = Ci.nsIMsgCompFormat.PlainText;
            params.identity = identityOf(account);
            if (given.attachment) {
                const attachment = Cc["@mozilla.org/messengercompose/attachment;1"].createInstance(Ci.nsIMsgAttachment);
                attachment.url = Services.io.newFileURI(new FileUtils.File(given.attachment)).spec;
                fields.addAttachment(attachment);
            }
            for (const name of ["to", "cc", "bcc", "subject", "body"]) if (given[name]) fields[name] = given[name];
            params.composeFields = fields;
            MailServices.compose.OpenComposeWindowWithParams(null, params);
        """, account, fields)
        self.wait_to_write()

    def wait_to_write(self):
        """Waits until the window for a message is open, after `cmd_replySender` or `cmd_editDraftMsg` as well."""
        until(lambda: self.script("""
            const compose = Services.wm.getMostRecentWindow("msgcompose");
            return compose && compose.composeEditorReady && compose.document.querySelector("mail-address-pill") && !compose.gWindowLocked;
        """), SECONDS, "the window for a message")

    def recipients(self):
        return self.script("return [...Services.wm.getMostRecentWindow('msgcompose').document.querySelectorAll('mail-address-pill')].map(one => one.emailAddress);")

    def type(self, text):
        """Types at the beginning of the message that is written."""
        self.script("""
            const editor = Services.wm.getMostRecentWindow("msgcompose").GetCurrentEditor();
            editor.beginningOfDocument();
            editor.QueryInterface(Ci.nsIEditorMailSupport).insertTextWithQuotations(args[0]);
        """, text)

    def finish(self, command="cmd_sendNow"):
        """Sends, and waits until the window has closed: the message has been taken, and its copy made."""
        self.script("Services.wm.getMostRecentWindow('msgcompose').goDoCommand(args[0]);", command)
        until(lambda: self.script("return !Services.wm.getMostRecentWindow('msgcompose');"), SECONDS, "the end of sending")

    def save_draft(self):
        """Saves the message as a draft and closes its window."""
        self.script("""
            const compose = Services.wm.getMostRecentWindow("msgcompose");
            const saved = new Promise(resolve => compose.addEventListener("aftersave", resolve, { once: true }));
            compose.goDoCommand("cmd_saveAsDraft");
            await saved;
            compose.close();
        """)
        until(lambda: self.script("return !Services.wm.getMostRecentWindow('msgcompose');"), SECONDS, "the window to close")
