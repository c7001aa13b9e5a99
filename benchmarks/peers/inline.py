"""What a user would write instead, as short as in the packages' own examples: Flask and svix, calling the CRM inline.

    gunicorn --workers 2 --threads 16 benchmarks.peers.inline:app

Environment: SECRET (whsec_...), CRM (the address of a Salesforce sandbox) and SESSION (its session id).
"""

import os

import requests
from flask import Flask, request
from svix.webhooks import Webhook, WebhookVerificationError

app = Flask(__name__)
webhook = Webhook(os.environ["SECRET"])
crm = requests.Session()
crm.headers["Authorization"] = f"Bearer {os.environ['SESSION']}"
crm.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))


@app.post("/hooks/bench")
def received() -> tuple[str, int]:
    """Verify, write to the CRM, answer."""
    try:
        webhook.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError:
        return "", 401
    event = request.get_json()
    address = f"{os.environ['CRM']}/services/data/v67.0/sobjects/Contact/careCycle_Id__c/{event['id']}"
    fields = {"LastName": event["lastName"], "FirstName": event["firstName"], "Phone": event["phoneNumber"]}
    crm.patch(address, json=fields, timeout=30).raise_for_status()
    return "", 204
