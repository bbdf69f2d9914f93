"""The planner: a language model that fills in a song and composes it as codes."""
