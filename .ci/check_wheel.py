"""Run where only the wheel is: the package, nano, the notebooks and the sound are the wheel's own."""

import json
import sys
from pathlib import Path

import acestep_nb
from acestep_nb.checkpoints import find
from acestep_nb.lab import START, notebooks_folder

checkout, result = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
for path in (Path(acestep_nb.__file__), find("nano")):
    assert not path.resolve().is_relative_to(checkout), f"{path} is the checkout's"
assert (notebooks_folder(Path.cwd()) / START).is_relative_to(Path.cwd())
assert (Path.cwd() / "notebooks" / START).read_bytes() == (checkout / "notebooks" / START).read_bytes()
(take,) = result["takes"]
audio = acestep_nb.Audio.load(take["file"])
assert (audio.rate, len(audio.samples), round(audio.duration, 1)) == (48_000, 2, 10.0), audio
assert 0.01 < audio.peak <= 1, audio.peak
print(f"{audio} from {take['file']}")
