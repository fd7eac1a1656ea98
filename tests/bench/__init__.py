"""Tests of the measurements themselves: a proof that cannot fail proves nothing."""
