"""The renderer: prompts, conditions, schedules, samplers and the denoising loop."""
