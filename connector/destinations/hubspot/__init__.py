"""HubSpot as a destination. `account` alone knows its client library; the rest is cheap to import."""
