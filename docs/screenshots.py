"""Take docs/images/*.png: the console after a day of made-up events, in a real browser. Run: python docs/screenshots.py

With `--serve`, keep the console open to look at by hand. Like the tests, this needs Chromium and its driver.
"""

from __future__ import annotations

import json
import random
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from werkzeug.serving import make_server

from connector import telemetry
from connector.carecycle.samples import Message, Samples
from connector.carecycle.signature import Verifier
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.delivery.verification import Verifier as Comparing
from connector.destinations import VENDORS, connect, read_settings
from connector.destinations.hubspot import link as hubspot_link
from connector.insight.accounts import Account
from connector.insight.mapping_files import Home
from connector.insight.problems import find_causes
from connector.mapping import load, shipped_folder
from connector.receive import Agency, read
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import CLIENT, SalesforceSandbox
from connector.store import Store, open_store
from connector.store.processes import Beat
from connector.store.runs import SCHEDULED, SOURCE
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords, hash_password

IMAGES = Path(__file__).parent / "images"
HOUR = 3_600_000
NOON = 1_781_784_000_000  # 2026-06-18T12:00:00Z
A_DAY = (2, 1, 0, 0, 0, 1, 3, 8, 14, 19, 22, 18, 15, 20, 23, 21, 17, 13, 9, 6, 5, 4, 3, 6)
PASSWORD = secrets.token_urlsafe(9)
PHONE, DESK = (390, "dark"), (1280, "light")
MAPPINGS = {"sunrise/salesforce": "salesforce-contact", "sunrise/hubspot": "hubspot"}
TITLES = {"sunrise/salesforce": "Salesforce", "sunrise/hubspot": "HubSpot"}
FIX = "records: {contact: {fields: {MailingState: {when: {customer.state: {not: NM}}}}}}\n"


@dataclass
class Scene:
    """A store, its clock, and a sandbox for each destination. asked: the id of somebody who asked not to be called."""

    store: Store
    salesforce: SalesforceSandbox
    hubspot: HubSpotSandbox
    now: list[int]
    folder: Path
    routes: dict[str, Route] = field(default_factory=dict)
    asked: str = ""

    def play(self) -> None:
        """Play a day hour by hour: some people are rejected, and in the end one account has no calls left."""
        agency = Agency("sunrise", Verifier("sunrise", ["whsec_c2NyZWVuc2hvdHM="]), {"salesforce": 1, "hubspot": 1})
        traffic = Samples(random.Random(7), datetime.fromtimestamp(NOON / 1000, UTC) - timedelta(days=1))
        messages = traffic.traffic(sum(A_DAY))
        self.store.lanes.open({f"{name}/0": name for name in MAPPINGS})
        for hour, count in enumerate(A_DAY):
            self.now[0] = NOON - (len(A_DAY) - 1 - hour) * HOUR + 20 * 60_000
            batch = [next(messages) for _ in range(count)]
            self._trouble(batch, hour)
            asking = (message.payload["id"] for message in batch if message.note == "opt-out: doNotCall")
            self.asked = self.asked or next(asking, "")
            bodies = [(message.message_id, json.dumps(message.payload).encode()) for message in batch]
            gap = 20 * 60_000 // max(1, count)
            if not batch:
                continue
            self.store.inbox.accept(
                [read(agency, name, body, self.now[0] - (count - n) * gap) for n, (name, body) in enumerate(bodies)]
            )
            self.drain()
        for name, route in self.routes.items():
            self.store.mappings.running(name, route.mapping.version, route.mapping.files)

    def _trouble(self, batch: list[Message], hour: int) -> None:
        people = [message.payload.get("customer") or message.payload for message in batch]
        for person in people:
            if person.get("state") == "NM" and 9 < hour < 20:
                code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
                self.salesforce.refuse_rows([person["id"]], code, "", ["MailingState"], times=9)
            if person.get("suffix") and hour > 12:
                self.salesforce.refuse_rows([person["id"]], "STRING_TOO_LONG", "", ["Suffix"], times=9)
        if hour == len(A_DAY) - 1:
            self.hubspot.fault("/crm/", self.hubspot.rate_limited("DAILY"), times=50)

    def compare(self) -> None:
        """Compare with careCycle, and the records of Salesforce after a person deleted and changed some."""
        name = "sunrise/salesforce"
        held = self.store.verifications.walk(name, ("", ""), 1_000)
        people = [own.crm_id for own in held if own.object == "Contact"]
        self.salesforce.delete(people[0])
        self.salesforce.change(people[1], MailingCity="Elsewhere")
        route = self.routes[name]
        schema = route.destination.describe(route.mapping.objects)
        Comparing(self.store, name, route.destination, route.mapping, schema, route.timezone).verify(held)
        self.store.verifications.complete(name)
        run = self.store.runs.begin("5f0c2d9e8a7b6c41", "sunrise", SOURCE, SCHEDULED)
        self.store.runs.note(run.id, "", {"listed": 231, "unknown": 1, "fetched_customers": 1}, ended=True)

    def drain(self) -> None:
        """Deliver everything that is due."""
        pace = Pace(roll=lambda: 0.5)
        lanes = [f"{name}/0" for name in self.routes]
        while lease := self.store.lanes.lease("worker", lanes, 60_000):
            while deliver(self.store, self.routes[lease.destination], lease, pace):
                continue
            self.store.lanes.release(lease)


