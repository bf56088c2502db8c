"""The demo: an expert, an exchange and a failing collector on loopback, every ledger compared with what arrived."""
