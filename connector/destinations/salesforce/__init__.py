"""Salesforce as a destination. `account` and what it uses know its client library; `auth` is cheap to import."""
