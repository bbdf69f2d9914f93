import torch

from acestep_nb.nano.export import export
from acestep_nb.nano.heads import Heads
from acestep_nb.nano.networks import Networks
from acestep_nb.nano.restore import networks_of, save_heads, take_up
from acestep_nb.nano.train import STAGES, trainer_of


def test_a_checkpoint_gives_its_networks_and_heads_back(codec, tmp_path):
    torch.manual_seed(5)
    networks, heads = Networks(), Heads(Networks())
    export(networks, codec, tmp_path / "nano", "1")
    (tmp_path / "nano" / "training").mkdir()
    save_heads(heads, tmp_path / "nano")
    rough = {key: value.half().float() for key, value in networks.state_dict().items()}
    for key, value in networks_of(tmp_path / "nano").state_dict().items():
        assert torch.equal(value, rough[key]), key

    take_up(tmp_path / "nano", tmp_path / "runs")
    state = torch.load(tmp_path / "runs" / "plan.pt", weights_only=True)
    assert state["step"] == STAGES["plan"].steps  # so that the planning stage is not run again
    trainer = trainer_of(STAGES["main"], Networks())
    trainer.start_from(state)
    assert torch.equal(trainer.networks.state_dict()["transformer.layers.1.mlp.up_proj.weight"],
                       rough["transformer.layers.1.mlp.up_proj.weight"])  # fmt: skip
    assert torch.equal(trainer.heads.roll.weight, heads.roll.weight.half().float())
    assert {path.name for path in (tmp_path / "runs").iterdir()} >= {
        "tokens.safetensors",
        "corpus",
        "plan.pt",
    }
