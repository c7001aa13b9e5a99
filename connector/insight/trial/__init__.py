"""First contact with a real CRM account: a made-up person goes the usual way, is read back, and is deleted again."""
