"""Songs to learn from, in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from acestep_nb import Audio


def write_songs(folder: Path, count: int = 3, seconds: float = 6.0) -> Path:
    """Sound files of seeded noise with a table of captions, lyrics beside the first."""
    folder.mkdir(exist_ok=True)
    rows = ["file,bpm,key,caption"]
    for number in range(count):
        random = np.random.default_rng(number)
        sound = Audio(random.uniform(-0.5, 0.5, (2, int(48_000 * (seconds + number / 5)))), 48_000)
        sound.save(folder / f"song{number}.wav")
        rows.append(f"song{number}.wav,{100 + number},A minor,piano ballad {number}")
    (folder / "songs.csv").write_text("\n".join(rows), "utf-8")
    (folder / "song0.txt").write_text("[Verse]\nla la la", "utf-8")
    return folder
