"""Scores you can see: does the music sing the lyrics, when, and does the sound hold what was asked."""
