"""HubSpot as a destination. Only `account` imports the client library; the rest is cheap to import."""
