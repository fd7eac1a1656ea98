"""Proofs and measurements: each is one command, its figures are kept in docs/evidence/."""
