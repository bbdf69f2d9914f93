"""Adapters: teach the renderer a style of your own (LoRA), use it, and give it away."""