def own_file(scene: Scene, name: str) -> Path:
    """Return the path of the agency's own mapping for a destination."""
    return scene.folder / f"our-{name.rpartition('/')[2]}.yaml"


def loading(scene: Scene, name: str) -> Any:
    """Return a function that loads the agency's own mapping."""
    return lambda schema=None: load(own_file(scene, name), schema=schema, shipped=shipped_folder(), crms=VENDORS)


def accounts(scene: Scene) -> list[Account]:
    """List both accounts, with links to where their records would be."""
    links: dict[str, Callable[[str, str], str]] = {
        "sunrise/salesforce": lambda _, crm_id: f"https://sunrise.my.salesforce.com/{crm_id}",
        "sunrise/hubspot": partial(hubspot_link.record_address, 12345678, None),
    }
    return [
        Account(
            name,
            "America/Phoenix",
            loading(scene, name),
            lambda: None,
            partial(_destination, scene, name),
            links[name],
            Home(own_file(scene, name), scene.folder),
            TITLES[name],
        )
        for name in MAPPINGS
    ]


def _destination(scene: Scene, name: str) -> Any:
    return scene.routes[name].destination


@contextmanager
def staged() -> Iterator[tuple[Scene, str]]:
    """Play the day, then serve a console for it; yield the scene and the console's address."""
    telemetry.configure("error")
    with ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory(prefix="connector-screenshots-"))
        now = [NOON]
        store = open_store(f"sqlite:///{folder}/connector.db", {}, lambda: now[0])
        closing.callback(store.close)
        scene = Scene(store, SalesforceSandbox(), HubSpotSandbox(), now, Path(folder))
        for name, shipped in MAPPINGS.items():
            own_file(scene, name).write_text(f"extends: {shipped}\n")
        salesforce, hubspot = closing.enter_context(scene.salesforce), closing.enter_context(scene.hubspot)
        login = {
            "flow": "client_credentials",
            "client_id": CLIENT[0],
            "client_secret": CLIENT[1],
            "domain": "sunrise.my",
        }
        for name, auth, endpoint in (
            ("sunrise/salesforce", login, scene.salesforce.url or salesforce),
            ("sunrise/hubspot", {"access_token": scene.hubspot.token}, scene.hubspot.url or hubspot),
        ):
            mapping = loading(scene, name)().mapping
            settings = read_settings({"mapping": mapping.name, "auth": auth, "endpoint": endpoint})
            destination = connect(mapping.crm, settings, lambda *_: None)
            closing.callback(destination.close)
            mapping = loading(scene, name)(destination.describe(mapping.objects)).mapping
            scene.routes[name] = Route(name, destination, Running(mapping), "America/Phoenix")
        scene.play()
        scene.compare()
        with own_file(scene, "sunrise/salesforce").open("a") as file:
            file.write(FIX)  # the mapping has been fixed since
        now[0] += 6 * 60_000
        for role in ("receive", "work"):
            store.processes.beat(Beat(f"connector:{role}", role))
        passwords = Passwords(hash_password(PASSWORD))
        console = create_console(store, passwords, b"screenshots", lambda: now[0] / 1000, accounts(scene))
        server = make_server("127.0.0.1", 0, create_admin(store, [console]), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        closing.callback(thread.join)
        closing.callback(server.shutdown)
        yield scene, f"http://127.0.0.1:{server.server_port}/console"


def pages(scene: Scene) -> dict[str, tuple[str, tuple[int, str]]]:
    """Name -> path of each page to photograph, and its view. The README and the pages in docs/ show each of them."""
    causes = find_causes(scene.store)
    return {
        "now": ("", DESK),
        "now-on-a-phone": ("", PHONE),
        "person": (f"/people/sunrise/{scene.asked}", DESK),
        "consent": ("/consent", DESK),
        "cause": (f"/problems/{causes[0].id}/replay", DESK),
        "events": ("/events", DESK),
        "complete": ("/complete", DESK),
        "mapping": ("/mapping/show?destination=sunrise/salesforce", DESK),
        "edit": ("/mapping/edit?destination=sunrise/salesforce", DESK),
    }


def shoot(scene: Scene, address: str, folder: Path) -> None:
    """Photograph each page."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-lcd-text"):
        options.add_argument(flag)
    browser = Chrome(options, ChromeService("/usr/bin/chromedriver"))
    try:
        browser.get(address)
        browser.find_element(By.ID, "password").send_keys(PASSWORD)
        browser.find_element(By.CSS_SELECTOR, "form.login button").click()
        for name, (path, (width, scheme)) in pages(scene).items():
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.get(address + path)
            tall = browser.execute_script("return document.documentElement.scrollHeight")
            size["height"] = min(tall, 860)
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.save_screenshot(str(folder / f"{name}.png"))
    finally:
        browser.quit()


def main() -> None:
    """Take the screenshots, or keep the console open."""
    with staged() as (scene, address):
        if "--serve" in sys.argv:
            sys.stdout.write(f"{address} (password: {PASSWORD}). Ctrl-C ends it.\n")
            threading.Event().wait()
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
        folder.mkdir(exist_ok=True)
        shoot(scene, address, folder)


if __name__ == "__main__":
    main()
